#include "main/examine.h"

#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/status_macros.h"
#include "env/env.h"

namespace varve {

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kFileBytes = size_t{1} << 20;
constexpr size_t kTrials = 200;
constexpr uint64_t kLongestNanos = 2'000'000'000;
constexpr int kClockReads = 1000;

struct KnownFileSystem {
  uint64_t magic;
  const char* name;
  bool is_in_memory;
  bool is_network;
};
// statfs(2).
constexpr KnownFileSystem kKnown[] = {
    {0xEF53, "ext4", false, false},         {0x58465342, "xfs", false, false},
    {0x9123683E, "btrfs", false, false},    {0x2FC12FC1, "zfs", false, false},
    {0xF2F52010, "f2fs", false, false},     {0x794C7630, "overlayfs", false, false},
    {0x01021994, "tmpfs", true, false},     {0x858458F6, "ramfs", true, false},
    {0x6969, "nfs", false, true},           {0xFF534D42, "cifs", false, true},
    {0xFE534D42, "smb", false, true},       {0x01021997, "9p", false, true},
    {0x65735546, "fuse", false, true},
};

void NameFileSystem(uint64_t magic, cli::MachineFacts* facts) {
  for (const KnownFileSystem& known : kKnown) {
    if (known.magic != magic) continue;
    facts->file_system = known.name;
    facts->is_in_memory = known.is_in_memory;
    facts->is_network = known.is_network;
    return;
  }
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), magic, 16);
  facts->file_system = "0x" + std::string(digits.data(), end);
}

void ReadLimits(cli::MachineFacts* facts) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    facts->open_files = limit.rlim_cur;
    facts->open_files_at_most = limit.rlim_max;
  }
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) facts->memory_bytes = static_cast<uint64_t>(pages) * static_cast<uint64_t>(page);
}

uint64_t ClockCost(const Clock& clock) {
  const uint64_t begin = clock.MonotonicNanos();
  for (int i = 0; i < kClockReads; ++i) static_cast<void>(clock.MonotonicNanos());
  return (clock.MonotonicNanos() - begin) / kClockReads;
}

// Page after page of one file, each followed by a sync, as a log is written.
Status MeasureSyncs(WritableFile* file, const Clock& clock, std::vector<uint64_t>* nanos) {
  const Status allocated = file->Allocate(0, kFileBytes);
  if (!allocated.ok() && allocated.code() != StatusCode::kNotSupported) return allocated;
  VARVE_RETURN_IF_ERROR(file->Sync());
  const std::string page(kPageBytes, 'v');
  const uint64_t started_at = clock.MonotonicNanos();
  for (size_t i = 0; i < kTrials; ++i) {
    const uint64_t begin = clock.MonotonicNanos();
    VARVE_RETURN_IF_ERROR(file->Write(i * kPageBytes % kFileBytes, page));
    VARVE_RETURN_IF_ERROR(file->Sync());
    const uint64_t end = clock.MonotonicNanos();
    nanos->push_back(end - begin);
    if (end - started_at > kLongestNanos) break;
  }
  return file->Close();
}

}  // namespace

Result<cli::MachineFacts> ExamineMachine(const std::string& dir) {
  Env* const env = Env::Default();
  const Clock& clock = *env->clock();
  cli::MachineFacts facts;
  struct statfs found {};
  if (::statfs(dir.c_str(), &found) != 0) {
    return Status(errno == ENOENT ? StatusCode::kNotFound : StatusCode::kIoError,
                  dir + ": " + std::strerror(errno));
  }
  NameFileSystem(static_cast<uint32_t>(found.f_type), &facts);
  ReadLimits(&facts);
  VARVE_ASSIGN_OR_RETURN(facts.free_bytes, env->FreeSpace(dir));
  const std::string path = dir + "/varve-doctor-" + std::to_string(::getpid());
  const uint64_t wall = clock.WallMillis();
  const uint64_t begin = clock.MonotonicNanos();
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                         env->OpenWritable(path, Env::OpenMode::kCreateNew));
  Status status = MeasureSyncs(file.get(), clock, &facts.sync_nanos);
  file.reset();
  if (status.ok()) {
    const auto mapped = env->OpenMapped(path + ".log", kFileBytes);
    facts.has_mapped_log = mapped.ok();
  }
  static_cast<void>(env->RemoveFile(path + ".log"));
  const Status removed = env->RemoveFile(path);
  VARVE_RETURN_IF_ERROR(status);
  VARVE_RETURN_IF_ERROR(removed);
  facts.trial_nanos = clock.MonotonicNanos() - begin;
  facts.wall_millis = clock.WallMillis();
  const auto wall_nanos = static_cast<int64_t>(facts.wall_millis - wall) * 1'000'000;
  facts.clock_drift_nanos = wall_nanos - static_cast<int64_t>(facts.trial_nanos);
  facts.clock_read_nanos = ClockCost(clock);
  return facts;
}

}  // namespace varve
