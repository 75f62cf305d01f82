#include "tests/integration/swift_server.h"

#include <unistd.h>

#include <sstream>
#include <stdexcept>
#include <utility>

#include "tests/integration/server_process.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {

SwiftServer::SwiftServer(SwiftOptions options) : options_(std::move(options)) {
  StartMemcached();
  StartSwift();
  MakeBucket();
}

void SwiftServer::StartMemcached() {
  const auto port_file = directory_ / "memcached.port";
  SubprocessOptions process = HermeticOptions();
  process.env["MEMCACHED_PORT_FILENAME"] = port_file.string();
  // Port -1: the kernel's choice, told in that file.
  std::vector<std::string> argv = {"memcached", "-l", "127.0.0.1", "-p", "-1", "-U",
                                   "0",         "-t", "1",         "-m", "8"};
  // It refuses to be root unless told so. As somebody else it would not end with the test.
  if (::geteuid() == 0) argv.insert(argv.end(), {"-u", "root"});
  memcached_ = StartServer(
      argv, [&](Subprocess&) { return std::filesystem::exists(port_file); }, process);
  const std::string port = ReadFile(port_file);  // "TCP INET: 40123\n"
  const std::size_t begin = port.find_last_of(' ') + 1;
  memcached_host_ = "127.0.0.1:" + port.substr(begin, port.find('\n', begin) - begin);
}

void SwiftServer::StartSwift() {
  // Debian's own Python: another one on the PATH would not know of Swift.
  swift_ = StartServer(
      {"/usr/bin/python3", SWIFT_SERVER_SCRIPT, directory_.path().string(), memcached_host_,
       kStorageUser, kStorageSecret, options_.region, options_.storage_domain},
      [](Subprocess& process) { return process.Stdout().find('\n') != std::string::npos; });
  const std::string output = swift_->Stdout();
  host_ = "127.0.0.1:" + output.substr(0, output.find('\n'));
}

void SwiftServer::MakeBucket() const {
  const HttpAnswer login =
      HttpGet(url() + "/auth/v1.0",
              {.headers = {{"X-Auth-User", kStorageUser}, {"X-Auth-Key", kStorageSecret}}});
  const std::string token = login.Header("X-Auth-Token");
  const HttpAnswer made = HttpPut(url() + "/v1/AUTH_test/" + kBucket, "", "text/plain",
                                  {.headers = {{"X-Auth-Token", token}}});
  if (made.status != 201) {
    throw std::runtime_error("no bucket: " + made.error + made.body + swift_->Stderr());
  }
}

std::string SwiftServer::S3Storage() const {
  const std::string storage = AmazonS3Storage();
  return storage.substr(0, storage.size() - 1) + ", regionendpoint: \"" + url() + "\"}";
}

std::string SwiftServer::AmazonS3Storage() const {
  return "s3: {accesskey: \"" + std::string(kStorageUser) + "\", secretkey: " + kStorageSecret +
         ", region: " + options_.region + ", bucket: " + kBucket + ", secure: false, v4auth: true}";
}

std::string SwiftServer::SwiftStorage() const {
  return "swift: {authurl: \"" + url() + "/auth/v1.0\", username: \"" + kStorageUser +
         "\", password: " + kStorageSecret +
         ", container: regcontainer, secretkey: " + kTemporaryUrlKey +
         // What it would ask /info for. Where a loaded machine lets that one request fail, it goes
         // on with these, and without them it redirects to nothing for as long as it runs.
         ", tempurlcontainerkey: true, tempurlmethods: [GET, HEAD]}";
}

std::vector<std::string> SwiftServer::Requests() const {
  std::istringstream lines(swift_->Stdout());
  std::vector<std::string> requests;
  std::string line;
  std::getline(lines, line);  // the port
  while (std::getline(lines, line)) requests.push_back(line);
  return requests;
}

}  // namespace registry_backend::testing
