#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/common/error.h"
#include "exporter/common/time.h"

namespace registry_backend {

// What is wrong with a configuration, thrown while it is read and caught where reading began.
struct ConfigFault {
  Error error;  // message: `FILE:LINE:COLUMN: KEY: what is wrong`
};

// Where in which file a value stands.
struct YamlPlace {
  std::string file;
  std::string key;  // `targets[0].basic_auth`; empty: the document
};

Error FaultAt(const YamlPlace& place, const YAML::Mark& mark, std::string_view what);

// Reads one mapping. Each getter leaves `value` as it is where the key is missing or empty; a wrong
// type throws. When all keys that may be there have been asked for, Finish throws for any other.
class YamlMapping {
 public:
  // A missing or empty node is an empty mapping.
  YamlMapping(const YAML::Node& node, YamlPlace place);

  void Get(const std::string& key, std::string& value);
  void Get(const std::string& key, bool& value);
  void Get(const std::string& key, std::vector<std::string>& value);
  void Get(const std::string& key, Duration& value);
  void Get(const std::string& key, std::size_t& value, std::size_t least);
  void GetRate(const std::string& key, double& value);
  // A path; a relative one is taken from the file's folder.
  void GetPath(const std::string& key, std::string& value);
  // Reads the mapping below `key` if there is one, and finishes it.
  void GetMapping(const std::string& key, const std::function<void(YamlMapping&)>& read);
  // Reads each mapping of the sequence below `key`, and finishes it.
  void GetSequence(const std::string& key, const std::function<void(YamlMapping&)>& read);

  [[nodiscard]] bool Has(const std::string& key) const;
  // All keys, in the file's order, where they are not known beforehand.
  [[nodiscard]] std::vector<std::string> Keys() const;
  void Finish() const;

  // `FILE:LINE:COLUMN: KEY: `, for what is said of `key`.
  [[nodiscard]] std::string Where(const std::string& key) const;
  // Throws a fault at `key`'s value, or at the mapping where the key is missing.
  [[noreturn]] void Fail(const std::string& key, std::string_view what) const;

 private:
  // The scalar's text, or null where the key is missing or empty.
  const std::string* Scalar(const std::string& key);
  [[nodiscard]] YamlPlace PlaceOf(const std::string& key) const;
  [[nodiscard]] bool MayHoldSecrets() const;

  YAML::Node node_;
  YamlPlace place_;
  std::set<std::string> known_;
  std::string scalar_;
};

}  // namespace registry_backend
