#include "cluster/settings.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "tests/support/status_matchers.h"

namespace varve::cluster {
namespace settings_test {

TEST(ClusterSettingsTest, TextIsReadBackAsItWas) {
  ClusterSettings settings{.copies = 5, .read_quorum = 1, .write_quorum = 4, .policy = ConflictPolicy::kLww,
                           .secret = {0x0123456789abcdef, ~uint64_t{0}}};
  Result<ClusterSettings> read = DecodeClusterSettings(EncodeClusterSettings(settings));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, settings);
  ASSERT_OK(AddNamespace("a.B-_9", ConflictPolicy::kSiblings, 5, 1, &settings));
  ASSERT_OK(AddNamespace(std::string(64, 'x'), ConflictPolicy::kLww, 1, 1, &settings));
  read = DecodeClusterSettings(EncodeClusterSettings(settings));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, settings);
}

TEST(ClusterSettingsTest, NonsenseIsRefused) {
  for (const char* text : {"copies", "copies x\n", "copies 16\n", "read 4\n", "write 0\n", "conflicts no\n", "secret 12\n",
                           "namespace a\n", "namespace a lww 1 1 0\n", "namespace a lww 1 1 0 1 1\n", "namespace a/ lww 1 1 0 1\n",
                           "namespace a no 1 1 0 1\n", "namespace a lww 4 1 0 1\n", "namespace a lww 1 1 0 2\n",
                           "namespace a lww 1 1 0 0\n", "namespace a lww 1 1 9 1\n",
                           "namespace a lww 1 1 0 1\nnamespace a lww 1 1 0 1\n"}) {
    EXPECT_EQ(DecodeClusterSettings(text).status().code(), StatusCode::kCorruption) << text;
  }
  EXPECT_EQ(DecodeClusterSettings("colour red\n").status().code(), StatusCode::kNotSupported);
}

TEST(ClusterSettingsTest, NamespacesHaveLegalNamesAndQuorums) {
  ClusterSettings settings;
  for (const char* name : {"", "a/b", "a b", "@a", "{a}", "\xc3\xa4"}) {
    EXPECT_EQ(AddNamespace(name, {}, 2, 2, &settings).code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(AddNamespace(std::string(65, 'x'), {}, 2, 2, &settings).code(), StatusCode::kInvalidArgument);
  for (const auto& [r, w] : {std::pair{0u, 2u}, {2u, 0u}, {4u, 2u}, {2u, 4u}}) {
    EXPECT_EQ(AddNamespace("a", {}, r, w, &settings).code(), StatusCode::kInvalidArgument) << r << w;
  }
  EXPECT_EQ(settings.namespaces.size(), 0u);
  ASSERT_OK(AddNamespace("a", {}, 2, 2, &settings));
  EXPECT_EQ(AddNamespace("a", ConflictPolicy::kLww, 2, 2, &settings).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(SetNamespaceQuorums("b", 2, 2, &settings).code(), StatusCode::kNotFound);
  EXPECT_EQ(SetNamespaceQuorums("a", 2, 4, &settings).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(settings.namespaces.at("a").write_quorum, 2u);
}

// Nodes with the old quorums and nodes with the new ones read what the others write.
TEST(ClusterSettingsTest, QuorumsThatMeetMeetWhileTheyChange) {
  for (uint32_t copies = 1; copies <= 5; ++copies) {
    for (uint32_t i = 0; i < copies * copies * copies * copies; ++i) {
      const auto digit = [&](uint32_t place) { return i / place % copies + 1; };
      const uint32_t r = digit(1), w = digit(copies), r2 = digit(copies * copies), w2 = digit(copies * copies * copies);
      ClusterSettings settings{.copies = copies, .read_quorum = 1, .write_quorum = 1};
      ASSERT_OK(AddNamespace("a", {}, r, w, &settings));
      const Status status = SetNamespaceQuorums("a", r2, w2, &settings);
      const bool is_promised = r + w > copies && r2 + w2 > copies;
      EXPECT_EQ(status.ok(), !is_promised || (r + w2 > copies && r2 + w > copies)) << copies << r << w << r2 << w2;
    }
  }
}

TEST(ClusterSettingsTest, MovesKeepTheLeastThatEverHeld) {
  const auto rules = [](const ClusterSettings& settings) {
    const MoveRules least = MoveRulesOf(settings);
    return std::array{least.read_quorum, least.write_quorum};
  };
  using Rules = std::array<size_t, 2>;
  ClusterSettings settings;
  EXPECT_EQ(rules(settings), (Rules{0, 0}));
  ASSERT_OK(AddNamespace("all", {}, 1, 3, &settings));
  EXPECT_EQ(rules(settings), (Rules{1, 0}));
  ASSERT_OK(SetNamespaceQuorums("all", 2, 3, &settings));
  EXPECT_EQ(rules(settings), (Rules{1, 0}));  // reads by one replica may be under way
  // Nothing is promised to its reads, but its writes are not lost.
  settings = {};
  ASSERT_OK(AddNamespace("one", {}, 1, 1, &settings));
  EXPECT_EQ(rules(settings), (Rules{0, 1}));
  ASSERT_OK(SetNamespaceQuorums("one", 1, 3, &settings));
  ASSERT_OK(SetNamespaceQuorums("one", 2, 3, &settings));
  EXPECT_EQ(rules(settings), (Rules{1, 1}));
  EXPECT_EQ(rules({.copies = 3, .read_quorum = 1, .write_quorum = 3}), (Rules{1, 3}));
  // Majorities of fewer replicas than there should be are smaller than three.
  ClusterSettings seven{.copies = 7, .read_quorum = 4, .write_quorum = 4};
  ASSERT_OK(AddNamespace("three", {}, 5, 3, &seven));
  EXPECT_EQ(rules(seven), (Rules{0, 2}));
}

}  // namespace settings_test
}  // namespace varve::cluster
