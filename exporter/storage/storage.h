#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/common/time.h"

namespace registry_backend {

// A stored file, open to be read. It stays readable when it is replaced or removed. One thread at a
// time.
class StoredFile {
 public:
  StoredFile(StoredFile&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}
  StoredFile& operator=(StoredFile&& other) noexcept;
  ~StoredFile();

  [[nodiscard]] std::uint64_t size() const { return size_; }  // bytes
  // Bytes from `offset` on go to `to`; how many, 0 at the end. Empty: it cannot be read.
  [[nodiscard]] std::optional<std::size_t> Read(std::uint64_t offset, std::span<char> to) const;

 private:
  friend class Storage;
  StoredFile(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}

  int descriptor_;
  std::uint64_t size_;
};

// A directory of files that survive a crash or kill -9 at any instant: a file is either what it was
// or what it was to become. Bytes only; what they mean is others' business. One process owns a
// directory. Names are relative paths below it. Blocks on the disk; one thread at a time. All
// errors are kStorage and name the path.
class Storage {
 public:
  // Makes the directory if it is not there and takes its lock. Error: another process has it, or
  // the directory cannot be used at all. One in which no lock can be made is opened all the same,
  // to be read; what would change it takes the lock first, and fails where that is not to be had.
  static Result<Storage> Open(const std::filesystem::path& directory);

  Storage(Storage&& other) noexcept;
  Storage& operator=(Storage&& other) noexcept;
  ~Storage();  // gives the lock back

  // Writes, syncs and removes a small file: finds a read-only or full volume at once.
  [[nodiscard]] Status TryToWrite() const;

  // The file's bytes; empty if there is no such file.
  [[nodiscard]] Result<std::optional<std::string>> Read(const std::string& name) const;

  // Opens the file to be read in pieces; empty if there is no such file. Thread-safe.
  [[nodiscard]] Result<std::optional<StoredFile>> OpenFile(const std::string& name) const;

  // Replaces the file: a temporary one is written and synced, renamed over it, and the directory is
  // synced. Directories on the way are made.
  [[nodiscard]] Status Write(const std::string& name, std::string_view bytes) const;
  // The same for bytes that are not all in memory at once: `produce` hands them to its argument.
  using Sink = std::function<void(std::string_view)>;
  [[nodiscard]] Status Write(const std::string& name,
                             const std::function<void(const Sink&)>& produce) const;

  // Renames a file that cannot be used to `NAME.corrupt-TIME`, so that nothing is overwritten;
  // returns the new name.
  [[nodiscard]] Result<std::string> Quarantine(const std::string& name, WallTime now) const;

  // A file that is not there is no error.
  [[nodiscard]] Status Remove(const std::string& name) const;

  // The names of the files in a directory below, in order; none if it is not there.
  [[nodiscard]] std::vector<std::string> List(const std::string& directory) const;

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

 private:
  explicit Storage(std::filesystem::path directory) : directory_(std::move(directory)) {}
  [[nodiscard]] Status Lock() const;

  std::filesystem::path directory_;
  mutable int lock_ = -1;  // the lock file's descriptor; -1: not held
};

}  // namespace registry_backend
