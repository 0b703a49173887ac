#include "cluster/context_token.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace varve::cluster {
namespace context_token_test {

constexpr ContextTokens::Secret kOld{1, {11, 12}};
constexpr ContextTokens::Secret kNew{2, {21, 22}};

SeenContext SomeContext() {
  SeenContext seen;
  seen.context.Raise(ActorId{3}, 300);
  seen.context.Raise(ActorId{70000}, 2);
  seen.context.Add({ActorId{3}, 305});
  seen.stamp = 1'700'000'000'000'000;
  return seen;
}

TEST(ContextTokenTest, ComesBack) {
  const ContextTokens tokens({kOld});
  for (const SeenContext& seen : {SeenContext{}, SomeContext()}) {
    const auto opened = tokens.Open(7, "key", tokens.Seal(7, "key", seen));
    ASSERT_OK(opened);
    EXPECT_EQ(opened->value(), seen);
  }
}

TEST(ContextTokenTest, NoTokenHasSeenNothing) {
  const auto opened = ContextTokens({kOld}).Open(7, "key", "");
  ASSERT_OK(opened);
  EXPECT_EQ(opened->value(), SeenContext{});
}

TEST(ContextTokenTest, IsOfOneKeyOfOneNamespace) {
  const ContextTokens tokens({kOld});
  const std::string token = tokens.Seal(7, "key", SomeContext());
  EXPECT_STATUS(kInvalidArgument, tokens.Open(7, "kez", token));
  EXPECT_STATUS(kInvalidArgument, tokens.Open(7, "ke", token));
  EXPECT_STATUS(kInvalidArgument, tokens.Open(8, "key", token));
}

TEST(ContextTokenTest, EveryChangeIsRefused) {
  const ContextTokens tokens({kOld, kNew});
  const std::string token = tokens.Seal(7, "key", SomeContext());
  for (size_t bit = 0; bit < token.size() * 8; ++bit) {
    std::string changed = token;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    const auto opened = tokens.Open(7, "key", changed);
    // Another secret's id may be one that is gone; then it is a context of nothing.
    EXPECT_FALSE(opened.ok() && opened->has_value()) << "bit " << bit;
  }
  for (size_t size = 1; size < token.size(); ++size) {
    EXPECT_STATUS(kInvalidArgument, tokens.Open(7, "key", token.substr(0, size)));
  }
  EXPECT_STATUS(kInvalidArgument, tokens.Open(7, "key", token + '\0'));
}

TEST(ContextTokenTest, SecretsAreChangedWithoutLosingAWrite) {
  const std::string token = ContextTokens({kOld}).Seal(7, "key", SomeContext());
  const ContextTokens both({kNew, kOld});
  EXPECT_EQ(both.Open(7, "key", token)->value(), SomeContext());
  EXPECT_EQ(ContextTokens({kNew}).Open(7, "key", both.Seal(7, "key", SomeContext()))->value(), SomeContext());
  // Signed by one that is gone: no error, but nothing seen.
  const auto retired = ContextTokens({kNew}).Open(7, "key", token);
  ASSERT_OK(retired);
  EXPECT_FALSE(retired->has_value());
}

}  // namespace context_token_test
}  // namespace varve::cluster
