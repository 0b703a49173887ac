#include "bench/child.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

namespace varve::bench {
namespace {

volatile sig_atomic_t interrupted = 0;

void OnInterrupt(int) { interrupted = 1; }

// Memory that parent and child share.
class SharedProgress {
 public:
  SharedProgress() {
    void* memory =
        mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) progress_ = new (memory) Progress;
  }
  ~SharedProgress() {
    if (progress_ != nullptr) munmap(progress_, sizeof(Progress));
  }
  Progress* get() { return progress_; }

 private:
  Progress* progress_ = nullptr;
};

void WriteAll(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) return;  // the parent sees that the end is missing
    if (n > 0) done += static_cast<size_t>(n);
  }
}

RunResult EmptyResult(const RunSpec& spec) {
  RunResult result;
  result.engine = spec.engine->name;
  result.keys = static_cast<double>(spec.keys);
  result.value_bytes = static_cast<double>(spec.value_bytes);
  result.threads = spec.threads;
  return result;
}

[[noreturn]] void BeChild(const ChildPlan& plan, const RunSpec& spec, int fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGINT, SIG_IGN);  // the parent decides
  signal(SIGTERM, SIG_DFL);
  RunResult result = EmptyResult(spec);
  const Status entered = plan.cgroup == nullptr ? Status::Ok() : plan.cgroup->Enter();
  if (entered.ok()) {
    Runner runner(spec, &result);
    plan.work(runner);
  } else {
    result.skipped = entered.ToString();
  }
  WriteAll(fd, Serialize(result));
  std::fflush(nullptr);
  _exit(0);
}

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status)) {
    return std::string("the process was ended by signal ") + std::to_string(WTERMSIG(status)) +
           " (" + strsignal(WTERMSIG(status)) + ")";
  }
  return "the process ended with exit code " + std::to_string(WEXITSTATUS(status)) +
         " and no result";
}

// Reads until the child closes its end; kills it when the time is up. Returns why, or nothing.
std::string Collect(const ChildPlan& plan, const Progress& progress, pid_t child, int fd,
                    std::string* text) {
  constexpr int kTickMs = 200;
  const uint64_t deadline = NowNs() + static_cast<uint64_t>(plan.timeout_seconds * 1e9);
  char buffer[16384];
  std::string killed;
  while (true) {
    pollfd poll_fd = {fd, POLLIN, 0};
    const int ready = poll(&poll_fd, 1, kTickMs);
    if (ready > 0) {
      const ssize_t n = read(fd, buffer, sizeof(buffer));
      if (n == 0) return killed;
      if (n > 0) text->append(buffer, static_cast<size_t>(n));
      continue;
    }
    if (plan.on_tick) plan.on_tick(progress);
    if (killed.empty() && interrupted != 0) killed = "interrupted";
    if (killed.empty() && NowNs() > deadline) {
      killed = "not finished after " + std::to_string(static_cast<int>(plan.timeout_seconds)) +
               " s, killed";
    }
    if (!killed.empty()) kill(child, SIGKILL);
  }
}

}  // namespace

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return interrupted != 0; }

RunResult RunInChild(const ChildPlan& plan) {
  RunResult failure = EmptyResult(plan.spec);
  SharedProgress progress;
  int ends[2];
  if (progress.get() == nullptr || pipe(ends) != 0) {
    failure.Fail(std::string("start a process: ") + std::strerror(errno));
    return failure;
  }
  RunSpec spec = plan.spec;
  spec.progress = progress.get();
  TickClock::Get();  // measured once, here
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    BeChild(plan, spec, ends[1]);
  }
  close(ends[1]);
  if (child < 0) {
    close(ends[0]);
    failure.Fail(std::string("fork: ") + std::strerror(errno));
    return failure;
  }
  std::string text;
  const std::string killed = Collect(plan, *progress.get(), child, ends[0], &text);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (plan.ends_by_kill && killed.empty() && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
    return failure;  // which has not failed
  }
  Result<RunResult> result = ParseResult(text);
  if (result.ok()) return *std::move(result);
  failure.Fail(killed.empty() ? HowItEnded(status) : killed);
  return failure;
}

}  // namespace varve::bench
