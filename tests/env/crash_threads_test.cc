// Clones taken while other threads make calls and stores. Most of it is for the thread sanitizer.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/env/crash_fixture.h"

namespace varve::test {
namespace crash_threads_test {

class CrashThreadsTest : public CrashEnvTest {
 protected:
  struct LogShape {
    uint64_t files;
    uint64_t words;  // a file
    int clones;
  };
  void CheckClonesOfAGrowingLog(const LogShape& shape);
};

// A thread fills one mapped file after another, like a log, and then again from the first: in round
// r every word becomes r. At each moment the words fall by one at most once, from the first word of
// the first file to the last of the last. A clone may be so slow that it is lapped, yet the words
// must never rise: a rise would be a store without one that came before it.
void CrashThreadsTest::CheckClonesOfAGrowingLog(const LogShape& shape) {
  std::vector<std::unique_ptr<MappedFile>> files;
  for (uint64_t f = 0; f < shape.files; ++f) {
    files.push_back(Map("log" + std::to_string(f), shape.words * 8));
    ASSERT_OK(files.back()->Populate(0, shape.words * 8));
  }
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> stores{0};
  auto writer = env_.StartThread("append", [&] {
    for (uint64_t round = 1; !stop.load(std::memory_order_relaxed); ++round) {
      for (uint64_t i = 0; i < shape.files * shape.words; ++i) {
        reinterpret_cast<uint64_t*>(files[i / shape.words]->data())[i % shape.words] = round;
        stores.store((round - 1) * shape.files * shape.words + i + 1, std::memory_order_release);
      }
    }
  });
  std::vector<uint64_t> words(shape.words);
  int rises = 0;
  int missing = 0;
  for (int c = 0; c < shape.clones; ++c) {
    const uint64_t stores_before = stores.load(std::memory_order_acquire);
    auto clone = env_.CloneAfterProcessCrash();
    uint64_t stores_seen = 0;
    uint64_t last = ~uint64_t{0};
    for (uint64_t f = 0; f < shape.files; ++f) {
      const std::string content = Content(clone.get(), "log" + std::to_string(f));
      EXPECT_EQ(content.size(), shape.words * 8);
      std::memcpy(words.data(), content.data(), std::min(content.size(), words.size() * 8));
      for (const uint64_t word : words) {
        if (word > last) ++rises;
        last = word;
        stores_seen += word;
      }
    }
    if (stores_seen < stores_before) ++missing;
  }
  stop = true;
  EXPECT_EQ(rises, 0);
  EXPECT_EQ(missing, 0);
}

TEST_F(CrashThreadsTest, AClonedLogHasNoHolesBetweenFilesAndPages) {
  CheckClonesOfAGrowingLog({.files = 8, .words = 4 * 512, .clones = 2'000});
}

TEST_F(CrashThreadsTest, AClonedLogHasNoHolesWithinAPage) {
  CheckClonesOfAGrowingLog({.files = 1, .words = 512, .clones = 10'000});
}

TEST_F(CrashThreadsTest, ClonesOfABusyWorldAreWhole) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 100;
  std::atomic<int> running{kThreads};
  std::atomic<int> failures{0};
  std::vector<std::unique_ptr<Thread>> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.push_back(env_.StartThread("replace", [&, t] {
      const std::string tmp = Path("tmp" + std::to_string(t));
      const std::string target = Path("file" + std::to_string(t));
      for (int i = 0; i < kRounds; ++i) {
        const std::string content(1'000 + static_cast<size_t>(i), 'x');
        auto file = env_.OpenWritable(tmp, Env::OpenMode::kCreateOrTruncate);
        if (!file.ok() || !(*file)->Write(0, content).ok() || !(*file)->Sync().ok() ||
            !(*file)->Close().ok() || !env_.RenameFile(tmp, target).ok() ||
            !env_.SyncDir("/db").ok()) {
          ++failures;
        }
      }
      --running;
    }));
  }
  uint64_t seed = 0;
  do {
    auto clone = env_.CloneAfterPowerCut(PowerCut::Torn(++seed));
    for (int t = 0; t < kThreads; ++t) {
      const std::string name = "file" + std::to_string(t);
      if (!clone->FileExists(Path(name))) continue;
      const std::string content = Content(clone.get(), name);
      ASSERT_GE(content.size(), 1'000u);
      ASSERT_EQ(content, std::string(content.size(), 'x'));
    }
    // A clone is written to while its original goes on: pages are shared under two locks.
    auto file = clone->OpenWritable(Path("file0"), Env::OpenMode::kCreateOrTruncate);
    ASSERT_OK(file);
    ASSERT_OK((*file)->Write(0, "clone"));
  } while (running > 0);
  threads.clear();
  EXPECT_EQ(failures, 0);
}

}  // namespace crash_threads_test
}  // namespace varve::test
