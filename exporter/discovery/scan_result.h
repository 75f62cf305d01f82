#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "exporter/common/error.h"
#include "exporter/common/time.h"
#include "exporter/discovery/text_arena.h"
#include "exporter/url/host.h"

// What one scan found: values only.
namespace registry_backend {

// What a pull needs a host for.
enum class Serves {
  kApi,        // the registry itself
  kTokens,     // a token realm
  kManifests,  // the target of a manifest's redirect
  kBlobs,      // the target of a blob's redirect, or the registry where it serves blobs itself
};
inline constexpr Serves kAllServes[] = {Serves::kApi, Serves::kTokens, Serves::kManifests,
                                        Serves::kBlobs};
std::string_view ServesName(Serves serves);

// A host that a pull needs, and what for.
struct EndpointKey {
  Serves serves;
  Host backend_host;

  auto operator<=>(const EndpointKey&) const = default;
};

// What is known of an endpoint beyond its name. Empty: unknown, or not the same for all it served.
struct EndpointInfo {
  std::string provider;
  std::string bucket;
  std::string storage_region;
  std::string delivery;  // `redirect` or `direct`
  std::string scheme;    // `https` or `http`

  bool operator==(const EndpointInfo&) const = default;
};

// Empties the fields of `info` in which `other` differs.
void KeepCommon(EndpointInfo& info, const EndpointInfo& other);

struct SeenEndpoint {
  EndpointInfo info;
  std::uint64_t blobs = 0;  // unique ones it served
};

enum class ScanOutcome { kComplete, kPartial, kFailed };
inline constexpr ScanOutcome kAllScanOutcomes[] = {ScanOutcome::kComplete, ScanOutcome::kPartial,
                                                   ScanOutcome::kFailed};
std::string_view OutcomeName(ScanOutcome outcome);

// Something that got no answer, or that cannot be pulled.
struct ScanError {
  enum class Scope { kTarget, kTag, kManifest, kBlob };
  Scope scope;
  std::string tag;     // with kTag
  std::string digest;  // with kManifest and kBlob
  Error error;
};
std::string_view ScopeName(ScanError::Scope scope);

// Names and digests in what follows are views of ScanResult::texts.

struct ScannedTag {
  std::string_view name;
  std::string_view digest;  // of its manifest; empty: unresolved
};

struct ScannedPlatform {
  std::string_view platform;
  std::string_view digest;
};

struct ScannedManifest {
  std::string_view media_type;
  std::size_t size = 0;  // bytes as served
  bool is_index = false;
  bool is_artifact = false;
  std::vector<ScannedPlatform> manifests;  // of an index, in its order
  std::string_view config;                 // digest; of an image manifest
  std::vector<std::string_view> layers;    // digests, in order
};

// An image below a tag.
struct ScannedImage {
  std::string_view digest;
  std::string_view platform;  // `unknown` where no index names one
  const ScannedManifest* manifest;

  // Something else that is kept like an image: buildx's attestations, signatures, charts.
  [[nodiscard]] bool is_artifact() const;
  [[nodiscard]] bool names_platform() const;
};

// The hosts that a pull of a blob needs besides the registry that it starts at: other registries
// on the way, then the one that serves the bytes, which may be that registry itself. Of a foreign
// layer all that may serve them.
using Route = std::vector<Host>;

struct ScanCounts {
  std::uint64_t tags = 0;
  std::uint64_t manifests = 0;
  std::uint64_t blobs = 0;

  [[nodiscard]] std::uint64_t total() const { return tags + manifests + blobs; }
  ScanCounts& operator+=(const ScanCounts& more);
  bool operator==(const ScanCounts&) const = default;
};

// The errors of one kind.
struct ErrorsOfKind {
  std::uint64_t count = 0;
  Error first;
};

struct ScanResult {
  // Of errors, and of what is unpullable, more than this are counted only; of what is unresolved
  // more than this are not named.
  static constexpr std::size_t kMaxErrors = 1000;

  ScanOutcome outcome = ScanOutcome::kFailed;
  WallTime started;
  WallTime finished;
  Duration took{};

  ScanCounts asked;       // unique tags, manifests and blobs
  ScanCounts unresolved;  // those of them that got no answer
  // Those of them that there is nothing to pull of: the registry does not have them, or serves a
  // manifest that nobody can use, and says so when it is asked again at the scan's end.
  ScanCounts unpullable;
  std::vector<ScanError> unpullable_things;
  std::vector<std::string> unresolved_references;  // see ScanHints
  std::vector<ScanError> errors;
  std::map<ErrorKind, ErrorsOfKind> reasons;  // of all errors

  std::shared_ptr<const TextArena> texts;  // null where all views are of literals
  std::vector<ScannedTag> tags;            // newest first
  std::unordered_map<std::string_view, ScannedManifest> manifests;  // by digest; resolved ones
  std::vector<Route> routes;                                        // none twice, none empty
  std::unordered_map<std::string_view, std::uint32_t> blobs;  // by digest; resolved ones' places in
                                                              // routes
  std::map<EndpointKey, SeenEndpoint> endpoints;
  // Hosts of blobs that served nothing the scan asked for, but are still named for a digest they
  // served before, or of which that could not be found out: not gone, only not selected.
  std::set<Host> witnessed;

  // Resolved ÷ asked for, over tags, manifests and blobs, where what is unpullable counts as
  // resolved; 0 where nothing could be asked for.
  [[nodiscard]] double coverage() const;
  // What serves the blob's bytes, of a foreign layer the last one named; null if unresolved.
  [[nodiscard]] const Host* HostOfBlob(std::string_view digest) const;
  // The images at and below a manifest, each once, in the order of the indexes. Tags share
  // manifests, and a registry can make many tags of one large one: each manifest and each layer
  // that is named takes one from `budget`. Where that does not suffice there is no list, and
  // `budget` is 0.
  [[nodiscard]] std::optional<std::vector<ScannedImage>> ImagesBelow(std::string_view digest,
                                                                     std::size_t& budget) const;
  // Adds to errors and reasons.
  void AddError(ScanError error);
  // Adds to unpullable and unpullable_things; not with scope kTarget.
  void AddUnpullable(ScanError thing);
  // The error that says best why the scan was not complete: one of the target's, else the first of
  // the most frequent kind. Null if there was none.
  [[nodiscard]] const Error* main_error() const;
};

// Of a scan that failed at `now` before anything was asked.
ScanResult ScanThatCouldNotBegin(const Error& why, WallTime now);

}  // namespace registry_backend
