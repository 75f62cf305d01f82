#include "exporter/monitor/target_store.h"

#include <utility>

#include "exporter/inventory/state_codec.h"
#include "exporter/monitor/target_files.h"

namespace registry_backend {
namespace {

std::string ReportName(const ScanResult& result) {
  std::string stamp = FormatRfc3339(result.finished);
  std::erase_if(stamp, [](char c) { return c == ':' || c == '-'; });
  return std::string(kReportPrefix) + stamp + ".json";
}

}  // namespace

TargetStore::TargetStore(const Storage& storage, const ReportSubject& subject, Logger logger)
    : storage_(storage),
      folder_(FolderOf(subject.registry.host().text() + "/" + subject.repository)),
      logger_(std::move(logger)) {}

TargetStore::Loaded TargetStore::Load(WallTime now) {
  const Result<std::optional<std::string>> bytes = storage_.Read(Path(kStateName));
  if (bytes && !bytes->has_value()) return {};
  Result<TargetState> state = bytes ? DecodeState(**bytes) : bytes.error();
  if (state) return {.state = *std::move(state)};
  logger_.Error("Inventory is not usable; a new one is begun",
                {{"file", (storage_.directory() / Path(kStateName)).string()},
                 {"err", state.error().message}});
  in_the_way_ = true;
  if (const Status aside = SetAside(now); !aside) {
    logger_.Error("The unusable inventory cannot be set aside; nothing is saved until it can",
                  {{"err", aside.error().message}});
  }
  return {.intact = false};
}

Status TargetStore::SetAside(WallTime now) {
  const Result<std::string> kept = storage_.Quarantine(Path(kStateName), now);
  if (!kept) return kept.error();
  in_the_way_ = false;
  logger_.Warn("The unusable inventory is kept",
               {{"file", (storage_.directory() / *kept).string()}});
  return Ok();
}

Status TargetStore::Save(const ReportSubject& subject, const ScanResult& result,
                         TargetState& state) {
  if (in_the_way_) {
    if (Status aside = SetAside(result.finished); !aside) return aside;
  }
  const bool has_report = result.outcome != ScanOutcome::kFailed;
  Status reported = has_report ? SaveReport(subject, result, state) : Ok();
  if (Status written = storage_.Write(Path(kStateName), EncodeState(state)); !written) {
    return written;
  }
  return reported;
}

Status TargetStore::SaveReport(const ReportSubject& subject, const ScanResult& result,
                               TargetState& state) const {
  const std::string name = ReportName(result);
  Status written = storage_.Write(Path(name), [&](const Storage::Sink& sink) {
    JsonWriter writer(JsonWriter::Layout::kOneLine, sink);
    WriteReport(subject, result, writer);
    writer.EndDocument();
  });
  if (written) state.report = name;
  return written;
}

std::string TargetStore::ReportFile(const TargetState& state) const {
  return state.report.empty() ? "" : Path(state.report);
}

void TargetStore::RemoveOldReports(const std::string& kept) const {
  for (const std::string& name : storage_.List(folder_)) {
    if (!name.starts_with(kReportPrefix) || name == kept) continue;
    if (const Status removed = storage_.Remove(Path(name)); !removed) {
      logger_.Warn("An old report stays", {{"err", removed.error().message}});
    }
  }
}

}  // namespace registry_backend
