#include "exporter/commands/running_exporter.h"

#include <utility>

#include "exporter/registry/credentials.h"

namespace registry_backend {
namespace {

Result<Url> ParseUrl(const std::string& text) {
  Result<Url> url = Url::Parse(text);
  if (!url) return Error{ErrorKind::kInternal, "--url: " + url.error().message};
  if (url->has_userinfo() || !url->query().empty()) {
    return Error{ErrorKind::kInternal,
                 "--url: " + url->shown() + ": expected a URL without a user name and a query"};
  }
  return url;
}

}  // namespace

Result<RunningExporter> RunningExporter::Make(const ExporterAccess& access) {
  Result<Url> url = ParseUrl(access.url);
  if (!url) return url.error();
  RunningExporter exporter;
  exporter.base_ = url->origin().text() + url->path();
  while (exporter.base_.ends_with('/')) exporter.base_.pop_back();
  exporter.connection_ = std::make_shared<const ConnectionOptions>(access.connection);
  if (access.username.empty()) return exporter;
  Result<Credentials> credentials = ReadCredentials({.kind = CredentialsSource::Kind::kBasic,
                                                     .username = access.username,
                                                     .password_file = access.password_file},
                                                    {url->host(), ""});
  if (!credentials) return credentials.error();
  exporter.authorization_ = BasicAuthorization(*credentials);
  return exporter;
}

Request RunningExporter::MakeRequest(Method method, std::string_view path) const {
  Request request{.url = *Url::Parse(Shown(path)), .method = method, .connection = connection_};
  if (!authorization_.empty()) request.headers.Add("authorization", authorization_);
  return request;
}

}  // namespace registry_backend
