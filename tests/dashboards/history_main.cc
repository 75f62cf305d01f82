// Prints the scripted week as OpenMetrics text, to be backfilled into a Prometheus:
//
//   dashboard_history [FILE [END]]
//
// END, in seconds since the Unix epoch, is the week's; by default it is now.
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tests/dashboards/history.h"

int main(int argc, char** argv) {
  using registry_backend::WallClock;
  using registry_backend::WallTime;
  const WallTime end =
      argc > 2 ? WallTime(std::chrono::seconds(std::atoll(argv[2]))) : WallClock::now();
  if (argc < 2) {
    registry_backend::testing::WriteHistory(end, std::cout);
    return std::cout.flush() ? 0 : 1;
  }
  std::ofstream file(argv[1]);
  registry_backend::testing::WriteHistory(end, file);
  return file.flush() ? 0 : 1;
}
