#include "cluster/key_namespace.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "cluster/slot.h"

namespace varve::cluster {
namespace key_namespace_test {

TEST(KeyNamespaceTest, KeysSayTheirNamespace) {
  EXPECT_EQ(NamespaceOf("@orders/17"), "orders");
  EXPECT_EQ(NamespaceOf("@orders/"), "orders");
  EXPECT_EQ(NamespaceOf("@orders/a/b"), "orders");
  EXPECT_EQ(NamespaceOf("@orders"), "");
  EXPECT_EQ(NamespaceOf("@"), "");
  EXPECT_EQ(NamespaceOf("@/x"), "");
  for (const char* key : {"", "orders/17", "a@orders/17", "{@orders/}17", " @orders/17"}) {
    EXPECT_EQ(NamespaceOf(key), std::nullopt) << key;
  }
}

TEST(KeyNamespaceTest, ReplicasKnowKeysByDifferentNames) {
  std::set<std::string> names;
  size_t count = 0;
  for (const char* key : {"", "17", "@a/17", "@a/17=", "@a/17>", "@b/17", "@b/17=", "17=", "17>"}) {
    for (const ConflictPolicy policy : {ConflictPolicy::kSiblings, ConflictPolicy::kLww}) {
      const std::string name = ReplicaKey(key, policy);
      const bool is_new = names.insert(name).second;
      const bool is_default = !NamespaceOf(key);
      EXPECT_TRUE(is_new || (is_default && policy == ConflictPolicy::kLww)) << key;
      count += is_new;
      EXPECT_EQ(SlotOfReplicaKey(name), SlotOf(key)) << key;
      for (const ConflictPolicy of_default : {ConflictPolicy::kSiblings, ConflictPolicy::kLww}) {
        EXPECT_EQ(PolicyOfReplicaKey(name, of_default), is_default ? of_default : policy) << key;
      }
    }
  }
  EXPECT_EQ(count, names.size());
}

TEST(KeyNamespaceTest, TagsOfSlotsWorkInNamespaces) {
  EXPECT_EQ(SlotOfReplicaKey(ReplicaKey("@a/{user7}name", ConflictPolicy::kLww)), SlotOf("user7"));
  EXPECT_EQ(SlotOfReplicaKey(ReplicaKey("{user7}mail", ConflictPolicy::kLww)), SlotOf("user7"));
}

}  // namespace key_namespace_test
}  // namespace varve::cluster
