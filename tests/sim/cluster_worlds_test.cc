// What worlds with namespaces, with two versions of the messages and with little room consist of; that their promises are kept is among the
// profiles of cluster_torture_test.cc.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/cluster_history.h"
#include "sim/cluster_namespaces.h"
#include "sim/cluster_scenario.h"
#include "sim/cluster_torture.h"
#include "sim/cluster_versions.h"
#include "tests/support/status_matchers.h"

namespace varve::sim {
namespace cluster_worlds_test {

ClusterOptions WithNamespaces() {
  ClusterOptions options;
  options.namespaces = {{"a", cluster::ConflictPolicy::kLww, 1, 3, false},
                        {"b", cluster::ConflictPolicy::kSiblings, 2, 2, true}};
  return options;
}

TEST(ClusterNamespacesTest, ARecordHoldsSettingsAndTopology) {
  const ClusterOptions options = WithNamespaces();
  const std::string settings = FirstSettingsOf(options);
  const std::string bytes = EncodeRecord(options, {settings, "topology"});
  EXPECT_EQ(SplitRecord(options, bytes).settings, settings);
  EXPECT_EQ(SplitRecord(options, bytes).topology, "topology");
  EXPECT_EQ(EncodeRecord(ClusterOptions(), {"", "topology"}), "topology") << "as it was before there were namespaces";
  EXPECT_EQ(SplitRecord(ClusterOptions(), "topology").topology, "topology");
}

TEST(ClusterNamespacesTest, TheOperatorWaitsForAllBeforeHeChangesWhatIsPromised) {
  const ClusterOptions options = WithNamespaces();
  auto settings = cluster::DecodeClusterSettings(FirstSettingsOf(options));
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->namespaces.size(), 1u) << "b comes later";
  Stream random(1, 1);
  const cluster::ClusterNamespace first = settings->namespaces.at("a");
  std::set<std::pair<uint32_t, uint32_t>> seen;
  for (int i = 0; i < 200; ++i) {
    ChangeSettings(options, false, &random, &*settings);
    const auto now = settings->namespaces.at("a");
    ASSERT_EQ(now, first);
  }
  EXPECT_EQ(settings->namespaces.size(), 2u);
  EXPECT_FALSE(AddMissing(options, &*settings));
  for (int i = 0; i < 200; ++i) {
    ChangeSettings(options, true, &random, &*settings);
    seen.insert({settings->namespaces.at("a").read_quorum, settings->namespaces.at("a").write_quorum});
  }
  EXPECT_GT(seen.size(), 3u);
}

TEST(ClusterNamespacesTest, KeysBelongToThemInTurnAndReplicasKnowThemByTheirPolicies) {
  const ClusterOptions options = WithNamespaces();
  const ClusterRun run(options);
  EXPECT_EQ(run.ReplicaKeyOf("key0"), "key0");
  for (const char* key : {"@a/key1", "@b/key2"}) {
    EXPECT_NE(run.ReplicaKeyOf(key), key);
    EXPECT_EQ(ClusterRun::ClientKeyOf(run.ReplicaKeyOf(key)), key);
  }
  EXPECT_EQ(ClusterRun::PolicyOf(options, "@a/key1"), cluster::ConflictPolicy::kLww);
  EXPECT_EQ(ClusterRun::PolicyOf(options, "@b/key2"), cluster::ConflictPolicy::kSiblings);
}

// One key, "@a/k" of the last writer or "@b/k" of siblings, and what a read of it is told.
class NumberedRequestsTest : public ::testing::Test {
 protected:
  static HistoryOptions Options() {
    HistoryOptions options;
    options.policy_of = [](std::string_view key) { return ClusterRun::PolicyOf(WithNamespaces(), key); };
    options.partition_of = [](std::string_view) { return cluster::PartitionId{0}; };
    options.moves = options.losses = true;
    return options;
  }
  void Put(const std::string& key, const std::string& value, uint64_t counter, uint32_t replicas) {
    const size_t number = history_.Begin({.kind = ClientOperation::Kind::kPut, .key = key, .value = value});
    history_.OnCoordinated(number, replicas, true);
    ASSERT_OK(history_.End(number, 1, cluster::Outcome::kOk, Seen(counter), {}));
  }
  Status Read(const std::string& key, uint64_t counter, std::vector<std::string> values, uint32_t replicas, bool is_promised) {
    const size_t number = history_.Begin({.key = key});
    history_.OnCoordinated(number, replicas, is_promised);
    return history_.End(number, 2, cluster::Outcome::kOk, Seen(counter), std::move(values));
  }
  static cluster::SeenContext Seen(uint64_t counter) {
    cluster::SeenContext seen;
    if (counter > 0) seen.context.Add({cluster::ActorId{1}, counter});
    return seen;
  }
  ClusterHistory history_{Options()};
};

TEST_F(NumberedRequestsTest, I2ReadsSeeWritesWhereTheNumbersSaySo) {
  Put("@b/k", "one", 1, 2);
  EXPECT_OK(Read("@b/k", 0, {}, 1, true)) << "1 + 2 is not more than 3";
  EXPECT_OK(Read("@b/k", 0, {}, 2, false)) << "of settings that promise nothing";
  EXPECT_TRUE(Read("@b/k", 0, {}, 2, true).IsCorruption());
}

TEST_F(NumberedRequestsTest, I2OneReplicaIsEnoughWhereAllAreRead) {
  Put("@b/k", "one", 1, 1);
  EXPECT_OK(Read("@b/k", 0, {}, 2, true));
  EXPECT_TRUE(Read("@b/k", 0, {}, 3, true).IsCorruption());
}

TEST_F(NumberedRequestsTest, I3EachKeyGoesByThePolicyOfItsNamespace) {
  for (const std::string key : {"@a/k", "@b/k"}) {
    Put(key, key + "one", key == "@a/k" ? 1 : 3, 2);
    Put(key, key + "two", key == "@a/k" ? 2 : 4, 2);
  }
  cluster::SeenContext both;
  const auto read = [&](const std::string& key, std::vector<std::string> values, uint64_t first) {
    const size_t number = history_.Begin({.key = key});
    both = Seen(first);
    both.context.Add({cluster::ActorId{1}, first + 1});
    return history_.End(number, 3, cluster::Outcome::kOk, both, std::move(values));
  };
  EXPECT_OK(read("@b/k", {"@b/kone", "@b/ktwo"}, 3));
  EXPECT_TRUE(read("@b/k", {"@b/ktwo"}, 3).IsCorruption()) << "leaves one out";
  EXPECT_OK(read("@a/k", {"@a/ktwo"}, 1));
  EXPECT_TRUE(read("@a/k", {"@a/kone", "@a/ktwo"}, 1).IsCorruption()) << "the last writer wins";
}

RunResult RunSeed(uint64_t seed, ClusterScenario* scenario, const ClusterOptions& options) {
  const Schedule schedule =
      RandomSchedule(seed, options.nodes + options.spares, options.clients + 1, FaultOptionsFor(options));
  return World(scenario, seed, schedule, WorldOptionsFor(options)).Run();
}

TEST(ClusterNamespacesTest, RequestsGoByNumbersThatChange) {
  std::set<uint32_t> replicas;
  size_t unpromised = 0;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const ClusterOptions options = RandomClusterOptions(seed, 5, Profile::kNamespaces);
    ClusterScenario scenario(options);
    ASSERT_OK(RunSeed(seed, &scenario, options).status);
    for (const ClientOperation& operation : scenario.run().history.operations()) {
      replicas.insert(operation.replicas);
      unpromised += operation.is_promised ? 0 : 1;
    }
  }
  EXPECT_GE(replicas.size(), 4u) << "none, and 1 to 3";
  EXPECT_GT(unpromised, 0u);
}

TEST(ClusterVersionsTest, ALaterMessageIsTakenApartOrRefused) {
  std::string bytes = std::string{kThisVersion, 7, 1, 2};
  const std::string before = bytes;
  for (const uint64_t size : {0, 8, 255}) {
    ToLater(size, &bytes);
    EXPECT_TRUE(IsLater(bytes));
    EXPECT_EQ(bytes.size(), before.size() + size + 1);
    EXPECT_TRUE(FromLater(&bytes));
    EXPECT_EQ(bytes, before);
  }
  std::string news = News(true);
  EXPECT_TRUE(IsLater(news));
  EXPECT_FALSE(FromLater(&news));
  EXPECT_FALSE(IsLater(News(false)));
}

// I14: pairs of the later version speak it, while others are there.
TEST(ClusterVersionsTest, TwoVersionsLiveInOneCluster) {
  size_t rolling = 0;
  size_t later = 0;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const ClusterOptions options = RandomClusterOptions(seed, 5, Profile::kVersions);
    if (!options.is_rolling) continue;
    ClusterScenario scenario(options);
    ASSERT_OK(RunSeed(seed, &scenario, options).status);
    ++rolling;
    std::set<char> versions;
    for (const auto& [node, version] : scenario.run().versions) versions.insert(version);
    later += versions.size() == 2 && scenario.run().later_messages > 100 ? 1 : 0;
  }
  EXPECT_GE(rolling, 3u);
  EXPECT_GE(later, 1u);
}

// I11: where there is room for little all of it is taken, and no more.
TEST(ClusterBoundsTest, WorldsComeToTheirBounds) {
  size_t requests = 0, queued = 0, hints = 0, siblings = 0;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const ClusterOptions options = RandomClusterOptions(seed, 5, Profile::kBounds);
    ClusterScenario scenario(options);
    ASSERT_OK(RunSeed(seed, &scenario, options).status) << seed;
    const Figures& highest = scenario.run().bounds.highest();
    requests += highest.operations == options.max_requests ? 1 : 0;
    queued += highest.queued >= options.max_queued ? 1 : 0;
    hints += 10 * highest.hint_bytes >= 4 * options.hint_bytes ? 1 : 0;  // of one owner are half of them
    siblings += highest.siblings >= options.max_siblings ? 1 : 0;
  }
  for (const size_t worlds : {requests, queued, hints, siblings}) EXPECT_GE(worlds, 2u);
}

}  // namespace cluster_worlds_test
}  // namespace varve::sim
