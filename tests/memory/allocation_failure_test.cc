// Memory runs out: the n-th allocation of the calling thread fails, for every n. The call ends in
// std::bad_alloc, and the store goes on as if nothing had happened, or the process ends; either way
// the store on disk holds what was acknowledged, and of the call that failed all or nothing.
//
// Each attempt is a process of its own. This program alone replaces operator new.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "env/env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"

namespace {

thread_local uint64_t allocations_left = 0;  // the one that takes it to 0 fails

void* Allocate(size_t bytes, size_t alignment) {
  if (allocations_left > 0 && --allocations_left == 0) throw std::bad_alloc();
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(bytes)
                     : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// The compiler looks into the operators and takes their malloc and free for a mismatch.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(size_t bytes) { return Allocate(bytes, 1); }
void* operator new[](size_t bytes) { return Allocate(bytes, 1); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace varve::test {
namespace {

// What a child tells its parent; in memory that both map.
struct Progress {
  uint64_t steps_done = 0;      // returned without an exception
  uint64_t failed_step = ~0ull;  // ended in bad_alloc
  bool is_reached = false;      // the allocation that was to fail took place
};

class AllocationFailureTest : public ::testing::TestWithParam<bool> {
 protected:
  AllocationFailureTest() {
    config_.tuning.mapped_log = GetParam();
    progress_ = static_cast<Progress*>(::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                                              MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  }
  ~AllocationFailureTest() override { ::munmap(progress_, sizeof(Progress)); }

  Result<std::unique_ptr<Db>> Open(const std::string& dir) {
    return OpenerFor(config_)(dir, Env::Default());
  }

  static std::vector<Step> Steps() {
    const auto write = [](std::vector<Change> changes, Durability durability) {
      Step step;
      step.changes = std::move(changes);
      step.durability = durability;
      return step;
    };
    const auto put = [](const char* key, size_t bytes, char fill) {
      return Change{Change::Kind::kPut, key, std::string(bytes, fill)};
    };
    Step flush;
    flush.kind = Step::Kind::kFlush;
    Step sync;
    sync.kind = Step::Kind::kSync;
    return {write({put("a1", 10, 'a')}, Durability::kProcess),
            write({put("b1", 9000, 'b')}, Durability::kProcess),
            write({put("c1", 3000, 'c'), {Change::Kind::kDeleteRange, "a", "b"}, put("a2", 10, 'A'),
                   put("d1", 20'000, 'd'), {Change::Kind::kDeleteRange, "a1", "a2"}},
                  Durability::kProcess),
            write({{Change::Kind::kDelete, "b1", ""}}, Durability::kSync),
            write({put("e1", 3000, 'e')}, Durability::kSync),
            flush,
            write({put("a3", 5000, 'f'), {Change::Kind::kDeleteRange, "c", "d"}}, Durability::kProcess),
            sync,
            write({put("z1", 10, 'z')}, Durability::kProcess)};
  }

  // In a child: the steps, the n-th allocation of which fails; reads after each.
  void RunSteps(const std::string& dir, uint64_t n) {
    auto db = Open(dir);
    if (!db.ok()) ::_exit(2);
    const std::vector<Step> steps = Steps();
    allocations_left = n;
    for (size_t i = 0; i < steps.size(); ++i) {
      try {
        if (!RunStep(db->get(), steps[i]).ok()) ::_exit(3);
        ++progress_->steps_done;
      } catch (const std::bad_alloc&) {
        progress_->failed_step = i;
      }
      try {
        (void)ReadContents(db->get());
      } catch (const std::bad_alloc&) {
      }
    }
    progress_->is_reached = allocations_left == 0;
    allocations_left = 0;
    const Result<Contents> contents = ReadContents(db->get());
    if (!contents.ok() || !IsPossible(*contents)) ::_exit(4);
    if (n % 2 == 0) db->reset();
    ::_exit(0);
  }

  // All steps that were done, in order; of the one that failed all or nothing; when the process ended
  // nothing after it.
  bool IsPossible(const Contents& contents) const {
    const std::vector<Step> steps = Steps();
    const bool has_failed = progress_->failed_step < steps.size();
    const size_t begun = progress_->steps_done + (has_failed ? 1 : 0);
    Contents without, with;
    for (size_t i = 0; i < begun; ++i) {
      for (const Change& change : steps[i].changes) {
        ApplyChange(change, &with);
        if (i != progress_->failed_step) ApplyChange(change, &without);
      }
    }
    if (contents == with || contents == without) return true;
    if (begun == steps.size()) return false;
    for (Contents* state : {&with, &without}) {
      for (const Change& change : steps[begun].changes) ApplyChange(change, state);
    }
    return contents == with || contents == without;
  }

  // Every 13th allocation; every one from VARVE_TEST_SCALE=13 on, or when nothing may be left out.
  static uint64_t Stride() {
    return IsExhaustive() ? 1 : std::max<uint64_t>(1, static_cast<uint64_t>(13 / TestScale()));
  }
  void Count(uint64_t last) {
    const uint64_t count = (last + Stride() - 1) / Stride();
    std::printf("  %llu allocations failed, every %llu. of them\n", static_cast<unsigned long long>(count),
                static_cast<unsigned long long>(Stride()));
    RecordProperty("failed_allocations", std::to_string(count));
  }

  // Runs `body` in a child and waits for its end: 0 when it was an abort, as an allocation failure where
  // nothing can be undone makes it.
  int RunInChild(const std::function<void()>& body) {
    *progress_ = Progress();
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(120);  // ends one that waits for ever
      const rlimit no_core = {0, 0};
      (void)::setrlimit(RLIMIT_CORE, &no_core);
      if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(9);
      body();
      ::_exit(8);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) return -1;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    ++abort_count_;
    return WTERMSIG(status) == SIGABRT ? 0 : -WTERMSIG(status);
  }

  StoreConfig config_ = SmallStoreConfig();
  Progress* progress_;
  int abort_count_ = 0;
};

INSTANTIATE_TEST_SUITE_P(MappedLog, AllocationFailureTest, ::testing::Bool());

TEST_P(AllocationFailureTest, OfAnyCallLosesNothing) {
  uint64_t n = 1;
  for (; !HasFailure(); n += Stride()) {
    TempDir dir;
    ASSERT_EQ(RunInChild([&] { RunSteps(dir.Sub("store"), n); }), 0) << "allocation " << n;
    const bool is_over = progress_->steps_done == Steps().size() && !progress_->is_reached;
    auto db = Open(dir.Sub("store"));
    ASSERT_OK(db) << "allocation " << n;
    const Result<Contents> contents = ReadContents(db->get());
    ASSERT_OK(contents) << "allocation " << n;
    EXPECT_TRUE(IsPossible(*contents))
        << "allocation " << n << ", " << progress_->steps_done << " steps done, step "
        << progress_->failed_step << " failed: " << contents->size() << " keys";
    const Result<VerifyReport> report = (*db)->Verify();
    EXPECT_TRUE(report.ok() && report->problems.empty()) << "allocation " << n;
    if (is_over) break;
  }
  Count(n);
  std::printf("  %d processes ended\n", abort_count_);
  EXPECT_GT(n, 50u);
}

TEST_P(AllocationFailureTest, OfOpenChangesNothing) {
  TempDir dir;
  const std::string path = dir.Sub("store");
  Contents expected;
  {
    auto db = Open(path);
    ASSERT_OK(db);
    for (const Step& step : Steps()) {
      ASSERT_OK(RunStep(db->get(), step));
      for (const Change& change : step.changes) ApplyChange(change, &expected);
    }
  }
  uint64_t n = 1;
  for (; !HasFailure(); n += Stride()) {
    ASSERT_EQ(RunInChild([&] {
                allocations_left = n;
                try {
                  auto db = Open(path);
                  progress_->is_reached = allocations_left == 0;
                  allocations_left = 0;
                  ::_exit(db.ok() ? 0 : 2);
                } catch (const std::bad_alloc&) {
                  progress_->is_reached = true;
                  ::_exit(0);
                }
              }),
              0)
        << "allocation " << n;
    const bool is_over = !progress_->is_reached && abort_count_ == 0;
    abort_count_ = 0;
    auto db = Open(path);
    ASSERT_OK(db) << "allocation " << n;
    const Result<Contents> contents = ReadContents(db->get());
    ASSERT_OK(contents);
    ASSERT_TRUE(*contents == expected) << "allocation " << n << ": " << Difference(expected, *contents);
    if (is_over) break;
  }
  Count(n);
  EXPECT_GT(n, 20u);
}

}  // namespace
}  // namespace varve::test
