// Random stories of whole nodes: clients read and write while messages are lost and doubled, nodes crash and are cut off,
// members join and leave, and the store is away. Then all faults end, and everything must come to rest and agree.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/cluster/node_world.h"
#include "tests/support/workload.h"

namespace varve::cluster::test {
namespace node_campaign_test {

constexpr size_t kNodes = 6;
constexpr int kKeys = 8;

class Story {
 public:
  Story(uint64_t seed, ConflictPolicy policy, Level level, bool sloppy)
      : policy_(policy), level_(level), sloppy_(sloppy), world_(seed, kNodes, 4 + seed % 2, 2, 3, policy) {}

  void Play() {
    ASSERT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
    world_.set_faults({.loss = 0.02, .doubling = 0.03});
    for (int act = 0; act < 250; ++act) {
      Act();
      for (uint64_t steps = world_.random().Uniform(150); steps > 0; --steps) world_.Step();
    }
    world_.set_faults({});
    world_.HealAll();
    world_.set_store_is_away(false);
    for (size_t node = 0; node < kNodes; ++node) {
      if (!world_.nodes()[node].core) world_.Boot(node);
    }
    world_.Change([](TopologyChange*) {});
    world_.Run(5 * kSeconds);  // all requests end
    ASSERT_TRUE(world_.RunUntil([this] { return world_.IsSettled() && world_.AreReplicasEqual() && HaveNoHints(); }))
        << (world_.IsSettled() ? "" : "something moves; ") << (HaveNoHints() ? "" : "hints; ")
        << (world_.AreReplicasEqual() ? "" : "replicas differ");
    Check();
  }

 private:
  bool HaveNoHints() {
    for (size_t node = 0; node < kNodes; ++node) {
      if (world_.core(node).status().hints != 0) return false;
    }
    return true;
  }
  bool IsMember(size_t node) const {
    const Topology topology = world_.topology();
    const Member* member = topology.Find(NodeId{node + 1});
    return member != nullptr && member->state != MemberState::kRemoved;
  }

  void Act() {
    Random& random = world_.random();
    const size_t node = random.Uniform(kNodes);
    const std::string key = "key" + std::to_string(random.Uniform(kKeys));
    const bool is_up = world_.nodes()[node].core != nullptr;
    const uint64_t what = random.Uniform(100);
    if (what < 45) {
      if (!is_up) return;
      const bool is_delete = random.OneIn(5);
      const std::string value = is_delete ? "" : "v" + std::to_string(world_.told().size());
      const SeenContext seen = random.OneIn(4) ? SeenContext{} : seen_[key];
      world_.Put(node, key, value, seen, level_, 2 * kSeconds, sloppy_);
    } else if (what < 80) {
      if (is_up) world_.Get(node, key, level_, 2 * kSeconds);
    } else if (what < 85) {
      if (is_up && down_ == 0 && ++down_ == 1) world_.Crash(node);
    } else if (what < 90) {
      for (size_t other = 0; other < kNodes; ++other) {
        if (world_.nodes()[other].core) continue;
        world_.Boot(other, random.OneIn(3));
        --down_;
      }
    } else if (what < 93) {
      world_.Cut(node, random.Uniform(kNodes));
    } else if (what < 96) {
      world_.HealAll();
    } else if (what < 97) {
      world_.set_store_is_away(random.OneIn(2));
    } else {
      ChangeMembers(node);
    }
    TakeContexts();
  }
  void ChangeMembers(size_t node) {
    const Topology topology = world_.topology();
    const Member* member = topology.Find(NodeId{node + 1});
    if (member == nullptr) {
      world_.Join(node);
    } else if (member->state == MemberState::kUp && !has_left_) {
      has_left_ = true;
      world_.Leave(node);
    }
  }
  void TakeContexts() {
    for (; taken_ < world_.told().size(); ++taken_) {
      const Told& told = world_.told()[taken_];
      if (told.finished == 0 && !told.node_died) break;
      if (told.outcome == Outcome::kOk) seen_[told.key] = told.seen;
    }
  }

  void Check() {
    const std::vector<Told> stories = world_.told();
    std::map<std::string, std::set<std::string>> failed;
    for (size_t i = 0; i < stories.size(); ++i) {
      const Told& told = stories[i];
      ASSERT_LE(told.finished, 1);
      ASSERT_TRUE(told.finished == 1 || told.node_died) << "request " << i << " has no end";
      if (!told.is_get && told.finished == 1 && told.outcome == Outcome::kFailed) failed[told.key].insert(told.value);
    }
    for (size_t i = 0; i < stories.size(); ++i) {
      const Told& get = stories[i];
      if (!get.is_get || get.finished == 0 || get.outcome != Outcome::kOk) continue;
      CheckGet(get, stories, failed, i);
    }
    for (int key = 0; key < kKeys; ++key) {
      const std::string name = "key" + std::to_string(key);
      size_t reader = 0;
      while (!IsMember(reader)) ++reader;
      const Told get = world_.GetNow(reader, name, Level::kAll);
      ASSERT_EQ(get.outcome, Outcome::kOk);
      CheckGet(get, stories, failed, stories.size());
      CheckLast(get, stories);
    }
  }
  // What was acknowledged before it began is known; what has failed is not there; nothing is there twice.
  void CheckGet(const Told& get, const std::vector<Told>& stories,
                std::map<std::string, std::set<std::string>>& failed, size_t number) {
    std::set<std::string> values(get.values.begin(), get.values.end());
    ASSERT_EQ(values.size(), get.values.size()) << "a value twice, read by " << number;
    for (const std::string& value : values) {
      ASSERT_FALSE(failed[get.key].contains(value)) << value << " had failed, read by " << number;
    }
    for (size_t i = 0; i < stories.size(); ++i) {
      const Told& put = stories[i];
      if (put.key != get.key || put.finished == 0 || put.outcome != Outcome::kOk) continue;
      // What hints count for is there in the end, and not for all reads before.
      if (sloppy_ && number < stories.size()) continue;
      if (put.ended >= get.begun || (put.is_get && level_ != Level::kLinear)) continue;
      ASSERT_TRUE(get.seen.context.Covers(put.seen.context)) << (put.is_get ? "get " : "put ") << i << " not seen by " << number;
    }
  }
  // An acknowledged value is there, or somebody who knew it has written since.
  void CheckLast(const Told& get, const std::vector<Told>& stories) {
    if (policy_ == ConflictPolicy::kLww) {
      ASSERT_LE(get.values.size(), 1u);
      return;
    }
    const std::set<std::string> values(get.values.begin(), get.values.end());
    for (size_t i = 0; i < stories.size(); ++i) {
      const Told& put = stories[i];
      if (put.is_get || put.key != get.key || put.finished == 0 || put.outcome != Outcome::kOk) continue;
      if (put.value.empty() || values.contains(put.value)) continue;
      bool is_settled = false;
      for (const Told& other : stories) {
        const bool knew = !other.is_get && &other != &put && other.key == put.key &&
                          other.brought.context.Covers(put.seen.context);
        is_settled = is_settled || knew;
      }
      ASSERT_TRUE(is_settled) << "put " << i << " of " << put.value << " is lost";
    }
  }

  const ConflictPolicy policy_;
  const Level level_;
  const bool sloppy_;
  NodeWorld world_;
  std::map<std::string, SeenContext> seen_;
  size_t taken_ = 0;
  int down_ = 0;
  bool has_left_ = false;
};

void PlayAll(ConflictPolicy policy, uint64_t first, Level level = Level::kQuorum, bool sloppy = false) {
  if (const char* seed = std::getenv("VARVE_TEST_SEED")) {
    Story(std::strtoull(seed, nullptr, 10), policy, level, sloppy).Play();
    return;
  }
  for (uint64_t seed = first; seed < first + varve::test::Scaled(60); ++seed) {
    SCOPED_TRACE("VARVE_TEST_SEED=" + std::to_string(seed));
    Story(seed, policy, level, sloppy).Play();
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(NodeCampaignTest, NothingIsLostWithSiblings) { PlayAll(ConflictPolicy::kSiblings, 1'000); }
TEST(NodeCampaignTest, NothingIsLostWithLastWriterWins) { PlayAll(ConflictPolicy::kLww, 2'000); }
TEST(NodeCampaignTest, SloppyWritesArriveInTheEnd) {
  PlayAll(ConflictPolicy::kSiblings, 4'000, Level::kQuorum, true);
}
TEST(NodeCampaignTest, LinearReadsNeverGoBack) { PlayAll(ConflictPolicy::kSiblings, 3'000, Level::kLinear); }

}  // namespace node_campaign_test
}  // namespace varve::cluster::test
