#include "tests/support/kill_harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "env/env.h"
#include "tests/support/fake_db.h"
#include "tests/support/store_options.h"

namespace varve::test {
namespace {

constexpr char kVariable[] = "VARVE_KILL_CHILD";
constexpr int kWriters = 2;
constexpr int kKeysPerWriter = 48;
constexpr int kBatchKeys = 8;  // the first keys of a writer, always written together
constexpr int kProblemExit = 3;

// Versions count up; an odd one is a value, an even one a deleted (or never written) key.
struct Slot {
  std::atomic<uint64_t> acked;
  std::atomic<uint64_t> pending;
};

struct Oracle {
  std::atomic<uint64_t> opens;
  std::atomic<uint64_t> checks;
  std::atomic<uint64_t> operations;
  char problem[1000];
  Slot slots[kWriters][kKeysPerWriter];
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

Oracle* MapOracle(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  VARVE_CHECK(fd >= 0);
  VARVE_CHECK(::ftruncate(fd, sizeof(Oracle)) == 0);  // a new one is all zeros
  void* memory = ::mmap(nullptr, sizeof(Oracle), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  VARVE_CHECK(memory != MAP_FAILED);
  ::close(fd);
  return static_cast<Oracle*>(memory);
}

std::string KeyOf(int writer, int number) {
  return "writer" + std::to_string(writer) + "/key" + std::to_string(100 + number);
}

std::string ValueOf(const std::string& key, uint64_t version) {
  std::string value = key + " version " + std::to_string(version) + " ";
  Random random(version * 31 + key.back());
  const size_t size = random.OneIn(12) ? 5000 + random.Uniform(5000) : random.Uniform(400);
  while (value.size() < size) value += std::to_string(random.Next());
  return value;
}

// --- The child.

class Child {
 public:
  // `arguments`: dir, oracle, store, seed, end; separated by newlines.
  explicit Child(const std::vector<std::string>& arguments)
      : dir_(arguments[0]),
        oracle_(MapOracle(arguments[1])),
        store_(arguments[2]),
        seed_(std::strtoull(arguments[3].c_str(), nullptr, 10)),
        end_(static_cast<ChildEnd>(std::atoi(arguments[4].c_str()))),
        only_checks_(arguments[5] == "1") {}

  [[noreturn]] void Run() {
    oracle_->opens++;
    db_ = Open();
    CheckAll();
    oracle_->checks++;
    if (only_checks_) Close();
    if (end_ != ChildEnd::kKilled) {
      operations_left_ = 200 + static_cast<int64_t>(Random(seed_).Uniform(2000));
    }
    std::vector<std::thread> threads;
    for (int writer = 1; writer < kWriters; writer++) {
      threads.emplace_back([this, writer] { Write(writer); });
    }
    std::thread background([this] { Maintain(); });
    Write(0);
    for (std::thread& thread : threads) thread.join();
    background.join();
    Close();
  }

 private:
  Result<std::unique_ptr<Db>> OpenStore() {
    if (!store_.starts_with("fake:")) {
      return OpenerFor(RandomStoreConfig(seed_))(dir_, Env::Default());
    }
    Options options;
    options.env = Env::Default();
    return FakeDb::Open(dir_, options, static_cast<FakeBug>(std::atoi(store_.c_str() + 5)));
  }
  std::unique_ptr<Db> Open() {
    Result<std::unique_ptr<Db>> db = OpenStore();
    if (!db.ok()) Fail("open: " + db.status().ToString());
    return *std::move(db);
  }

  [[noreturn]] void Close() {
    db_.reset();
    ::_exit(0);
  }

  [[noreturn]] void Fail(const std::string& what) {
    std::snprintf(oracle_->problem, sizeof(oracle_->problem), "%s", what.c_str());
    ::_exit(kProblemExit);
  }

  void CheckAll() {
    for (int writer = 0; writer < kWriters; writer++) {
      uint64_t batch_version = 0;
      for (int number = 0; number < kKeysPerWriter; number++) {
        const uint64_t version = CheckKey(writer, number);
        if (number == 0) batch_version = version;
        if (number < kBatchKeys && version != batch_version) {
          Fail("batch in part: " + KeyOf(writer, 0) + " has version " +
               std::to_string(batch_version) + ", " + KeyOf(writer, number) + " has " +
               std::to_string(version));
        }
      }
    }
    CheckScan();
  }

  // The version that the store holds; it must be the acknowledged or the pending one.
  uint64_t CheckKey(int writer, int number) {
    Slot& slot = oracle_->slots[writer][number];
    const uint64_t acked = slot.acked;
    const uint64_t pending = slot.pending;
    const std::string key = KeyOf(writer, number);
    const Result<std::string> got = db_->Get(key);
    if (!got.ok() && !got.status().IsNotFound())
      Fail("get " + key + ": " + got.status().ToString());
    for (const uint64_t version : {acked, pending}) {
      const bool matches = version % 2 == 0 ? !got.ok() : got.ok() && *got == ValueOf(key, version);
      if (!matches) continue;
      // From now on this is what the store holds, and it may not change by itself.
      slot.acked = version;
      slot.pending = version;
      return version;
    }
    Fail("key " + key + ": acknowledged version " + std::to_string(acked) + ", pending " +
         std::to_string(pending) + ", found " + (got.ok() ? got->substr(0, 60) : "nothing"));
  }

  void CheckScan() {
    size_t expected = 0;
    for (const auto& writer : oracle_->slots) {
      for (const Slot& slot : writer) expected += slot.acked % 2;
    }
    size_t found = 0;
    auto it = db_->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) found++;
    if (!it->status().ok()) Fail("scan: " + it->status().ToString());
    if (found != expected) {
      Fail("scan: " + std::to_string(found) + " keys, expected " + std::to_string(expected));
    }
  }

  void Write(int writer) {
    Random random(seed_ * 100 + static_cast<uint64_t>(writer));
    while (operations_left_ > 0) {
      const WriteOptions options{.durability =
                                     random.OneIn(20) ? Durability::kSync : Durability::kProcess};
      const Status status = random.OneIn(8) ? WriteBatchOf(writer, &random, options)
                                            : WriteKey(writer, &random, options);
      if (!status.ok()) Fail("write: " + status.ToString());
      oracle_->operations++;
      if (--operations_left_ == 0) End();
    }
  }

  void End() {
    if (end_ == ChildEnd::kExits) ::_exit(0);
    if (end_ == ChildEnd::kAborts) std::abort();
  }

  // The next version of a key: a value, or now and then its deletion.
  static uint64_t NextVersion(uint64_t acked, bool is_delete) {
    const uint64_t next = acked + 1;
    return next % 2 == (is_delete ? 0 : 1) ? next : next + 1;
  }

  Status WriteKey(int writer, Random* random, const WriteOptions& options) {
    const int number = kBatchKeys + static_cast<int>(random->Uniform(kKeysPerWriter - kBatchKeys));
    Slot& slot = oracle_->slots[writer][number];
    const std::string key = KeyOf(writer, number);
    const bool is_delete = random->OneIn(4);
    const uint64_t version = NextVersion(slot.acked, is_delete);
    slot.pending = version;
    const Status status =
        is_delete ? db_->Delete(key, options) : db_->Put(key, ValueOf(key, version), options);
    if (status.ok()) slot.acked = version;
    return status;
  }

  static WriteBatch BatchOf(int writer, bool is_delete, uint64_t version) {
    WriteBatch batch;
    for (int number = 0; number < kBatchKeys; number++) {
      const std::string key = KeyOf(writer, number);
      if (is_delete) {
        batch.Delete(key);
      } else {
        batch.Put(key, ValueOf(key, version));
      }
    }
    return batch;
  }

  // Reads what the other writer writes, so that they meet conflicts.
  Status Transact(int writer, bool is_delete, uint64_t version, const WriteOptions& options) {
    return db_->Transact(
        [&](Transaction& t) {
          for (int number = 0; number < kBatchKeys; number++) {
            const std::string key = KeyOf(writer, number);
            const std::string others = KeyOf(kWriters - 1 - writer, number);
            Status status = t.Get(others).status();
            if (!status.ok() && !status.IsNotFound()) return status;
            status = is_delete ? t.Delete(key) : t.Put(key, ValueOf(key, version));
            if (!status.ok()) return status;
          }
          return Status::Ok();
        },
        {.write = options});
  }

  // As a batch, or as a transaction.
  Status WriteBatchOf(int writer, Random* random, const WriteOptions& options) {
    Slot* slots = oracle_->slots[writer];
    const bool is_delete = random->OneIn(4);
    const uint64_t version = NextVersion(slots[0].acked, is_delete);
    for (int number = 0; number < kBatchKeys; number++) slots[number].pending = version;
    const bool has_transactions = !store_.starts_with("fake:");
    const Status status = has_transactions && random->OneIn(2)
                              ? Transact(writer, is_delete, version, options)
                              : db_->Write(BatchOf(writer, is_delete, version), options);
    for (int number = 0; number < kBatchKeys && status.ok(); number++) {
      slots[number].acked = version;
    }
    return status;
  }

  void Maintain() {
    Random random(seed_ + 77);
    while (operations_left_ > 0) {
      const Status status = random.OneIn(3) ? db_->Compact() : db_->Flush();
      if (!status.ok()) Fail("maintenance: " + status.ToString());
      const timespec pause{0, static_cast<long>(random.Uniform(8'000'000))};
      // tidy: waits for another process.
      ::nanosleep(&pause, nullptr);
    }
  }

  const std::string dir_;
  Oracle* const oracle_;
  const std::string store_;
  const uint64_t seed_;
  const ChildEnd end_;
  const bool only_checks_;
  std::unique_ptr<Db> db_;
  std::atomic<int64_t> operations_left_{std::numeric_limits<int64_t>::max()};
};

// --- The parent.

std::string OwnPath() {
  char path[4096];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof(path));
  VARVE_CHECK(size > 0);
  return {path, static_cast<size_t>(size)};
}

class Parent {
 public:
  explicit Parent(const KillOptions& options)
      : options_(options), oracle_(MapOracle(options.oracle)), path_(OwnPath()) {}

  KillReport Run() {
    Random random(options_.seed);
    for (int round = 0; round < options_.rounds && report_.problem.empty(); round++) {
      const uint64_t opens = oracle_->opens;
      const uint64_t operations = oracle_->operations;
      const pid_t child = Start(options_.seed * 10'000 + static_cast<uint64_t>(round), false);
      if (options_.end == ChildEnd::kKilled) {
        // Half of the kills aim at the open and the recovery, half at the writes.
        if (random.OneIn(2)) {
          WaitUntil(child, [&] { return oracle_->opens > opens; });
        } else {
          // However slow the machine: there is something to lose.
          WaitUntil(child, [&] { return oracle_->operations >= operations + 8; });
        }
        Sleep(random.Uniform(options_.delay_us_max));
        ::kill(child, SIGKILL);
      }
      Reap(child, round, options_.end);
    }
    if (report_.problem.empty())
      Reap(Start(options_.seed, true), options_.rounds, ChildEnd::kCloses);
    report_.opens = oracle_->opens;
    report_.checks = oracle_->checks;
    report_.operations = oracle_->operations;
    return report_;
  }

 private:
  static void Sleep(uint64_t micros) {
    const timespec pause{static_cast<time_t>(micros / 1'000'000),
                         static_cast<long>(micros % 1'000'000 * 1000)};
    // tidy: the moment of a kill is random.
    ::nanosleep(&pause, nullptr);
  }

  pid_t Start(uint64_t seed, bool only_checks) {
    const std::string arguments =
        std::string(kVariable) + "=" + options_.dir + "\n" + options_.oracle + "\n" +
        options_.store + "\n" + std::to_string(seed) + "\n" +
        std::to_string(static_cast<int>(options_.end)) + "\n" + (only_checks ? "1" : "0");
    std::vector<char*> environment;
    for (char** entry = environ; *entry != nullptr; entry++) environment.push_back(*entry);
    environment.push_back(const_cast<char*>(arguments.c_str()));
    environment.push_back(nullptr);
    char* const argv[] = {const_cast<char*>(path_.c_str()), nullptr};
    const pid_t child = ::fork();
    VARVE_CHECK(child >= 0);
    if (child == 0) {
      // What the test framework prints; errors stay visible.
      const int nowhere = ::open("/dev/null", O_WRONLY);
      if (nowhere >= 0) ::dup2(nowhere, STDOUT_FILENO);
      ::execve(path_.c_str(), argv, environment.data());
      ::_exit(127);
    }
    return child;
  }

  // Until it is so, or the child has ended already.
  void WaitUntil(pid_t child, const std::function<bool()>& is_so) {
    while (!is_so()) {
      siginfo_t info = {};
      const int waited =
          ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT);
      if (waited == 0 && info.si_pid == child) return;
      Sleep(100);
    }
  }

  void Reap(pid_t child, int round, ChildEnd end) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    const int expected_signal = end == ChildEnd::kKilled   ? SIGKILL
                                : end == ChildEnd::kAborts ? SIGABRT
                                                           : 0;
    if (WIFSIGNALED(status)) {
      report_.kills++;
      if (WTERMSIG(status) == expected_signal) return;
      report_.problem = "died of signal " + std::to_string(WTERMSIG(status));
    } else if (WEXITSTATUS(status) == kProblemExit) {
      report_.problem = oracle_->problem;
    } else if (WEXITSTATUS(status) != 0 || expected_signal != 0) {
      report_.problem = "exited with " + std::to_string(WEXITSTATUS(status));
    } else {
      return;
    }
    report_.problem = "seed " + std::to_string(options_.seed) + " child " + std::to_string(round) +
                      ": " + report_.problem;
  }

  const KillOptions options_;
  Oracle* const oracle_;
  const std::string path_;
  KillReport report_;
};

}  // namespace

KillReport RunKills(const KillOptions& options) { return Parent(options).Run(); }

void RunAsKillChild() {
  const char* text = std::getenv(kVariable);
  if (text == nullptr) return;
  std::vector<std::string> arguments(1);
  for (const char* c = text; *c != '\0'; c++) {
    if (*c == '\n') {
      arguments.emplace_back();
    } else {
      arguments.back() += *c;
    }
  }
  VARVE_CHECK(arguments.size() == 6);
  Child(arguments).Run();
}

}  // namespace varve::test
