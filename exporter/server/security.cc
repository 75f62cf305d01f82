#include "exporter/server/security.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace registry_backend::server {
namespace {

constexpr auto kTryAgainAfter = std::chrono::seconds(2);
constexpr auto kLookPatience = std::chrono::milliseconds(100);

// Empty where there is no such file.
std::string SignatureOfFile(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return "";
  std::string text;
  for (const std::int64_t part :
       {static_cast<std::int64_t>(status.st_ino), static_cast<std::int64_t>(status.st_size),
        static_cast<std::int64_t>(status.st_mtim.tv_sec),
        static_cast<std::int64_t>(status.st_mtim.tv_nsec),
        static_cast<std::int64_t>(status.st_ctim.tv_sec),
        static_cast<std::int64_t>(status.st_ctim.tv_nsec)}) {
    text += std::to_string(part) + " ";
  }
  return text;
}

// What the new options no longer ask of clients, of what the old ones do.
std::string Missing(const SecurityOptions& old, const SecurityOptions& now) {
  std::string names;
  for (const std::string& demand : old.demands) {
    if (!now.demands.contains(demand)) names += (names.empty() ? "" : ", ") + demand;
  }
  return names;
}

Response Unauthorized() {
  Response response = Response::Text(401, "401 unauthorized");
  response.fields.emplace_back("WWW-Authenticate", R"(Basic realm="exporter", charset="UTF-8")");
  return response;
}

}  // namespace

Security::Security(std::string path, Load load, Logger logger)
    : path_(std::move(path)), load_(std::move(load)), logger_(std::move(logger)) {}

Result<Security::State> Security::Build(const SecurityOptions& options) {
  State state{options, nullptr};
  if (options.tls) {
    Result<std::shared_ptr<const TlsContext>> tls = TlsContext::Make(*options.tls);
    if (!tls) return tls.error();
    state.tls = *std::move(tls);
  }
  return state;
}

Result<std::unique_ptr<Security>> Security::Open(std::string path, Load load, Logger logger) {
  std::unique_ptr<Security> security(
      new Security(std::move(path), std::move(load), std::move(logger)));
  // Each signature is taken before its file is read, so that a change meanwhile is read again.
  Signature before = security->SignatureOf({});
  Result<SecurityOptions> options = security->load_();
  if (!options) return options.error();
  security->seen_ = security->SignatureOf(*options);
  security->seen_.insert_or_assign(security->path_, std::move(before[security->path_]));
  Result<State> state = Build(*options);
  if (!state) return state.error();
  if (options->tls && options->tls->client_ca.empty() &&
      (options->tls->client_auth == ClientAuth::kVerifyIfGiven ||
       options->tls->client_auth == ClientAuth::kRequireAndVerify)) {
    security->logger_.Warn("Without client_ca_file no certificate of a client is good",
                           {{"file", security->path_}});
  }
  security->named_ = *std::move(options);
  security->state_ = std::make_shared<const State>(*std::move(state));
  return security;
}

Security::Signature Security::SignatureOf(const SecurityOptions& options) const {
  Signature signature{{path_, SignatureOfFile(path_)}};
  if (!options.tls) return signature;
  for (const PemSource* source :
       {&options.tls->certificate, &options.tls->key, &options.tls->client_ca}) {
    if (!source->file.empty()) signature[source->file] = SignatureOfFile(source->file);
  }
  return signature;
}

std::shared_ptr<const Security::State> Security::Current() {
  std::unique_lock lock(mutex_);
  if (!looked_.wait_for(lock, kLookPatience, [this] { return !is_looking_; })) return state_;
  is_looking_ = true;
  lock.unlock();
  const auto end = [this, &lock] {
    lock.lock();
    is_looking_ = false;
    looked_.notify_one();
  };
  try {
    Look();
  } catch (...) {
    end();
    throw;
  }
  end();
  return state_;
}

void Security::Look() {
  const Signature now = SignatureOf(named_);
  if (now != seen_ || (!last_fault_.empty() && Clock::now() >= try_again_)) Reread(now);
}

void Security::Reread(const Signature& now) {
  Result<SecurityOptions> options = load_();
  if (options) named_ = *options;
  seen_ = SignatureOf(named_);
  for (auto& [file, signature] : seen_) {  // as they were before they were read
    const auto before = now.find(file);
    if (before != now.end()) signature = before->second;
  }
  Result<State> state = options ? Build(*options) : options.error();
  std::unique_lock lock(mutex_);
  const std::shared_ptr<const State> old = state_;
  lock.unlock();
  const std::string fault = FaultOf(path_, *old, state);
  if (fault.empty()) {
    auto better = std::make_shared<const State>(*std::move(state));
    lock.lock();
    state_ = std::move(better);
    lock.unlock();
    logger_.Info("Web configuration reread", {{"file", path_}});
  } else if (fault != last_fault_) {
    logger_.Error("Web configuration is not usable; the old one is kept", {{"err", fault}});
  }
  last_fault_ = fault;
  try_again_ = Clock::now() + kTryAgainAfter;
}

std::string Security::FaultOf(const std::string& path, const State& old,
                              const Result<State>& state) {
  if (!state) return state.error().message;
  if ((old.tls == nullptr) != (state->tls == nullptr)) {
    return path + ": TLS is turned on and off by a restart only";
  }
  const std::string missing = Missing(old.options, state->options);
  if (missing.empty()) return "";
  return path + ": " + missing + " is gone; without a restart it can be changed, not left out";
}

std::optional<Response> Security::Refuse(const State& state, const Request& request, Time until,
                                         const PasswordChecker::Stand& stand) {
  {
    const std::lock_guard lock(mutex_);
    if (!limiter_.Allow(state.options.rate_limit, Clock::now())) {
      return Response::Text(429, "429 too many requests");
    }
  }
  if (state.options.users.empty()) return std::nullopt;
  const std::optional<UserAndPassword> given = ReadBasicAuth(request.Field("authorization"));
  if (!given) return Unauthorized();
  switch (passwords_.Check(state.options.users, *given, until, stand)) {
    case PasswordChecker::Verdict::kGood:
      return std::nullopt;
    case PasswordChecker::Verdict::kBad:
      return Unauthorized();
    case PasswordChecker::Verdict::kBusy:
      break;
  }
  Response busy = Response::Text(503, "503 too many passwords to check");
  busy.fields.emplace_back("Retry-After", "1");
  return busy;
}

}  // namespace registry_backend::server
