#include <algorithm>
#include <utility>

#include "exporter/discovery/classify.h"
#include "exporter/discovery/scan_plan.h"

// The hosts that a ScanPlan meets, and the ways to blobs through them.
namespace registry_backend {
namespace {

constexpr std::size_t kMaxHosts = 1'000;
// Blobs may come by many hosts, and each by the same ones in another order.
constexpr std::size_t kMaxRoutes = 4 * kMaxHosts;

constexpr std::string_view kRedirect = "redirect";
constexpr std::string_view kDirect = "direct";

}  // namespace

void ScanPlan::Observe(Serves serves, const Host& host, std::string_view delivery) {
  EndpointKey key{serves, host};
  if (result_.endpoints.contains(key)) return;
  EndpointInfo info = ClassifyHost(host);
  info.delivery = delivery;
  if (AddEndpoint(key, std::move(info)) == nullptr) FailOverflow("hosts");
}

// Null where it is one host too many.
SeenEndpoint* ScanPlan::AddEndpoint(const EndpointKey& key, EndpointInfo info) {
  const auto known = result_.endpoints.find(key);
  if (known != result_.endpoints.end()) {
    KeepCommon(known->second.info, info);
    return &known->second;
  }
  if (result_.endpoints.size() >= kMaxHosts) return nullptr;
  return &result_.endpoints.emplace(key, SeenEndpoint{std::move(info)}).first->second;
}

ScanPlan::Site ScanPlan::SiteAt(const Url& url) {
  Site site{url.host(), Classify(url)};
  site.info.scheme = url.origin().scheme;
  return site;
}

std::vector<ScanPlan::Site> ScanPlan::SitesOf(const BlobSource& source) {
  std::vector<Site> sites;
  for (const Host& other : source.others) sites.push_back({other, ClassifyHost(other)});
  if (sites.empty() || sites.back().host != source.url.host()) {
    sites.push_back(SiteAt(source.url));
  }
  for (Site& site : sites) site.info.delivery = kRedirect;
  if (!source.redirected) sites.back().info.delivery = kDirect;
  return sites;
}

// Notes that a pull of the blob goes through `sites`; false, and the blob fails, where that is one
// host or one way too many. `digest` is one that is kept.
bool ScanPlan::CountBlob(std::string_view digest, const std::vector<Site>& sites) {
  const auto fail = [&](const std::string& why) {
    OnFailure({Operation::Kind::kBlob, std::string(digest)}, {ErrorKind::kProtocol, why});
    return false;
  };
  const auto is_new = [this](const Site& site) {
    return !result_.endpoints.contains({Serves::kBlobs, site.host});
  };
  const auto more = static_cast<std::size_t>(std::ranges::count_if(sites, is_new));
  if (more > 0 && result_.endpoints.size() + more > kMaxHosts) {
    return fail("its blobs are at more than " + std::to_string(kMaxHosts) + " hosts");
  }
  Route route;
  for (const Site& site : sites) {
    AddEndpoint({Serves::kBlobs, site.host}, site.info);
    const auto passed = std::ranges::find(route, site.host);
    if (passed == route.end()) {
      route.push_back(site.host);
    } else {
      std::rotate(passed, passed + 1, route.end());  // what serves the bytes is the last
    }
  }
  const std::optional<std::uint32_t> place = PlaceOf(route);
  if (!place) {
    return fail("its blobs are reached in more than " + std::to_string(kMaxRoutes) + " ways");
  }
  for (const Host& host : route) ++result_.endpoints.at({Serves::kBlobs, host}).blobs;
  result_.blobs.emplace(digest, *place);
  return true;
}

// Its place in the result; empty where it is one too many.
std::optional<std::uint32_t> ScanPlan::PlaceOf(const Route& route) {
  if (const auto known = routes_.find(route); known != routes_.end()) return known->second;
  if (routes_.size() >= kMaxRoutes) return std::nullopt;
  const auto place = static_cast<std::uint32_t>(routes_.size());
  routes_.emplace(route, place);
  result_.routes.push_back(route);
  return place;
}

}  // namespace registry_backend
