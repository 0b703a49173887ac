// Clients, coordinators, replicas and hints under loss, doubling, delay, cuts and crashes: what clients were told
// against what replicas have. A failure names its seed; VARVE_TEST_SEED=<seed> runs that one alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/cluster/core_world.h"
#include "tests/support/workload.h"

namespace varve::cluster::test {
namespace quorum_campaign_test {

constexpr int kReplicas = 3;

class Campaign {
 public:
  Campaign(uint64_t seed, Level level, bool sloppy, ConflictPolicy policy = ConflictPolicy::kSiblings)
      : world_(seed, kReplicas, 2, policy), level_(level), sloppy_(sloppy), policy_(policy) {}

  // How many requests have ended well.
  size_t successes() {
    return static_cast<size_t>(std::count_if(world_.records().begin(), world_.records().end(), [](const auto& r) {
      return r.finished == 1 && r.outcome == Outcome::kOk;
    }));
  }

  std::string Run() {
    CoreWorld::Faults faults;
    faults.loss = world_.random().OneIn(2) ? 0.0 : 0.1 * world_.random().NextDouble();
    faults.doubling = world_.random().OneIn(2) ? 0.0 : 0.1 * world_.random().NextDouble();
    world_.set_faults(faults);
    const bool crashes = world_.random().OneIn(2);
    for (int i = 0; i < 400; ++i) {
      if (world_.random().OneIn(6)) Request();
      if (world_.random().OneIn(60)) Fault(crashes);
      world_.Step();
    }
    world_.set_faults({});
    world_.HealAll();
    for (size_t i = 0; i < world_.nodes().size(); ++i) {
      if (!world_.nodes()[i].is_up) world_.Restart(i);
    }
    world_.SettleHints();
    // Reads of all replicas repair what hints have not.
    for (const std::string& key : kKeys) world_.Get(0, key, world_.Options(Level::kAll));
    world_.Settle();
    for (const auto& check : {&Campaign::CheckEnds, &Campaign::CheckReplicas, &Campaign::CheckWrites,
                              &Campaign::CheckReads, &Campaign::CheckLinear}) {
      const std::string wrong = (this->*check)();
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

 private:
  inline static const std::vector<std::string> kKeys = {"a", "b"};

  size_t SomeNodeThatIsUp() {
    while (true) {
      const size_t node = world_.random().Uniform(world_.nodes().size());
      if (world_.nodes()[node].is_up) return node;
    }
  }

  void Request() {
    Random& random = world_.random();
    const std::string& key = kKeys[random.Uniform(kKeys.size())];
    RequestOptions options = world_.Options(level_, kMilli * (50 + random.Uniform(1500)));
    options.sloppy = sloppy_;
    if (random.OneIn(2)) {
      world_.Get(SomeNodeThatIsUp(), key, options);
      return;
    }
    // The context of an earlier reply, of whatever kind, or none.
    SeenContext seen;
    const size_t earlier = random.Uniform(world_.records().size() + 1);
    if (earlier < world_.records().size() && world_.records()[earlier].key == key) {
      seen = world_.records()[earlier].seen;
    }
    const std::string value = random.OneIn(5) ? "" : "v" + std::to_string(world_.records().size());
    world_.Put(SomeNodeThatIsUp(), key, value, seen, options);
  }

  void Fault(bool crashes) {
    Random& random = world_.random();
    const size_t node = random.Uniform(world_.nodes().size());
    switch (random.Uniform(4)) {
      case 0: world_.Cut(node, random.Uniform(world_.nodes().size() - 1)); break;
      case 1: world_.HealAll(); break;
      default:
        if (!crashes) break;
        if (!world_.nodes()[node].is_up) {
          world_.Restart(node);
        } else if (std::count_if(world_.nodes().begin(), world_.nodes().end(),
                                 [](const auto& n) { return n.is_up; }) > 1) {
          world_.Crash(node);
        }
    }
  }

  static std::string Name(const Record& record) {
    return (record.is_get ? "get of " : "put of ") + record.value + " " + record.key + " begun at " +
           std::to_string(record.begun / kMilli);
  }

  // Everybody is told once, and not long after the deadline.
  std::string CheckEnds() {
    for (const Record& record : world_.records()) {
      if (record.coordinator_died) continue;
      if (record.finished != 1) return Name(record) + " ended " + std::to_string(record.finished) + " times";
      if (record.ended > record.options.deadline + 25 * kMilli) return Name(record) + " ended late";
    }
    for (const auto& node : world_.nodes()) {
      if (node.coordinator->operations() != 0) return "an operation has not gone";
      if (node.keeper->hints() != 0 || node.keeper->bytes() != 0) return "a hint has not gone";
      if (node.replica->queued() != 0) return "a replica has not done everything";
    }
    return "";
  }

  // All are equal, and their trees are those of what they store.
  std::string CheckReplicas() {
    for (size_t i = 0; i < kReplicas; ++i) {
      const auto& node = world_.nodes()[i];
      if (node.stored != world_.nodes()[0].stored) return "replicas differ";
      HashTree tree;
      for (const auto& [key, bytes] : node.stored) tree.Change(key, 0, HashTree::HashOf(key, bytes));
      for (uint32_t branch = 0; branch < HashTree::kFanOut; ++branch) {
        if (tree.Under(branch) != node.replica->tree().Under(branch)) return "a hash tree is wrong";
      }
      if (tree.Under(HashTree::kRoot) != node.replica->tree().Under(HashTree::kRoot)) return "its root is";
    }
    return "";
  }

  // What was acknowledged is there, or was overwritten by who had seen it; what failed is nowhere.
  std::string CheckWrites() {
    for (const Record& record : world_.records()) {
      if (record.is_get || record.finished == 0) continue;
      const KeyState state = world_.StateOf(0, record.key);
      bool is_there = false;
      for (const Sibling& sibling : state.siblings()) is_there |= sibling.value == record.value;
      if (record.outcome == Outcome::kFailed) {
        if (is_there && !record.value.empty()) return Name(record) + " failed and is there";
        for (const Record& read : world_.records()) {
          if (std::find(read.values.begin(), read.values.end(), record.value) != read.values.end()) {
            return Name(record) + " failed and was read";
          }
        }
      }
      if (record.outcome != Outcome::kOk) continue;
      if (!state.context().Covers(record.seen.context)) return Name(record) + " is lost";
      if (policy_ == ConflictPolicy::kLww || record.value.empty() || is_there) continue;
      if (!WasOverwritten(record)) return Name(record) + " has vanished";
    }
    return "";
  }

  // By a write whose client had seen it.
  bool WasOverwritten(const Record& lost) {
    CausalContext own = lost.seen.context;
    for (const Record& record : world_.records()) {
      if (record.is_get || record.key != lost.key || &record == &lost) continue;
      if (record.finished == 1 && record.outcome == Outcome::kFailed) continue;
      if (record.brought.context.Covers(own)) return true;
    }
    return false;
  }

  // R + W > N: a read sees every write that was acknowledged before it began.
  std::string CheckReads() {
    if (sloppy_ || level_ == Level::kOne) return "";
    for (const Record& read : world_.records()) {
      if (!read.is_get || read.finished == 0 || read.outcome != Outcome::kOk) continue;
      for (const Record& write : world_.records()) {
        if (write.is_get || write.key != read.key || write.finished == 0) continue;
        if (write.outcome != Outcome::kOk || write.ended >= read.begun) continue;
        if (!read.seen.context.Covers(write.seen.context)) return Name(read) + " misses " + Name(write);
      }
    }
    return "";
  }

  // Any two reads are comparable, and in the order of time.
  std::string CheckLinear() {
    if (level_ != Level::kLinear) return "";
    for (const Record& one : world_.records()) {
      for (const Record& other : world_.records()) {
        if (!one.is_get || !other.is_get || one.key != other.key) continue;
        if (one.finished == 0 || other.finished == 0) continue;
        if (one.outcome != Outcome::kOk || other.outcome != Outcome::kOk) continue;
        const bool covers = other.seen.context.Covers(one.seen.context);
        if (!covers && !one.seen.context.Covers(other.seen.context)) return Name(one) + " is incomparable";
        if (!covers && one.ended < other.begun) return Name(other) + " goes back behind " + Name(one);
      }
    }
    return "";
  }

  CoreWorld world_;
  const Level level_;
  const bool sloppy_;
  const ConflictPolicy policy_;
};

void RunSeeds(Level level, bool sloppy, ConflictPolicy policy = ConflictPolicy::kSiblings) {
  uint64_t first = 0;
  size_t successes = 0;
  uint64_t last = varve::test::Scaled(150);
  if (const char* seed = std::getenv("VARVE_TEST_SEED")) {
    first = std::strtoull(seed, nullptr, 10);
    last = first + 1;
  }
  for (uint64_t seed = first; seed < last; ++seed) {
    Campaign campaign(seed, level, sloppy, policy);
    ASSERT_EQ(campaign.Run(), "") << "VARVE_TEST_SEED=" << seed;
    successes += campaign.successes();
  }
  EXPECT_GT(successes, 8 * (last - first));  // else nothing has been looked at
}

TEST(QuorumCampaignTest, Quorum) { RunSeeds(Level::kQuorum, false); }
TEST(QuorumCampaignTest, One) { RunSeeds(Level::kOne, false); }
TEST(QuorumCampaignTest, All) { RunSeeds(Level::kAll, false); }
TEST(QuorumCampaignTest, Linear) { RunSeeds(Level::kLinear, false); }
TEST(QuorumCampaignTest, SloppyQuorum) { RunSeeds(Level::kQuorum, true); }
TEST(QuorumCampaignTest, Lww) { RunSeeds(Level::kQuorum, false, ConflictPolicy::kLww); }

}  // namespace quorum_campaign_test
}  // namespace varve::cluster::test
