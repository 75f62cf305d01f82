#include "exporter/commands/build.h"

namespace registry_backend {

BuildInfo ThisBuild() {
#if defined(__clang__)
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "g++ " __VERSION__;
#endif
  return {REGISTRY_BACKEND_VERSION, REGISTRY_BACKEND_REVISION, compiler};
}

}  // namespace registry_backend
