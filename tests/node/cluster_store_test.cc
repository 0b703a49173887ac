#include "node/cluster_store.h"

#include <gtest/gtest.h>

#include "node/member_address.h"

namespace varve::node {
namespace cluster_store_test {

TEST(MemberAddressTest, TextIsReadBackAsItWas) {
  for (const char* text : {"10.0.0.5:7379/6379", "[::1]:7001/6001", "a-b.example:1/c:65535", "a:1/[fe80::1]:2"}) {
    const Result<MemberAddress> address = ParseMemberAddress(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(FormatMemberAddress(*address), text);
  }
  EXPECT_EQ(ParseMemberAddress("[::1]:7001/6001")->clients, (PeerAddress{"::1", 6001}));
}

TEST(MemberAddressTest, NonsenseIsRefused) {
  for (const char* text : {"", "a", "a:1", "a:1/", "a/1", ":1/1", "a:0/1", "a:1/0", "a:65536/1", "a:1/b", "::1:1/1", "a b:1/1",
                           "[]:1/1", "a:1/1/1", "a:-1/1", "a:1x/1", "a=b:1/1"}) {
    EXPECT_FALSE(ParseMemberAddress(text).ok()) << text;
  }
}

}  // namespace cluster_store_test
}  // namespace varve::node
