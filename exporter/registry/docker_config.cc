#include "exporter/registry/docker_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "exporter/registry/base64.h"
#include "exporter/registry/json.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kDockerHub = "docker.io";
// By this name docker stores and asks for what belongs to Docker Hub.
constexpr std::string_view kDockerHubAddress = "https://index.docker.io/v1/";

Error Malformed(std::string_view what) { return {ErrorKind::kCredentials, std::string(what)}; }

// --- Members of JSON objects. As in docker, null is the same as nothing.

// The object `name`, or null where there is none.
Result<const Json*> ObjectMember(const Json& parent, const char* name) {
  const auto member = parent.find(name);
  if (member == parent.end() || member->is_null()) return nullptr;
  if (!member->is_object()) return Malformed(std::string(name) + " is no object");
  return &*member;
}

// The text `name`, empty where there is none. `where` begins the message.
Result<std::string> OptionalText(const Json& parent, const char* name, const std::string& where) {
  const auto member = parent.find(name);
  if (member == parent.end() || member->is_null()) return std::string();
  if (!member->is_string()) return Malformed(where + name + " is no text");
  return member->get<std::string>();
}

// --- Which key fits.

std::string CanonicalHost(const std::string& host) {
  if (host == "index.docker.io" || host == "registry-1.docker.io") return std::string(kDockerHub);
  return host;
}

std::string ServerAddress(const Host& registry) {
  const bool docker_hub = CanonicalHost(registry.text()) == kDockerHub;
  return docker_hub ? std::string(kDockerHubAddress) : registry.text();
}

// A key taken apart.
struct Key {
  std::string host;  // lower case; with its port where the scheme has another, which is https
  std::string path;  // of a repository, or its leading components; empty: any

  [[nodiscard]] bool is_pattern() const { return host.find('*') != std::string::npos; }
};

bool RemovePrefixIgnoringCase(std::string_view& text, std::string_view prefix) {
  if (!EqualIgnoringCase(text.substr(0, prefix.size()), prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// `path` without the registry API's own first component, which is no part of a repository's name.
std::string_view WithoutApi(std::string_view path, bool of_url) {
  const std::string_view first = path.substr(0, path.find('/'));
  if (first != "v1" && first != "v2") return path;
  if (first.size() == path.size()) return {};
  return of_url ? path.substr(first.size() + 1) : path;  // `host/v2/app` is a repository's
}

Key TakeApart(std::string_view text) {
  const bool http = RemovePrefixIgnoringCase(text, "http://");
  const bool https = !http && RemovePrefixIgnoringCase(text, "https://");
  const std::size_t slash = std::min(text.find('/'), text.size());
  std::string_view path = text.substr(slash);
  if (!path.empty()) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  std::string host = LowerAscii(text.substr(0, slash));
  const std::string_view default_port = http ? ":80" : ":443";
  if (host.ends_with(default_port)) host.erase(host.size() - default_port.size());
  return {std::move(host), std::string(WithoutApi(path, http || https))};
}

// Whether `label` is `pattern` with any characters, or none, for each `*`.
bool LabelFits(std::string_view pattern, std::string_view label) {
  const std::vector<std::string_view> pieces = Split(pattern, '*');
  if (pieces.size() == 1) return pattern == label;
  const std::string_view first = pieces.front();
  const std::string_view last = pieces.back();
  if (label.size() < first.size() + last.size() || !label.starts_with(first) ||
      !label.ends_with(last)) {
    return false;
  }
  label = label.substr(first.size(), label.size() - first.size() - last.size());
  for (std::size_t i = 1; i + 1 < pieces.size(); ++i) {
    const std::size_t found = label.find(pieces[i]);
    if (found == std::string_view::npos) return false;
    label.remove_prefix(found + pieces[i].size());
  }
  return true;
}

// Splits `:port` off, which no `*` may stand for.
std::string_view TakePort(std::string_view& host) {
  const std::size_t colon = std::min(host.rfind(':'), host.size());
  const std::string_view port = host.substr(colon);
  host = host.substr(0, colon);
  return port;
}

bool PatternFits(std::string_view pattern, const Host& registry) {
  const std::string_view port = TakePort(pattern);
  if (port != std::string_view(registry.text()).substr(registry.name().size())) return false;
  return std::ranges::equal(Split(pattern, '.'), Split(registry.name(), '.'), LabelFits);
}

bool HostFits(const Key& key, const Host& registry) {
  if (key.is_pattern()) return PatternFits(key.host, registry);
  const Result<Host> host = Host::Parse(key.host);
  return host && CanonicalHost(host->text()) == CanonicalHost(registry.text());
}

// Whether `path` is all of `repository` or whole leading components of it.
bool PathFits(std::string_view path, std::string_view repository) {
  return path.empty() || path == repository ||
         (repository.starts_with(path) && repository[path.size()] == '/');
}

// An entry whose key fits.
struct Match {
  std::string key;
  const Json* entry;
  bool has_path;
  // The greater, the better: length of the path, no pattern, letters of a pattern, docker's own
  // spelling of several for the same host.
  std::tuple<std::size_t, bool, std::size_t, bool> rank;
};

// The entries of `object` that fit, the best first.
std::vector<Match> Matches(const Json& object, const CredentialsSubject& subject) {
  std::vector<Match> matches;
  const std::string address = ServerAddress(subject.registry);
  for (const auto& [text, entry] : object.items()) {
    const Key key = TakeApart(text);
    if (!HostFits(key, subject.registry) || !PathFits(key.path, subject.repository)) continue;
    const auto stars = static_cast<std::size_t>(std::ranges::count(key.host, '*'));
    const std::size_t letters = stars == 0 ? 0 : key.host.size() - stars;
    matches.push_back(
        {text, &entry, !key.path.empty(), {key.path.size(), stars == 0, letters, text == address}});
  }
  std::ranges::stable_sort(matches, std::ranges::greater(), &Match::rank);
  return matches;
}

// --- What an entry holds.

// Reads `auth`: base64 of user, `:` and password, which may have further `:`.
Status ReadAuth(std::string_view auth, const std::string& where, Credentials& credentials) {
  const std::optional<std::string> decoded = DecodeBase64(auth);
  if (!decoded) return Malformed(where + "auth is not base64");
  const std::size_t colon = decoded->find(':');
  if (colon == std::string::npos) return Malformed(where + "auth has no ':' after the user name");
  credentials.username = decoded->substr(0, colon);
  credentials.password = decoded->substr(colon + 1);
  // Old versions of docker wrote a buffer's unused end too.
  credentials.password.erase(credentials.password.find_last_not_of('\0') + 1);
  return Ok();
}

Result<Credentials> ReadEntry(const Match& match) {
  Credentials credentials;
  const std::string where = "auths entry '" + Printable(match.key) + "': ";
  if (match.entry->is_null()) return credentials;
  if (!match.entry->is_object()) return Malformed(where + "it is no object");
  std::string auth;
  const std::pair<const char*, std::string*> members[] = {
      {"auth", &auth},
      {"username", &credentials.username},
      {"password", &credentials.password},
      {"identitytoken", &credentials.identity_token},
      {"registrytoken", &credentials.registry_token}};
  for (const auto& [name, value] : members) {
    Result<std::string> text = OptionalText(*match.entry, name, where);
    if (!text) return text.error();
    *value = *std::move(text);
  }
  if (auth.empty()) return credentials;
  if (Status read = ReadAuth(auth, where, credentials); !read) return read.error();
  return credentials;
}

// --- The three places.

// The name of the registry's own helper; nothing where there is no entry for it, empty where there
// is one that says that there is no helper.
Result<std::optional<std::string>> FindHelper(const Json& config,
                                              const CredentialsSubject& subject) {
  const Result<const Json*> helpers = ObjectMember(config, "credHelpers");
  if (!helpers) return helpers.error();
  if (*helpers == nullptr) return std::optional<std::string>();
  for (const Match& match : Matches(**helpers, subject)) {
    if (match.has_path || match.entry->is_null()) continue;  // helpers know registries only
    if (!match.entry->is_string()) {
      return Malformed("credHelpers entry '" + Printable(match.key) + "': it is no text");
    }
    return std::optional(match.entry->get<std::string>());
  }
  return std::optional<std::string>();
}

// The best entry that holds something; `docker login` leaves empty ones where a helper has it all.
Result<Credentials> FindEntry(const Json& auths, const CredentialsSubject& subject) {
  for (const Match& match : Matches(auths, subject)) {
    Result<Credentials> credentials = ReadEntry(match);
    if (!credentials || !credentials->anonymous()) return credentials;
  }
  return Credentials{};
}

// The object of entries, or null.
Result<const Json*> FindAuths(const Json& config) {
  const bool bare = !config.contains("auths") && !config.contains("credHelpers") &&
                    !config.contains("credsStore");
  if (bare) return &config;
  return ObjectMember(config, "auths");
}

}  // namespace

Result<DockerConfigAnswer> FindInDockerConfig(std::string_view text,
                                              const CredentialsSubject& subject) {
  const Json config = ParseJson(text);
  if (!config.is_object()) return Malformed("it is no JSON object");
  const auto ask = [&subject](std::string helper) {
    return DockerConfigAnswer(HelperQuestion{std::move(helper), ServerAddress(subject.registry)});
  };

  Result<std::optional<std::string>> own_helper = FindHelper(config, subject);
  if (!own_helper) return own_helper.error();
  if (*own_helper && !(*own_helper)->empty()) return ask(**std::move(own_helper));

  const Result<const Json*> auths = FindAuths(config);
  if (!auths) return auths.error();
  Result<Credentials> entry = *auths == nullptr ? Credentials{} : FindEntry(**auths, subject);
  if (!entry) return entry.error();
  if (!entry->anonymous() || *own_helper) return DockerConfigAnswer(*std::move(entry));

  Result<std::string> store = OptionalText(config, "credsStore", "");
  if (!store) return store.error();
  return store->empty() ? DockerConfigAnswer(Credentials{}) : ask(*std::move(store));
}

}  // namespace registry_backend
