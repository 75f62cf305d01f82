#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

struct SwiftOptions {
  // The region that signatures must be for.
  std::string region = "us-east-1";
  // Buckets may be named in front of it, as in S3's virtual-host style. Empty: in paths only.
  std::string storage_domain = {};
};

// The packaged OpenStack Swift with its S3 API and temporary URLs, as two processes (Swift and
// memcached) with ports that the kernel chose on 127.0.0.1 and files in a directory of its own. Has
// a bucket, and answers, when the constructor returns; stopped by the destructor. The directory's
// file system needs extended attributes of users (ext4, xfs, btrfs; tmpfs since Linux 6.6). Throws
// std::runtime_error with the servers' output. Thread-compatible.
class SwiftServer {
 public:
  explicit SwiftServer(SwiftOptions options = {});

  [[nodiscard]] std::string host() const { return host_; }
  [[nodiscard]] std::string url() const { return "http://" + host_; }

  // For DockerRegistryOptions::storage. Swift as an S3 that is named by its address,
  [[nodiscard]] std::string S3Storage() const;
  // as the S3 of Amazon's own names (to be reached by a proxy that asks Swift),
  [[nodiscard]] std::string AmazonS3Storage() const;
  // and as itself, with temporary URLs.
  [[nodiscard]] std::string SwiftStorage() const;

  // A line for each answer so far: `127.0.0.1:8080 GET /regbucket/key 200 user-agent/1.0`.
  [[nodiscard]] std::vector<std::string> Requests() const;

 private:
  void StartMemcached();
  void StartSwift();
  void MakeBucket() const;

  const SwiftOptions options_;
  const TempDir directory_{"swift-server"};
  std::unique_ptr<Subprocess> memcached_;
  std::string memcached_host_;
  std::unique_ptr<Subprocess> swift_;
  std::string host_;
};

// What signs: the S3 access key, its secret, the key of temporary URLs; and the bucket.
inline constexpr char kStorageUser[] = "test:tester";
inline constexpr char kStorageSecret[] = "s3cret-Kx72-of-the-storage";
inline constexpr char kTemporaryUrlKey[] = "s3cret-Jm35-of-the-urls";
inline constexpr char kBucket[] = "regbucket";

}  // namespace registry_backend::testing
