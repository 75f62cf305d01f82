#pragma once

#include <string_view>
#include <variant>

#include "exporter/common/result.h"
#include "exporter/registry/credential_helper.h"
#include "exporter/registry/credentials.h"

namespace registry_backend {

// What a docker config file has for a subject: credentials (anonymous: nothing), or whom to ask.
using DockerConfigAnswer = std::variant<Credentials, HelperQuestion>;

// Looks `subject` up in the text of a docker config file: docker's own config.json, a Kubernetes
// .dockerconfigjson, or the older .dockercfg, which is the bare object `auths`.
//
// A helper that `credHelpers` names for the registry comes first (an empty name there: look only
// into `auths`), then the entry of `auths` that fits best and holds something, then `credsStore`.
//
// A key fits with or without http:// or https://, with or without /v1/ or /v2/; docker.io,
// index.docker.io and registry-1.docker.io are one registry; `*` stands for any characters within
// one label of a host name. A key of `auths` may go on with a repository or its leading path
// components. The longest path wins, then the key without `*`, then the one with the most letters.
//
// Error kCredentials: malformed as a whole, or where it concerns the subject; the message names the
// key, not the file, and holds no secret. What concerns other registries is not looked at. Pure.
Result<DockerConfigAnswer> FindInDockerConfig(std::string_view text,
                                              const CredentialsSubject& subject);

}  // namespace registry_backend
