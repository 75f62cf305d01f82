#include <chrono>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "exporter/common/log.h"
#include "exporter/inventory/state_codec.h"
#include "exporter/monitor/target_store.h"
#include "exporter/storage/storage.h"
#include "tests/bench/measure.h"
#include "tests/bench/stored_inventory.h"
#include "tests/support/temp_dir.h"

// What saving and loading take where 1,000 targets know 500 endpoints each, and what of it the
// disk takes.
namespace registry_backend {
namespace {

using Clock = std::chrono::steady_clock;
using testing::Spread;
using testing::TempDir;

constexpr int kTargets = 1'000;
constexpr int kEndpoints = 500;

double SecondsOf(const std::function<void()>& work) {
  const Clock::time_point start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string Folder(int target) { return "target" + std::to_string(target); }

void Check(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

TargetStore StoreOf(const Storage& storage, int target) {
  return {storage,
          {.registry = Url::Parse("http://127.0.0.1:1").value(),
           .repository = "a/b" + std::to_string(target)},
          Logger()};
}

struct Figures {
  std::vector<double> encode;
  std::vector<double> write;
  std::vector<double> save;
  std::vector<double> load;
  std::vector<double> decode;
};

void RunOnce(const TargetState& state, Figures& figures) {
  const TempDir dir("inventory-bench");
  const Result<Storage> storage = Storage::Open(dir / "data");
  if (!storage) throw std::runtime_error(storage.error().message);
  const std::string bytes = EncodeState(state);
  figures.encode.push_back(SecondsOf([&] {
    for (int i = 0; i < kTargets; ++i) (void)EncodeState(state);
  }));
  figures.write.push_back(SecondsOf([&] {
    for (int i = 0; i < kTargets; ++i) Check(storage->Write(Folder(i) + "/state.json", bytes));
  }));
  figures.save.push_back(SecondsOf([&] {
    TargetState saved = state;
    for (int i = 0; i < kTargets; ++i) {
      const ReportSubject subject{.registry = Url::Parse("http://127.0.0.1:1").value(),
                                  .repository = "a/b" + std::to_string(i)};
      Check(StoreOf(*storage, i).Save(subject, ScanResult(), saved));
    }
  }));
  figures.load.push_back(SecondsOf([&] {
    for (int i = 0; i < kTargets; ++i) {
      if (StoreOf(*storage, i).Load(WallClock::now()).state.endpoints.size() != kEndpoints) {
        throw std::runtime_error("what is loaded is not what was saved");
      }
    }
  }));
  figures.decode.push_back(SecondsOf([&] {
    for (int i = 0; i < kTargets; ++i) {
      if (!DecodeState(bytes)) throw std::runtime_error("a state is not to be decoded");
    }
  }));
}

void Print(const char* what, const std::vector<double>& seconds) {
  std::printf("| %s | %s | %.2f |\n", what, Spread(seconds, 2).c_str(),
              testing::Median(seconds) / kTargets * 1000);
}

void Run(int argc, char** argv) {
  const int runs = testing::NumberArgument(argc, argv, 1, 3, "inventory_bench [RUNS]");
  const TargetState state = testing::StateWith(kEndpoints, WallClock::now());
  Figures figures;
  for (int i = 0; i < runs; ++i) RunOnce(state, figures);
  std::printf(
      "%d targets that know %d endpoints each, %.0f KiB a state; medians of %d runs\n\n"
      "| what | s | ms a target |\n|---|---|---|\n",
      kTargets, kEndpoints, static_cast<double>(EncodeState(state).size()) / 1024, runs);
  Print("encode alone", figures.encode);
  Print("write and sync such bytes alone", figures.write);
  Print("save: both", figures.save);
  Print("load: read and decode", figures.load);
  Print("decode alone", figures.decode);
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  return registry_backend::testing::BenchMain("inventory_bench", registry_backend::Run, argc, argv);
}
