#include "bench/measure.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "bench/clock.h"

namespace varve::bench {
namespace {

// The number after "`name`:" in a file of /proc, 0 when there is none.
uint64_t ProcNumber(const char* path, const std::string& name) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind(name + ":", 0) == 0) return std::stoull(line.substr(name.size() + 1));
  }
  return 0;
}

std::string ProcText(const char* path, const std::string& name) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind(name, 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

// Calls visit(path) for every regular file below `dir`. Files that vanish meanwhile are passed
// over.
template <typename Visitor>
void ForEachFile(const std::string& dir, Visitor&& visit) {
  std::error_code error;
  std::filesystem::recursive_directory_iterator it(dir, error);
  const std::filesystem::recursive_directory_iterator end;
  while (!error && it != end) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) visit(it->path().string());
    it.increment(error);
  }
}

}  // namespace

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

uint64_t WrittenBytes() { return ProcNumber("/proc/self/io", "write_bytes"); }

void ResetPeakRss() { std::ofstream("/proc/self/clear_refs") << "5"; }

uint64_t PeakRssBytes() { return ProcNumber("/proc/self/status", "VmHWM") * 1024; }

uint64_t DiskBytes(const std::string& dir) {
  uint64_t total = 0;
  ForEachFile(dir, [&](const std::string& path) {
    struct stat st;
    if (stat(path.c_str(), &st) == 0) total += static_cast<uint64_t>(st.st_blocks) * 512;
  });
  return total;
}

void SyncFileSystem(const std::string& dir) {
  const int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  syncfs(fd);
  close(fd);
}

void DropFromPageCache(const std::string& dir) {
  SyncFileSystem(dir);  // dirty pages cannot be dropped
  ForEachFile(dir, [](const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  });
}

bool WaitUntilIdle(double timeout_seconds) {
  constexpr uint64_t kWindowNs = 100000000;
  constexpr int kQuietWindows = 4;
  const uint64_t deadline = NowNs() + static_cast<uint64_t>(timeout_seconds * 1e9);
  int quiet = 0;
  while (quiet < kQuietWindows) {
    const double cpu = CpuSeconds();
    const uint64_t written = WrittenBytes();
    const uint64_t start = NowNs();
    usleep(kWindowNs / 1000);
    const double busy = (CpuSeconds() - cpu) / (static_cast<double>(NowNs() - start) * 1e-9);
    quiet = busy < 0.02 && WrittenBytes() == written ? quiet + 1 : 0;
    if (NowNs() > deadline) return false;
  }
  return true;
}

bool IsInMemory(const std::string& dir) {
  struct statfs fs;
  if (statfs(dir.c_str(), &fs) != 0) return false;
  return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

std::string MachineDescription() {
  utsname kernel;
  uname(&kernel);
  std::ostringstream out;
  out << std::thread::hardware_concurrency() << " x " << ProcText("/proc/cpuinfo", "model name")
      << ", " << (ProcNumber("/proc/meminfo", "MemTotal") + (1 << 19)) / (1 << 20) << " GiB, "
      << kernel.sysname << " " << kernel.release;
  return out.str();
}

}  // namespace varve::bench
