// The floor under every engine: key and value go to one file with pwrite, and for sync writes an
// fdatasync follows each. No index, no reads. Without sync the file grows, as values do that are
// new; with sync it was written before, as a good log is, so that no flush has to write an inode.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "bench/engine.h"

namespace varve::bench {
namespace {

constexpr uint64_t kSyncFileBytes = uint64_t{64} << 20;

Status Errno(const char* what) {
  return Status::IoError(std::string("raw: ") + what + ": " + std::strerror(errno));
}
Status Unsupported() { return Status::NotSupported("raw writes only"); }

struct RawFile {
  int fd = -1;
  bool sync = false;
  std::atomic<uint64_t> end{0};
};

class RawSession : public Session {
 public:
  explicit RawSession(RawFile* file) : file_(file) {}

  Status Put(std::string_view key, std::string_view value) override {
    const uint64_t bytes = key.size() + value.size();
    uint64_t offset = file_->end.fetch_add(bytes);
    if (file_->sync) offset %= kSyncFileBytes - bytes;
    const iovec parts[2] = {{const_cast<char*>(key.data()), key.size()},
                            {const_cast<char*>(value.data()), value.size()}};
    const ssize_t written = pwritev(file_->fd, parts, 2, static_cast<off_t>(offset));
    if (written != static_cast<ssize_t>(bytes)) return Errno("pwrite");
    if (file_->sync && fdatasync(file_->fd) != 0) return Errno("fdatasync");
    return Status::Ok();
  }
  Status Delete(std::string_view) override { return Unsupported(); }
  Status Get(std::string_view, std::string*) override { return Unsupported(); }
  Status GetPinned(std::string_view, std::string_view*) override { return Unsupported(); }
  Status MultiGet(const std::vector<std::string_view>&, std::vector<std::string>*) override {
    return Unsupported();
  }
  Status Scan(std::string_view, uint64_t, ScanTotals*) override { return Unsupported(); }

 private:
  RawFile* const file_;
};

class RawStore : public Engine {
 public:
  ~RawStore() override {
    if (file_.fd >= 0) close(file_.fd);
  }

  Status Start(const EngineOptions& options) {
    file_.sync = options.sync;
    file_.fd = open((options.dir + "/raw").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file_.fd < 0) return Errno("open");
    if (!options.sync) return Status::Ok();
    const std::string block(size_t{1} << 20, '\0');
    for (uint64_t at = 0; at < kSyncFileBytes; at += block.size()) {
      if (pwrite(file_.fd, block.data(), block.size(), static_cast<off_t>(at)) < 0) {
        return Errno("pwrite");
      }
    }
    return fsync(file_.fd) == 0 ? Status::Ok() : Errno("fsync");
  }

  Result<std::unique_ptr<Session>> NewSession() override {
    return std::unique_ptr<Session>(std::make_unique<RawSession>(&file_));
  }
  Status Flush() override { return Status::Ok(); }
  Status WaitForBackgroundWork() override { return Status::Ok(); }

 private:
  RawFile file_;
};

Result<std::unique_ptr<Engine>> Open(const EngineOptions& options) {
  auto store = std::make_unique<RawStore>();
  if (Status status = store->Start(options); !status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(store));
}

}  // namespace

EngineInfo RawEngine() {
  return {.name = "raw",
          .version = "-",
          .configuration = "a loop of pwrite, with fdatasync for sync workloads: the floor",
          .scope = EngineScope::kRawWrites,
          .is_peer = false,
          .open = Open};
}

}  // namespace varve::bench
