#include "bench/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

namespace varve::bench {
namespace {

struct Mounts {
  std::string v1_memory;  // empty: not mounted
  std::string v2;
};

Mounts FindMounts() {
  Mounts mounts;
  std::ifstream file("/proc/self/mounts");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string device, path, type, options;
    fields >> device >> path >> type >> options;
    if (type == "cgroup2") mounts.v2 = path;
    const bool has_memory = ("," + options + ",").find(",memory,") != std::string::npos;
    if (type == "cgroup" && has_memory) mounts.v1_memory = path;
  }
  return mounts;
}

// The cgroup of this process, relative to the mount: of the version 1 memory controller, or of
// version 2 (whose line is "0::/path").
std::string OwnCgroup(bool is_v1) {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (is_v1 ? controllers.find(",memory,") != std::string::npos : controllers == ",,") {
      return line.substr(second + 1);
    }
  }
  return "/";
}

bool FileHasWord(const std::string& path, const std::string& word) {
  std::ifstream file(path);
  std::string found;
  while (file >> found) {
    if (found == word) return true;
  }
  return false;
}

Status WriteFile(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool ok =
      fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (ok) return Status::Ok();
  return Status::NotSupported("write " + path + ": " + std::strerror(error));
}

// Below which directory the new cgroup may be made.
Result<std::string> FindParent(const Mounts& mounts) {
  if (!mounts.v1_memory.empty()) return mounts.v1_memory + OwnCgroup(true);
  std::string own = OwnCgroup(false);
  while (true) {
    const std::string candidate = mounts.v2 + own;
    if (FileHasWord(candidate + "/cgroup.subtree_control", "memory")) return candidate;
    if (own.empty() || own == "/") break;
    own.erase(own.rfind('/'));
  }
  return Status::NotSupported("no cgroup above this process hands down the memory controller");
}

}  // namespace

Result<std::unique_ptr<MemoryCgroup>> MemoryCgroup::Create(uint64_t limit_bytes) {
  const Mounts mounts = FindMounts();
  const bool is_v1 = !mounts.v1_memory.empty();
  if (!is_v1 && mounts.v2.empty()) return Status::NotSupported("no cgroup file system is mounted");
  Result<std::string> parent = FindParent(mounts);
  if (!parent.ok()) return parent.status();
  const std::string path = *parent + "/varve-bench-" + std::to_string(getpid());
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
    return Status::NotSupported("make the cgroup " + path + ": " + std::strerror(errno));
  }
  std::unique_ptr<MemoryCgroup> group(new MemoryCgroup(path));
  Status limited = WriteFile(path + (is_v1 ? "/memory.limit_in_bytes" : "/memory.max"),
                             std::to_string(limit_bytes));
  if (!limited.ok()) return limited;
  // Version 2 counts swap apart: without this the limit would only move data there. Absent without
  // swap, so that a failure means nothing.
  if (!is_v1) (void)WriteFile(path + "/memory.swap.max", "0");
  return group;
}

MemoryCgroup::~MemoryCgroup() { rmdir(path_.c_str()); }

Status MemoryCgroup::Enter() const {
  return WriteFile(path_ + "/cgroup.procs", std::to_string(getpid()));
}

}  // namespace varve::bench
