#include "main/certify.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>

#include "base/status_macros.h"
#include "env/env.h"

namespace varve {
namespace {

constexpr size_t kPage = 4096;

// The first line of a file of /sys; empty when there is none.
std::string LineOf(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}
uint64_t NumberIn(const std::string& path) { return std::strtoull(LineOf(path).c_str(), nullptr, 10); }

void ReadQueue(const std::string& id, cli::DiskFacts* facts) {
  const std::string device = "/sys/dev/block/" + id;
  // A partition has the queue of its disk.
  const std::string queue = LineOf(device + "/queue/logical_block_size").empty() ? device + "/../queue/" : device + "/queue/";
  facts->write_cache = LineOf(queue + "write_cache");
  facts->has_fua = NumberIn(queue + "fua") == 1;
  facts->logical_block = NumberIn(queue + "logical_block_size");
  facts->physical_block = NumberIn(queue + "physical_block_size");
  facts->atomic_write = NumberIn(queue + "atomic_write_max_bytes");
  const std::string rotational = LineOf(queue + "rotational");
  if (!rotational.empty()) facts->is_rotational = rotational == "1";
}

// Repeats `act` for so long, at most 5,000 times, and notes how long each took.
template <typename Act>
Status Measure(uint64_t nanos, const Act& act, std::vector<uint64_t>* times) {
  constexpr size_t kMost = 5000;
  const Clock& clock = *Env::Default()->clock();
  const uint64_t began = clock.MonotonicNanos();
  while (times->size() < kMost) {
    const uint64_t begin = clock.MonotonicNanos();
    VARVE_RETURN_IF_ERROR(act(times->size()));
    const uint64_t end = clock.MonotonicNanos();
    times->push_back(end - begin);
    if (end - began > nanos) break;
  }
  std::sort(times->begin(), times->end());
  return Status::Ok();
}

Status MeasureFile(WritableFile* file, uint64_t nanos, cli::DiskFacts* facts) {
  std::string page(kPage, 'v');
  const auto append = [&](size_t i) {
    VARVE_RETURN_IF_ERROR(file->Write(i * kPage, page));
    return file->Sync();
  };
  const auto rewrite = [&](size_t i) {
    page[i % kPage] ^= 1;  // so that it is another page each time
    VARVE_RETURN_IF_ERROR(file->Write(0, page));
    return file->Sync();
  };
  VARVE_RETURN_IF_ERROR(Measure(nanos, append, &facts->append_sync));
  VARVE_RETURN_IF_ERROR(Measure(nanos, rewrite, &facts->rewrite_sync));
  return Measure(nanos, [&](size_t) { return file->Sync(); }, &facts->empty_sync);
}

Status MeasureNames(const std::string& dir, uint64_t nanos, cli::DiskFacts* facts) {
  Env* const env = Env::Default();
  const auto name = [&](size_t i) { return dir + "/name" + std::to_string(i); };
  const Status status = Measure(
      nanos,
      [&](size_t i) {
        VARVE_ASSIGN_OR_RETURN(const auto file, env->OpenWritable(name(i), Env::OpenMode::kCreateNew));
        return env->SyncDir(dir);
      },
      &facts->name_sync);
  for (size_t i = 0; i <= facts->name_sync.size(); ++i) static_cast<void>(env->RemoveFile(name(i)));
  return status;
}

}  // namespace

Result<cli::DiskFacts> CertifyDisk(const std::string& dir, uint64_t seconds) {
  Env* const env = Env::Default();
  struct stat found {};
  char* const real = ::realpath(dir.c_str(), nullptr);
  if (real == nullptr || ::stat(dir.c_str(), &found) != 0) {
    std::free(real);
    return Status(errno == ENOENT ? StatusCode::kNotFound : StatusCode::kIoError, dir + ": " + std::strerror(errno));
  }
  cli::DiskFacts facts;
  facts.directory = real;
  std::free(real);
  const std::string id = std::to_string(major(found.st_dev)) + ":" + std::to_string(minor(found.st_dev));
  std::ifstream mounts("/proc/self/mountinfo");
  cli::ReadMounts(mounts, id, &facts);
  ReadQueue(id, &facts);
  facts.is_in_memory = facts.file_system == "tmpfs" || facts.file_system == "ramfs";
  facts.is_network = facts.file_system.starts_with("nfs") || facts.file_system == "cifs" || facts.file_system == "smb3" ||
                     facts.file_system == "9p" || facts.file_system.starts_with("fuse");
  const std::string place = facts.directory + "/varve-certify-" + std::to_string(::getpid());
  VARVE_RETURN_IF_ERROR(env->CreateDir(place));
  const uint64_t nanos = std::max<uint64_t>(1, seconds) * 1'000'000'000 / 4;
  Status status;
  {
    const auto file = env->OpenWritable(place + "/file", Env::OpenMode::kCreateNew);
    status = file.ok() ? MeasureFile(file->get(), nanos, &facts) : file.status();
  }
  if (status.ok()) status = MeasureNames(place, nanos, &facts);
  static_cast<void>(env->RemoveFile(place + "/file"));
  static_cast<void>(env->RemoveDir(place));
  VARVE_RETURN_IF_ERROR(status);
  return facts;
}

}  // namespace varve
