// Asynchronous gets at a depth of 64 on data beyond memory, against what the device gives: reads of 4 KiB at the
// same depth, at random places of the store's own files, past the page cache.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "bench/workload.h"
#include "env/uring.h"

namespace varve::bench {
namespace {

constexpr int kDepth = 64;
constexpr size_t kPageBytes = 4096;

// Gets in a chain each: the end of one begins the next.
class AsyncGets {
 public:
  explicit AsyncGets(Lane* lane) : lane_(*lane) {}

  void Run() {
    for (size_t chain = 0; chain < kDepth; ++chain) Begin(chain);
    for (int i = 0; i < kDepth; ++i) ended_.acquire();
  }

 private:
  struct Chain {
    uint64_t index = 0;  // of the key
    uint64_t begin = 0;
  };

  void Begin(size_t number) {
    Chain& chain = chains_[number];
    {
      const std::lock_guard<std::mutex> lock(mu_);
      chain.index = lane_.random.Uniform(lane_.spec.keys);
    }
    chain.begin = clock_.Now();
    const Key key = Key::Scrambled(chain.index);
    lane_.session->GetAsync(key.view(), [this, number](const Status& status, std::string_view value) {
      End(number, status, value);
    });
  }

  void End(size_t number, const Status& status, std::string_view value) {
    const Chain& chain = chains_[number];
    const uint64_t now = clock_.Now();
    bool goes_on = now < lane_.deadline;
    {
      const std::lock_guard<std::mutex> lock(mu_);
      lane_.read.Record(clock_.Nanos(chain.begin, now));
      lane_.Check(status);
      if (status.ok() && !ValueSource::Matches(value, lane_.spec.value_bytes, chain.index)) {
        lane_.Fail("wrong value");
      }
      goes_on = goes_on && lane_.error_count() == 0;
      if (lane_.read.count() % 1024 == 0) lane_.spec.progress->done.fetch_add(1024);
    }
    if (goes_on) {
      Begin(number);
    } else {
      ended_.release();
    }
  }

  Lane& lane_;
  const TickClock& clock_ = TickClock::Get();
  std::mutex mu_;  // of the lane
  std::array<Chain, kDepth> chains_;
  std::counting_semaphore<> ended_{0};
};

// The pages of all segment files below a directory.
class RawPages {
 public:
  explicit RawPages(const std::string& dir) {
    DIR* const list = opendir(dir.c_str());
    if (list == nullptr) return;
    while (const dirent* entry = readdir(list)) {
      const std::string_view name = entry->d_name;
      if (name.ends_with(".seg")) Add(dir + "/" + std::string(name));
    }
    closedir(list);
  }
  ~RawPages() {
    for (const File& file : files_) close(file.fd);
  }
  RawPages(const RawPages&) = delete;
  RawPages& operator=(const RawPages&) = delete;

  bool empty() const { return files_.empty(); }
  // Where a random page lies.
  std::pair<int, uint64_t> Random(varve::Random* random) const {
    const uint64_t page = random->Uniform(files_.back().end);
    const auto file = std::upper_bound(files_.begin(), files_.end(), page,
                                       [](uint64_t p, const File& f) { return p < f.end; });
    return {file->fd, (page - file->begin) * kPageBytes};
  }

 private:
  struct File {
    int fd;
    uint64_t begin;  // in pages, over all files
    uint64_t end;
  };

  void Add(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0 || static_cast<size_t>(info.st_size) < kPageBytes) {
      if (fd >= 0) close(fd);
      return;
    }
    const uint64_t begin = files_.empty() ? 0 : files_.back().end;
    files_.push_back({fd, begin, begin + static_cast<uint64_t>(info.st_size) / kPageBytes});
  }

  std::vector<File> files_;
};

struct FreePages {
  void operator()(char* memory) const { std::free(memory); }
};
using Pages = std::unique_ptr<char, FreePages>;
Pages NewPages(size_t count) {
  return Pages(static_cast<char*>(std::aligned_alloc(kPageBytes, count * kPageBytes)));
}

// One thread, 64 reads under way in its ring. Reads a second; 0 when one fails.
double RawByRing(const RawPages& pages, Uring* ring, double seconds) {
  const Pages buffers = NewPages(kDepth);
  Random random(1);
  const auto begin_one = [&](uint64_t slot) {
    const auto [fd, offset] = pages.Random(&random);
    ring->AddRead(fd, offset, buffers.get() + slot * kPageBytes, kPageBytes, slot);
  };
  const uint64_t begin = NowNs();
  const uint64_t deadline = begin + static_cast<uint64_t>(seconds * 1e9);
  for (uint64_t slot = 0; slot < kDepth; ++slot) begin_one(slot);
  uint64_t count = 0;
  int under_way = kDepth;
  bool has_failed = false;
  while (under_way > 0) {
    ring->SubmitAndWait();
    const bool goes_on = NowNs() < deadline;
    uint64_t slot;
    int32_t result;
    while (ring->Next(&slot, &result)) {
      has_failed |= result != static_cast<int32_t>(kPageBytes);
      ++count;
      if (goes_on) {
        begin_one(slot);
      } else {
        --under_way;
      }
    }
  }
  return has_failed ? 0 : static_cast<double>(count) * 1e9 / static_cast<double>(NowNs() - begin);
}

// 64 threads, a pread each.
double RawByThreads(const RawPages& pages, double seconds) {
  std::atomic<uint64_t> count{0};
  std::atomic<bool> has_failed{false};
  const uint64_t begin = NowNs();
  const uint64_t deadline = begin + static_cast<uint64_t>(seconds * 1e9);
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < kDepth; ++i) {
    threads.emplace_back([&, i] {
      const Pages buffer = NewPages(1);
      Random random(i);
      uint64_t done = 0;
      for (; NowNs() < deadline; ++done) {
        const auto [fd, offset] = pages.Random(&random);
        if (pread(fd, buffer.get(), kPageBytes, static_cast<off_t>(offset)) !=
            static_cast<ssize_t>(kPageBytes)) {
          has_failed = true;
        }
      }
      count += done;
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double nanos = static_cast<double>(NowNs() - begin);
  return has_failed ? 0 : static_cast<double>(count.load()) * 1e9 / nanos;
}

double RawRate(const RawPages& pages, double seconds) {
  const std::unique_ptr<Uring> ring = Uring::Open(kDepth);
  return ring != nullptr ? RawByRing(pages, ring.get(), seconds) : RawByThreads(pages, seconds);
}

// Bytes that this process has had read from devices; 0 when the kernel does not say.
double DeviceBytesRead() {
  std::FILE* const file = std::fopen("/proc/self/io", "r");
  if (file == nullptr) return 0;
  char line[128];
  unsigned long long bytes = 0;
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    if (std::sscanf(line, "read_bytes: %llu", &bytes) == 1) break;
  }
  std::fclose(file);
  return static_cast<double>(bytes);
}

}  // namespace

void RunAsyncGet64(Runner& runner) {
  if (!runner.Open()) return;
  const RawPages pages(runner.spec().dir);
  if (pages.empty()) {
    runner.result()->Fail("no segment files to read past the page cache");
    return;
  }
  const double seconds = runner.spec().seconds;
  const Runner::Body body = [](Lane& lane) { AsyncGets(&lane).Run(); };
  // Indexes come into the cache.
  runner.Run(1, seconds / 2, body);
  const double raw_before = RawRate(pages, seconds / 4);
  runner.StartMeasuring();
  const double bytes_before = DeviceBytesRead();
  const Pass pass = runner.Run(1, seconds, body);
  const double bytes = DeviceBytesRead() - bytes_before;
  runner.Report(pass, Runner::Kind::kReads);
  const double raw_after = RawRate(pages, seconds / 4);
  const double raw = (raw_before + raw_after) / 2;
  if (raw_before == 0 || raw_after == 0) return runner.result()->Fail("a raw read failed");
  runner.AddLine("raw reads of 4 KiB at the same depth: %.0f/s before, %.0f/s after; the gets have %.0f %%",
                 raw_before, raw_after, 100 * pass.rate() / raw);
  runner.AddLine("%.2f pages of 4 KiB read from the device a get; memory limit %.0f MiB, cache %.0f MiB",
                 bytes / kPageBytes / static_cast<double>(std::max<uint64_t>(1, pass.operations())),
                 static_cast<double>(runner.spec().memory_limit_bytes) / 1048576,
                 static_cast<double>(runner.spec().cache_bytes) / 1048576);
}

}  // namespace varve::bench
