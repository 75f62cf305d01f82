#pragma once

#include <string>

#include "exporter/common/log.h"
#include "exporter/inventory/target_state.h"
#include "exporter/report/report.h"
#include "exporter/storage/storage.h"

namespace registry_backend {

// One target's files: `state.json`, and the report of the newest scan that did not fail. Blocks on
// the disk.
class TargetStore {
 public:
  // `storage` outlives the store. Targets are told apart by the registry's host and the repository
  // of `subject`, so that a target keeps its history when it is renamed.
  TargetStore(const Storage& storage, const ReportSubject& subject, Logger logger);

  struct Loaded {
    TargetState state;
    bool intact = true;  // false: there was a file that could not be used; it was set aside
  };
  // What was saved; an empty state if nothing was.
  [[nodiscard]] Loaded Load(WallTime now);

  // Saves `state`. The report of a scan of `subject` that did not fail is written first, and
  // `state` made to name it. So no instant leaves a state without its report.
  //
  // A file that Load could neither use nor set aside is never overwritten: that is tried again here
  // first. Where only the report cannot be written the state is, and keeps naming the old one.
  [[nodiscard]] Status Save(const ReportSubject& subject, const ScanResult& result,
                            TargetState& state);

  // Removes the reports but the one that a saved state names. For when nobody looks for them any
  // more.
  void RemoveOldReports(const std::string& kept) const;

  // The storage's name of the report that `state` names; empty if it names none.
  [[nodiscard]] std::string ReportFile(const TargetState& state) const;

 private:
  [[nodiscard]] std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  [[nodiscard]] Status SetAside(WallTime now);
  [[nodiscard]] Status SaveReport(const ReportSubject& subject, const ScanResult& result,
                                  TargetState& state) const;

  const Storage& storage_;
  const std::string folder_;
  bool in_the_way_ = false;  // an unusable state that is still under its name
  const Logger logger_;
};

}  // namespace registry_backend
