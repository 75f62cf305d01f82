#include <nlohmann/json.hpp>
#include <string>

#include "exporter/registry/base64.h"
#include "exporter/registry/docker_config.h"
#include "exporter/registry/json.h"
#include "tests/fuzz/fuzzed_input.h"
#include "tests/fuzz/require.h"

// First line: a registry's host; second: a repository; the rest: a docker config file.
namespace registry_backend::testing {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSecret = "hunter2-S3CR3T";
constexpr std::string_view kSecretBase64 = "dTpodW50ZXIyLVMzQ1IzVA==";  // of `u:` and the secret

bool HasSecret(std::string_view text) {
  return text.find(kSecret) != std::string_view::npos ||
         text.find("dTpodW50ZXIy") != std::string_view::npos;
}

// Puts the secret wherever a file of this shape may have one.
void PutSecrets(Json& json) {
  for (auto& [key, value] : json.items()) {
    const bool is_auth = key == "auth";
    const bool is_secret = is_auth || key == "password" || key == "username" ||
                           key == "identitytoken" || key == "registrytoken";
    if (is_secret && value.is_string()) {
      const bool is_base64 = is_auth && DecodeBase64(value.get<std::string>());
      value = std::string(is_base64 ? kSecretBase64 : kSecret);
    } else if (value.is_structured()) {
      PutSecrets(value);
    }
  }
}

void CheckAnswer(const DockerConfigAnswer& answer) {
  if (const auto* question = std::get_if<HelperQuestion>(&answer)) {
    Require(!question->helper.empty() && !question->server.empty(),
            "a helper is asked for an address");
  }
}

void CheckConfig(std::string_view text, const CredentialsSubject& subject) {
  const Result<DockerConfigAnswer> answer = FindInDockerConfig(text, subject);
  if (answer) {
    CheckAnswer(*answer);
  } else {
    Require(answer.error().kind == ErrorKind::kCredentials, "the file is at fault");
  }

  Json json = ParseJson(text);
  if (!json.is_object() || HasSecret(text)) return;
  PutSecrets(json);
  const Result<DockerConfigAnswer> hidden =
      FindInDockerConfig(json.dump(-1, ' ', false, Json::error_handler_t::replace), subject);
  Require(hidden || !HasSecret(hidden.error().message), "an error holds no secret",
          hidden ? "" : hidden.error().message);
}

}  // namespace
}  // namespace registry_backend::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace registry_backend;
  testing::FuzzedInput input(data, size);
  const Result<Host> registry = Host::Parse(input.Line());
  if (!registry) return 0;
  const std::string repository(input.Line());
  testing::CheckConfig(input.Rest(), {*registry, repository});
  return 0;
}
