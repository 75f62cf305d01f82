#include "exporter/storage/storage.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace registry_backend {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLockName = ".lock";
constexpr std::string_view kTrialName = ".write-test";
constexpr std::string_view kTemporarySuffix = ".tmp";

// An open file that is closed whatever happens.
class File {
 public:
  File(const fs::path& path, int flags)
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0640)) {}
  ~File() { Close(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] bool open() const { return descriptor_ >= 0; }
  [[nodiscard]] int get() const { return descriptor_; }
  int Release() { return std::exchange(descriptor_, -1); }
  bool Close() { return descriptor_ < 0 || ::close(Release()) == 0; }

 private:
  int descriptor_;
};

// `errno` as it is now, said of `path`.
Error Failure(std::string_view doing, const fs::path& path) {
  return {ErrorKind::kStorage,
          std::string(doing) + " " + path.string() + ": " + std::strerror(errno)};
}

bool WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Status SyncDirectory(const fs::path& directory) {
  const File file(directory, O_RDONLY | O_DIRECTORY);
  if (!file.open() || ::fsync(file.get()) != 0) return Failure("cannot sync", directory);
  return Ok();
}

// Makes what is missing of `directory`, and syncs the parents so that it stays made.
Status MakeDirectories(const fs::path& directory) {
  std::error_code fault;
  if (fs::is_directory(directory, fault)) return Ok();
  const fs::path parent = directory.parent_path();
  if (!parent.empty() && parent != directory) {
    if (Status made = MakeDirectories(parent); !made) return made;
  }
  if (!fs::create_directory(directory, fault) && fault) {
    errno = fault.value();
    return Failure("cannot make", directory);
  }
  return SyncDirectory(parent.empty() ? "." : parent);
}

Status WriteAndSync(const fs::path& path,
                    const std::function<void(const Storage::Sink&)>& produce) {
  File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file.open()) return Failure("cannot write", path);
  int fault = 0;  // the first; what comes after it is not written
  produce([&file, &fault](std::string_view bytes) {
    if (fault == 0 && !WriteAll(file.get(), bytes)) fault = errno;
  });
  if (fault == 0 && (::fsync(file.get()) != 0 || !file.Close())) fault = errno;
  if (fault == 0) return Ok();
  errno = fault;
  const Error error = Failure("cannot write", path);
  ::unlink(path.c_str());
  return error;
}

}  // namespace

StoredFile& StoredFile::operator=(StoredFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

StoredFile::~StoredFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<std::size_t> StoredFile::Read(std::uint64_t offset, std::span<char> to) const {
  while (true) {
    const ssize_t count = ::pread(descriptor_, to.data(), to.size(), static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return std::nullopt;
  }
}

Result<Storage> Storage::Open(const fs::path& directory) {
  if (Status made = MakeDirectories(directory); !made) return made.error();
  Storage storage(directory);
  Status locked = storage.Lock();
  std::error_code fault;
  // Where there is no lock file and none can be made, nobody else holds it either.
  if (!locked && fs::exists(directory / kLockName, fault)) return locked.error();
  return storage;
}

Status Storage::Lock() const {
  if (lock_ >= 0) return Ok();
  const fs::path path = directory_ / kLockName;
  File writable(path, O_RDWR | O_CREAT);
  // Another user's lock file, or one on a read-only volume, can be held as well.
  File readable(path, O_RDONLY);
  File& file = writable.open() ? writable : readable;
  if (!file.open()) return Failure("cannot open", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failure("cannot lock", path);
    return Error{ErrorKind::kStorage, "another process uses " + directory_.string() +
                                          " (it holds " + path.string() + ")"};
  }
  lock_ = file.Release();
  return Ok();
}

Storage::Storage(Storage&& other) noexcept
    : directory_(std::move(other.directory_)), lock_(std::exchange(other.lock_, -1)) {}

Storage& Storage::operator=(Storage&& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(lock_, other.lock_);
  return *this;
}

Storage::~Storage() {
  if (lock_ >= 0) ::close(lock_);
}

Status Storage::TryToWrite() const {
  const std::string name(kTrialName);
  if (Status written = Write(name, "trial\n"); !written) return written;
  return Remove(name);
}

Result<std::optional<std::string>> Storage::Read(const std::string& name) const {
  const fs::path path = directory_ / name;
  const File file(path, O_RDONLY);
  if (!file.open()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>();
    return Failure("cannot read", path);
  }
  std::string bytes;
  char buffer[64 * 1024];
  while (true) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failure("cannot read", path);
    if (count == 0) return std::optional(std::move(bytes));
    bytes.append(buffer, static_cast<std::size_t>(count));
  }
}

Result<std::optional<StoredFile>> Storage::OpenFile(const std::string& name) const {
  const fs::path path = directory_ / name;
  File file(path, O_RDONLY);
  struct stat facts {};
  if (!file.open()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<StoredFile>();
    return Failure("cannot read", path);
  }
  if (::fstat(file.get(), &facts) != 0) return Failure("cannot read", path);
  return std::optional(StoredFile(file.Release(), static_cast<std::uint64_t>(facts.st_size)));
}

Status Storage::Write(const std::string& name, std::string_view bytes) const {
  return Write(name, [bytes](const Sink& sink) { sink(bytes); });
}

Status Storage::Write(const std::string& name,
                      const std::function<void(const Sink&)>& produce) const {
  const fs::path path = directory_ / name;
  if (Status locked = Lock(); !locked) return locked;
  fs::path temporary = path;
  temporary += kTemporarySuffix;
  if (Status made = MakeDirectories(path.parent_path()); !made) return made;
  if (Status written = WriteAndSync(temporary, produce); !written) return written;
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const Error error = Failure("cannot replace", path);
    ::unlink(temporary.c_str());
    return error;
  }
  return SyncDirectory(path.parent_path());
}

Result<std::string> Storage::Quarantine(const std::string& name, WallTime now) const {
  if (Status locked = Lock(); !locked) return locked.error();
  std::string stamp = FormatRfc3339(now);
  std::erase_if(stamp, [](char c) { return c == ':' || c == '-'; });
  const std::string plain = name + ".corrupt-" + stamp;
  std::string kept = plain;
  std::error_code fault;
  // A second one in the same millisecond must not overwrite the first.
  for (int more = 2; fs::exists(directory_ / kept, fault); ++more) {
    kept = plain;
    kept.append("-").append(std::to_string(more));
  }
  const fs::path path = directory_ / name;
  if (::rename(path.c_str(), (directory_ / kept).c_str()) != 0) {
    return Failure("cannot set aside", path);
  }
  if (Status synced = SyncDirectory(path.parent_path()); !synced) return synced.error();
  return kept;
}

Status Storage::Remove(const std::string& name) const {
  if (Status locked = Lock(); !locked) return locked;
  const fs::path path = directory_ / name;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Failure("cannot remove", path);
  return Ok();
}

std::vector<std::string> Storage::List(const std::string& directory) const {
  std::vector<std::string> names;
  std::error_code fault;
  for (fs::directory_iterator entry(directory_ / directory, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    if (entry->is_regular_file(fault)) names.push_back(entry->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace registry_backend
