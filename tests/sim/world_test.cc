#include "sim/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/register.h"
#include "tests/support/status_matchers.h"

namespace varve::sim {
namespace world_test {

// Two endpoints. Number 0 sends a number to 1 every 10 ms, and counts its lives on its disk; both watch the store, which
// 0 changes every second.
struct Seen {
  std::vector<std::pair<Nanos, uint64_t>> messages;  // at 1: when, which
  std::vector<Nanos> ticks;                          // of 0, by the world's clock
  std::vector<Nanos> walls;
  std::vector<uint64_t> watched;  // by 1
  std::vector<uint64_t> read;
  uint64_t swaps = 0;             // that 0 knows of
  std::vector<std::string> disks;  // what each life of 0 has found
  uint64_t failed_syncs = 0;
};

class Ticker : public Node {
 public:
  Ticker(Endpoint self, const Disk* disk, Seen* seen, const Nanos* world_now)
      : self_(self), disk_(disk), seen_(seen), world_now_(world_now) {}
  void OnStart(Time, Actions* actions) override {
    actions->WatchStore();
    if (self_ == 1) return;
    seen_->disks.push_back(std::string(disk_->Read("a").value_or("")) + "/" + std::string(disk_->Read("b").value_or("")));
    actions->Write("a", "synced");
    actions->Sync(1);
    actions->SetTimer(1, 10 * kMillisecond);
  }
  void OnMessage(Endpoint, std::string_view bytes, Time now, Actions*) override {
    seen_->messages.push_back({now.monotonic, std::stoull(std::string(bytes))});
  }
  void OnTimer(uint64_t, Time now, Actions* actions) override {
    seen_->ticks.push_back(*world_now_);
    seen_->walls.push_back(now.wall);
    actions->Send(1, std::to_string(++count_));
    if (count_ % 100 == 0) {
      actions->SwapStore(1, revision_, "x" + std::to_string(revision_));
      actions->ReadStore(2);
    }
    actions->SetTimer(1, 10 * kMillisecond);
  }
  void OnSynced(uint64_t, bool ok, Time, Actions* actions) override {
    seen_->failed_syncs += ok ? 0 : 1;
    if (ok) actions->Write("b", "not synced");
  }
  void OnStore(const StoreReply& reply, Time, Actions*) override {
    if (self_ == 1) return seen_->watched.push_back(reply.revision);
    if (reply.kind == StoreReply::Kind::kRead) seen_->read.push_back(reply.revision);
    if (reply.kind == StoreReply::Kind::kCompareAndSwap) seen_->swaps += reply.is_swapped ? 1 : 0;
    revision_ = std::max(revision_, reply.revision);
  }

 private:
  const Endpoint self_;
  const Disk* const disk_;
  Seen* const seen_;
  const Nanos* const world_now_;
  uint64_t count_ = 0;
  uint64_t revision_ = 1;
};

class TickerScenario : public Scenario {
 public:
  uint32_t servers() const override { return 2; }
  uint32_t clients() const override { return 0; }
  std::unique_ptr<Node> NewNode(Endpoint endpoint, const Disk* disk, uint64_t) override {
    return std::make_unique<Ticker>(endpoint, disk, &seen, &now_);
  }
  Status Check(const World& world) override {
    now_ = world.now();
    return Status::Ok();
  }
  Seen seen;

 private:
  Nanos now_ = 0;  // of the event before
};

Seen RunWith(const Schedule& schedule, uint64_t seed = 1) {
  TickerScenario scenario;
  WorldOptions options;
  options.calm = 0;
  const RunResult result = World(&scenario, seed, schedule, options).Run();
  EXPECT_OK(result.status);
  return scenario.seen;
}

size_t CountBetween(const std::vector<Nanos>& times, Nanos begin, Nanos end) {
  return static_cast<size_t>(std::count_if(times.begin(), times.end(), [&](Nanos t) { return t >= begin && t < end; }));
}
size_t Arrived(const Seen& seen, Nanos begin, Nanos end) {
  std::vector<Nanos> times;
  for (const auto& message : seen.messages) times.push_back(message.first);
  return CountBetween(times, begin, end);
}

constexpr Nanos kFrom = 2 * kSecond;
constexpr Nanos kLong = 2 * kSecond;
constexpr Nanos kInside = kFrom + 100 * kMillisecond;
constexpr Nanos kUntil = kFrom + kLong;

TEST(WorldTest, WithoutFaultsEverythingArrivesOnce) {
  const Seen seen = RunWith({});
  EXPECT_GE(seen.messages.size(), 990u);
  std::map<uint64_t, int> count;
  for (const auto& message : seen.messages) ++count[message.second];
  for (const auto& [number, times] : count) EXPECT_EQ(times, 1) << number;
  EXPECT_EQ(seen.swaps, seen.watched.size());
  EXPECT_EQ(seen.disks, (std::vector<std::string>{"/"}));
}

TEST(WorldTest, NetworkFaults) {
  EXPECT_EQ(Arrived(RunWith({{FaultKind::kCut, kFrom, kLong, 0, 1, 0}}), kInside, kUntil), 0u);
  EXPECT_GT(Arrived(RunWith({{FaultKind::kCut, kFrom, kLong, 1, 0, 0}}), kInside, kUntil), 100u);  // the other way
  EXPECT_EQ(Arrived(RunWith({{FaultKind::kSplit, kFrom, kLong, 0, 0, 0b001}}), kInside, kUntil), 0u);
  EXPECT_GT(Arrived(RunWith({{FaultKind::kSplit, kFrom, kLong, 0, 0, 0b011}}), kInside, kUntil), 100u);
  const Seen clogged = RunWith({{FaultKind::kClog, kFrom, kLong, 0, 1, 0}});
  EXPECT_EQ(Arrived(clogged, kInside, kUntil), 0u);
  EXPECT_GE(clogged.messages.size(), 990u);  // late, and all of them
  const size_t lost = 200 - Arrived(RunWith({{FaultKind::kLose, kFrom, kLong, 0, 0, 500}}), kFrom, kUntil);
  EXPECT_GT(lost, 50u);
  EXPECT_LT(lost, 150u);
  EXPECT_GT(RunWith({{FaultKind::kDuplicate, kFrom, kLong, 0, 0, 500}}).messages.size(), 1050u);
  const Seen delayed = RunWith({{FaultKind::kDelay, kFrom, kLong, 0, 0, kSecond}});
  EXPECT_FALSE(std::is_sorted(delayed.messages.begin(), delayed.messages.end(),
                              [](const auto& a, const auto& b) { return a.second < b.second; }));
}

TEST(WorldTest, FaultsOfMachines) {
  const Schedule overlapping = {{FaultKind::kCrash, kFrom, kLong, 0, 0, 0},
                                {FaultKind::kCrash, kFrom + kSecond, kLong, 0, 0, 0}};
  EXPECT_EQ(CountBetween(RunWith(overlapping).ticks, kInside, kUntil + kSecond), 0u);
  EXPECT_EQ(RunWith(overlapping).disks, (std::vector<std::string>{"/", "synced/not synced"}));
  EXPECT_EQ(RunWith({{FaultKind::kWipe, kFrom, kLong, 0, 0, 0}}).disks, (std::vector<std::string>{"/", "/"}));
  std::map<std::string, int> after;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    ++after[RunWith({{FaultKind::kPowerCut, kFrom, kLong, 0, 0, 0}}, seed).disks.back()];
  }
  EXPECT_GT(after["synced/"], 0);            // lost
  EXPECT_GT(after["synced/not synced"], 0);  // kept
  EXPECT_GT(after.size(), 2u);               // torn
  for (const auto& [found, times] : after) EXPECT_EQ(found.rfind("synced/", 0), 0u) << found;

  // What it had at first is what it has again; nothing else tells.
  EXPECT_EQ(RunWith({{FaultKind::kRestore, 0, kUntil, 0, 0, 0}}).disks.back(), "synced/");
  EXPECT_EQ(RunWith({{FaultKind::kRestore, kFrom, kLong, 0, 0, 0}}).disks.back(), "synced/not synced");

  const Seen paused = RunWith({{FaultKind::kPause, kFrom, kLong, 1, 0, 0}});
  EXPECT_EQ(Arrived(paused, kInside, kUntil), 0u);
  EXPECT_GE(paused.messages.size(), 990u);
  EXPECT_EQ(RunWith({{FaultKind::kFailedSync, 0, kLong, 0, 0, 0}}).failed_syncs, 1u);
}

TEST(WorldTest, Clocks) {
  constexpr uint64_t kNoRate = uint64_t{1} << 31;
  constexpr uint64_t kNoJump = uint64_t{1} << 63;
  const Schedule fast = {{FaultKind::kClockRate, kFrom, kLong, 0, 0, kNoRate + 50'000}};
  EXPECT_NEAR(static_cast<double>(CountBetween(RunWith(fast).ticks, kFrom, kUntil)), 210, 2);
  const Seen back = RunWith({{FaultKind::kClockJump, kFrom, 1, 0, 0, kNoJump - 5 * kSecond}});
  EXPECT_FALSE(std::is_sorted(back.walls.begin(), back.walls.end()));
  const Seen calm = RunWith({});
  EXPECT_TRUE(std::is_sorted(calm.walls.begin(), calm.walls.end()));
  EXPECT_EQ(back.ticks.size(), calm.ticks.size());  // timers do not jump
}

TEST(WorldTest, FaultsOfTheTopologyStore) {
  const Seen calm = RunWith({});
  const Seen unwatched = RunWith({{FaultKind::kStoreNoWatch, kFrom, 4 * kSecond, 0, 0, 0}});
  EXPECT_LT(unwatched.watched.size(), calm.watched.size());
  EXPECT_EQ(unwatched.swaps, calm.swaps);
  const Seen silent = RunWith({{FaultKind::kStoreNoReply, kFrom, 4 * kSecond, 0, 0, 0}});
  EXPECT_LT(silent.swaps, calm.swaps);
  EXPECT_GT(silent.watched.size(), silent.swaps);  // they took effect all the same
  const Seen stale = RunWith({{FaultKind::kStoreStale, kFrom, 6 * kSecond, 0, 0, 3}});
  EXPECT_FALSE(std::is_sorted(stale.read.begin(), stale.read.end()) && stale.read == calm.read);
  EXPECT_EQ(stale.swaps, calm.swaps);
  const Seen stalled = RunWith({{FaultKind::kStoreStall, kFrom, 4 * kSecond, 0, 0, 0}});
  EXPECT_LT(stalled.swaps, calm.swaps);
}

TEST(WorldTest, SameSeedSameTrace) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    uint64_t traces[2];
    for (uint64_t& trace : traces) {
      test::RegisterScenario scenario(test::Mistake::kNone);
      trace = World(&scenario, seed, RandomSchedule(seed, 3, 3, {}), {}).Run().trace;
    }
    EXPECT_EQ(traces[0], traces[1]) << "seed " << seed;
    test::RegisterScenario scenario(test::Mistake::kNone);
    EXPECT_NE(World(&scenario, seed + 1, RandomSchedule(seed, 3, 3, {}), {}).Run().trace, traces[0]);
  }
}

TEST(FaultTest, SchedulesKeepTheirLimitsAndComeBackFromText) {
  FaultOptions options;
  options.most_wiped = 1;
  size_t kinds[kFaultKinds] = {};
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const Schedule schedule = RandomSchedule(seed, 5, 2, options);
    uint64_t wiped = 0;
    for (const Fault& fault : schedule) {
      ++kinds[static_cast<size_t>(fault.kind)];
      EXPECT_LE(fault.at + fault.length, options.duration);
      wiped += fault.kind == FaultKind::kWipe ? 1 : 0;
    }
    EXPECT_LE(wiped, 1u);
    auto read_back = ParseSchedule(ToText(schedule));
    ASSERT_OK(read_back);
    EXPECT_EQ(*read_back, schedule);
  }
  for (size_t kind = 0; kind < kFaultKinds; ++kind) {
    EXPECT_EQ(kinds[kind] > 0, (kOrdinaryFaults >> kind & 1) != 0) << kind;
  }
  options.Only({FaultKind::kRestore, FaultKind::kCut});
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (const Fault& fault : RandomSchedule(seed, 5, 2, options)) {
      ++kinds[static_cast<size_t>(FaultKind::kRestore)];
      EXPECT_TRUE(fault.kind == FaultKind::kRestore || fault.kind == FaultKind::kCut);
    }
  }
  EXPECT_GT(kinds[static_cast<size_t>(FaultKind::kRestore)], 0u);
  EXPECT_STATUS(kInvalidArgument, ParseSchedule("cut 1 2 3 4\n"));
  EXPECT_STATUS(kInvalidArgument, ParseSchedule("cut 1 2 3 4 5 6\n"));
  EXPECT_STATUS(kInvalidArgument, ParseSchedule("hew 1 2 3 4 5\n"));
  EXPECT_STATUS(kInvalidArgument, ParseSchedule("cut 1 2 99999999999 4 5\n"));
}

}  // namespace world_test
}  // namespace varve::sim
