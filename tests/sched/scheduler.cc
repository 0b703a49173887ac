#include "tests/sched/scheduler.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "tests/sched/fiber.h"
#include "tests/sched/heap.h"
#include "tests/sched/runtime.h"

namespace varve::sched {

thread_local constinit Task* current = nullptr;
constinit Counter counter;
Shared* shared = nullptr;

namespace {

constexpr int kMaxTasks = 64;
constexpr int64_t kFirstPriority = 1'000'000;
constexpr uint64_t kNanosPerPoint = 20;
constexpr uint64_t kPassedNanos = 2'000'000;

// Of the process: one schedule runs at a time. Only the thread that runs looks at it.
struct Run {
  Options options;
  const Schedule* schedule = nullptr;
  size_t next_change = 0;
  bool traces = false;
  int64_t lowest = 0, highest = 0;
  uint64_t turn_began = 0;
  uint64_t time_passed = 0;
  uint64_t switches = 0;
  uint64_t hash = 0;
  int tasks = 0;
  Task task[kMaxTasks];
  Task* running = nullptr;
  Fiber outside;  // who has asked for the schedule
};
Run run;

uint64_t Mix(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9e3779b97f4a7c15u ^ (b + 0x632be59bd9b4e019u);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// While one lives, the thread is inside of the scheduler: what it does there is no point.
class Inside {
 public:
  Inside() : self_(current) { current = nullptr; }
  ~Inside() { current = self_; }
  Task* self() const { return self_; }

 private:
  Task* const self_;
};

bool CanRun(const Task& task) { return !task.is_finished && task.waits == Waits::kNot; }

void SetNextEvent() {
  const auto& changes = run.schedule->changes;
  uint64_t next = std::min(run.options.max_points, run.turn_began + run.options.max_turn);
  if (run.next_change < changes.size()) next = std::min(next, changes[run.next_change].point);
  counter.next_event = run.traces ? 0 : next;
}

Task* HighestRunnable() {
  Task* best = nullptr;
  for (int i = 0; i < run.tasks; ++i) {
    Task& task = run.task[i];
    if (CanRun(task) && (best == nullptr || task.priority > best->priority)) best = &task;
  }
  return best;
}

void EndWait(Task* task, bool timed_out) {
  if (timed_out) {
    const uint64_t now = NowNanos();
    if (task->deadline > now) run.time_passed += task->deadline - now;
  }
  task->has_timed_out = timed_out;
  task->waits = Waits::kNot;
  task->waits_for = nullptr;
  task->deadline = kNever;
}

std::string DescribeWaits() {
  static constexpr const char* kNames[] = {"runs", "a mutex", "a condition", "an atomic", "a thread", "time"};
  std::string text;
  for (int i = 0; i < run.tasks; ++i) {
    if (run.task[i].is_finished) continue;
    text += " T" + std::to_string(i) + " waits for " + kNames[static_cast<int>(run.task[i].waits)] + ";";
  }
  return text;
}

// Who runs next. With nobody able to, the wait that has the nearest limit ends.
Task* Next() {
  Task* next = HighestRunnable();
  if (next != nullptr) return next;
  for (int i = 0; i < run.tasks; ++i) {
    Task& task = run.task[i];
    if (task.is_finished || task.deadline == kNever) continue;
    if (next == nullptr || task.deadline < next->deadline) next = &task;
  }
  if (next == nullptr) Fail("deadlock:" + DescribeWaits());
  EndWait(next, true);
  return next;
}

void NoteSwitch(const Task* from, const Task* to) {
  ++run.switches;
  run.turn_began = counter.point;
  if (!run.traces || shared == nullptr) return;
  shared->trace[shared->traced++ % Shared::kSwitches] = {counter.point, from->id,    to->id,   from->op,
                                                         to->op,        from->place, to->place};
}

void SwitchFrom(Task* self) {
  Task* next = Next();
  if (next == self) {
    SetNextEvent();
    return;
  }
  NoteSwitch(self, next);
  SetNextEvent();
  run.running = next;
  Fiber::Jump(&self->fiber, &next->fiber);
}

// The one among those that `fits`, chosen by `choice`; nullptr when there is none.
template <typename Fits>
Task* Choose(uint64_t choice, Fits fits) {
  int count = 0;
  for (int i = 0; i < run.tasks; ++i) count += !run.task[i].is_finished && fits(run.task[i]);
  if (count == 0) return nullptr;
  int left = static_cast<int>(choice % static_cast<uint64_t>(count));
  for (int i = 0; i < run.tasks; ++i) {
    if (!run.task[i].is_finished && fits(run.task[i]) && left-- == 0) return &run.task[i];
  }
  return nullptr;
}

void Apply(const Change& change, Task* self) {
  Task* task = nullptr;
  switch (change.kind) {
    case Change::Kind::kLower:
      self->priority = --run.lowest;
      return;
    case Change::Kind::kRaise:
      task = Choose(change.choice, CanRun);
      if (task != nullptr) task->priority = ++run.highest;
      return;
    case Change::Kind::kTimeout:
      task = Choose(change.choice, [](const Task& t) { return t.deadline != kNever; });
      if (task != nullptr) EndWait(task, true);
      break;
    case Change::Kind::kSpurious:
      task = Choose(change.choice, [](const Task& t) { return t.waits == Waits::kForCondition; });
      if (task != nullptr) EndWait(task, false);
      break;
    case Change::Kind::kPassTime:
      run.time_passed += kPassedNanos;
      return;
  }
  if (task != nullptr) task->priority = ++run.highest;
}

// The last that a thread does.
void EndTask(Task* self) {
  // What its thread_local variables have registered, last one first, as a thread of the system does it.
  while (!self->at_end.empty()) {
    const AtEnd call = self->at_end.back();
    self->at_end.pop_back();
    call.function(call.object);
  }
  AtPoint(Op::kEnd, nullptr);
  Inside inside;
  self->is_finished = true;
  for (int i = 0; i < run.tasks; ++i) {
    if (run.task[i].waits == Waits::kForThread && run.task[i].waits_for == self) EndWait(&run.task[i], false);
  }
  if (self->id != 0) SwitchFrom(self);
  const bool all_have_ended =
      std::all_of(run.task, run.task + run.tasks, [](const Task& task) { return task.is_finished; });
  if (!all_have_ended) Fail("the program has ended, some of its threads have not");
  Fiber::Jump(&self->fiber, &run.outside);
}

void TaskMain() {
  Task* self = run.running;
  current = self;
  self->body();
  self->body = nullptr;
  EndTask(self);
}

Task* NewTask(std::function<void()> body) {
  if (run.tasks == kMaxTasks) Fail("too many threads");
  Task& task = run.task[run.tasks];
  task.id = run.tasks++;
  task.priority = kFirstPriority + static_cast<int64_t>(Mix(run.schedule->seed, task.id) % kFirstPriority);
  task.waits = Waits::kNot;
  task.waits_for = nullptr;
  task.deadline = kNever;
  task.is_finished = false;
  task.guarded = 0;
  task.op = Op::kStart;
  task.place = nullptr;
  task.body = std::move(body);
  task.fiber.Reset(TaskMain);
  return &task;
}

}  // namespace

uint64_t NowNanos() { return 1'000'000'000 + counter.point * kNanosPerPoint + run.time_passed; }

void Point() { AtPoint(Op::kPoint, __builtin_return_address(0)); }

void TakePoint(Op op, const void* place) {
  Inside inside;
  Task* self = inside.self();
  self->op = op;
  self->place = place;
  if (run.traces) run.hash = Mix(run.hash, static_cast<uint64_t>(self->id) << 8 | static_cast<uint64_t>(op));
  if (self->guarded > 0) {
    counter.next_event = counter.point + 1;
    return;
  }
  if (counter.point >= run.options.max_points) Fail("the program does not end:" + DescribeWaits());
  const auto& changes = run.schedule->changes;
  while (run.next_change < changes.size() && changes[run.next_change].point <= counter.point) {
    Apply(changes[run.next_change++], self);
  }
  if (counter.point >= run.turn_began + run.options.max_turn) {
    self->priority = --run.lowest;
    run.turn_began = counter.point;
  }
  SwitchFrom(self);
}

bool Block(Waits why, const void* what, uint64_t deadline) {
  Inside inside;
  Task* self = inside.self();
  self->waits = why;
  self->waits_for = what;
  self->deadline = deadline;
  SwitchFrom(self);
  return !self->has_timed_out;
}

int Wake(Waits why, const void* what, int count) {
  Inside inside;
  int woken = 0;
  while (woken < count) {
    Task* task = Choose(Mix(run.schedule->seed, counter.point), [&](const Task& other) {
      return other.waits == why && other.waits_for == what;
    });
    if (task == nullptr) break;
    EndWait(task, false);
    ++woken;
  }
  if (woken > 0) counter.next_event = 0;  // one of them may go first
  return woken;
}

void LowerSelf() { current->priority = --run.lowest; }

void EnterGuarded() { ++current->guarded; }
void LeaveGuarded() { --current->guarded; }

Thread::Thread(std::function<void()> body) {
  AtPoint(Op::kStart, __builtin_return_address(0));
  Inside inside;
  id_ = NewTask(std::move(body))->id;
  counter.next_event = 0;  // it may go first
}

Thread::~Thread() {
  AtPoint(Op::kJoin, __builtin_return_address(0));
  Task* task = &run.task[id_];
  while (!task->is_finished) Block(Waits::kForThread, task, kNever);
}

Alone::Alone() : self_(current) { current = nullptr; }
Alone::~Alone() { current = static_cast<Task*>(self_); }

void Fail(const std::string& what) {
  current = nullptr;
  if (shared != nullptr) {
    shared->has_failed = true;
    shared->run_points = counter.point;
    shared->trace_hash = run.hash;
    const size_t bytes = std::min(what.size(), sizeof(shared->message) - 1);
    std::memcpy(shared->message, what.data(), bytes);
    shared->message[bytes] = '\0';
  }
  _exit(1);
}

RunCounts RunSchedule(const Options& options, const Schedule& schedule, bool traces,
                      const std::function<void()>& program) {
  run.options = options;
  run.schedule = &schedule;
  run.next_change = 0;
  run.traces = traces;
  run.lowest = 1000;
  run.highest = 3 * kFirstPriority;
  run.turn_began = run.time_passed = run.switches = run.hash = 0;
  run.tasks = 0;
  counter.point = 0;
  SetNextEvent();
  run.outside.AdoptThread();
  run.running = NewTask(program);
  Fiber::Jump(&run.outside, &run.running->fiber);
  EndHeapOfRun();
  if (shared != nullptr) {
    shared->trace_hash = run.hash;
    shared->run_points = counter.point;
  }
  return {counter.point, run.switches};
}

}  // namespace varve::sched
