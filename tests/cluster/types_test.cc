#include "cluster/types.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace varve::cluster {
namespace types_test {

TEST(TypesTest, NumbersOfOneKindDoNotPassForAnother) {
  static_assert(!std::is_convertible_v<uint64_t, NodeId>);
  static_assert(!std::is_convertible_v<NodeId, uint64_t>);
  static_assert(!std::is_convertible_v<Epoch, NodeId>);
  EXPECT_LT(kNoEpoch, Next(kNoEpoch));
  EXPECT_EQ(Value(Next(Epoch{7})), 8u);
  EXPECT_EQ(Value(PartitionId{16383}), 16383u);
}

}  // namespace types_test
}  // namespace varve::cluster
