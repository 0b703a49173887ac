#include "cluster/key_state.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"

namespace varve::cluster {
namespace key_state_test {

constexpr ActorId kA{1};
constexpr ActorId kB{2};
constexpr auto kSiblings = ConflictPolicy::kSiblings;
constexpr auto kLww = ConflictPolicy::kLww;

std::vector<std::string> ValuesOf(const KeyState& state) {
  std::vector<std::string> values;
  for (const Sibling& sibling : state.siblings()) values.push_back(sibling.value);
  return values;
}

using Values = std::vector<std::string>;

// A merged into B and B into A, as when both hear of each other.
void Exchange(KeyState* a, KeyState* b) {
  const KeyState before = *a;
  a->Merge(*b, kSiblings);
  b->Merge(before, kSiblings);
}

// The example of the requirement, step by step.
TEST(KeyStateTest, ConflictOfTheRequirementIsReturnedAndSettled) {
  KeyState a;
  KeyState b;
  a.Put({}, {kA, 1}, "foo", 0, kSiblings);  // [A:1], and replicated
  Exchange(&a, &b);
  a.Put(a.context(), {kA, 2}, "bar", 0, kSiblings);  // [A:2], and replicated
  Exchange(&a, &b);
  EXPECT_EQ(ValuesOf(b), Values{"bar"});
  // The network is cut.
  a.Put(a.context(), {kA, 3}, "baz", 0, kSiblings);  // [A:3]
  b.Put(b.context(), {kB, 1}, "bax", 0, kSiblings);  // [A:2][B:1]
  EXPECT_EQ(ValuesOf(a), Values{"baz"});
  EXPECT_EQ(ValuesOf(b), Values{"bax"});
  // It heals. Either server returns both.
  Exchange(&a, &b);
  EXPECT_EQ(a, b);
  EXPECT_EQ(ValuesOf(a), (Values{"baz", "bax"}));
  // The client settles it, at whichever server.
  b.Put(a.context(), {kB, 2}, "baz and bax", 0, kSiblings);
  Exchange(&a, &b);
  EXPECT_EQ(a, b);
  EXPECT_EQ(ValuesOf(a), Values{"baz and bax"});
}

// The dots between its writes are those of other keys: contexts stay small however many there were.
TEST(KeyStateTest, AMakerKnowsAllDotsBeforeItsOwn) {
  KeyState state;
  for (uint64_t counter = 3; counter <= 300; counter += 3) state.Put({}, {kA, counter}, "v", 0, kSiblings);
  EXPECT_TRUE(state.context().Covers(Dot{kA, 1}));
  EXPECT_TRUE(state.context().cloud().empty());
}

TEST(KeyStateTest, DeleteTakesWhatWasSeenAndNothingElse) {
  KeyState a;
  a.Put({}, {kA, 1}, "seen", 0, kSiblings);
  const CausalContext seen = a.context();
  a.Put({}, {kA, 2}, "unseen", 0, kSiblings);
  a.Delete(seen, {kA, 3}, 0, kSiblings);
  EXPECT_EQ(ValuesOf(a), Values{"unseen"});
  a.Delete(a.context(), {kA, 4}, 0, kSiblings);
  EXPECT_FALSE(a.HasValue());
  EXPECT_FALSE(a.IsUnknown());
}

TEST(KeyStateTest, LwwKeepsTheLatestAndDeletesAreWrites) {
  KeyState a;
  KeyState b;
  a.Put({}, {kA, 1}, "early", 10, kLww);
  b.Put({}, {kB, 1}, "late", 20, kLww);
  a.Merge(b, kLww);
  EXPECT_EQ(ValuesOf(a), Values{"late"});
  KeyState deleted = a;
  deleted.Delete(deleted.context(), {kB, 2}, 30, kLww);
  EXPECT_FALSE(deleted.HasValue());
  a.Put({}, {kA, 2}, "later", 40, kLww);
  a.Merge(deleted, kLww);
  EXPECT_EQ(ValuesOf(a), Values{"later"});
}

TEST(KeyStateTest, StampExceedsWhatIsOverwrittenWhateverTheClockSays) {
  KeyState a;
  a.Put({}, {kA, 1}, "v", 1000, kLww);
  EXPECT_EQ(a.StampFor({}, 5), 1001u);
  EXPECT_EQ(a.StampFor({CausalContext(), 2000}, 5), 2001u);
  EXPECT_EQ(a.StampFor({}, 5000), 5000u);
  EXPECT_EQ(a.StampFor({}, UINT64_MAX), kMaxStamp / 2);
}

TEST(KeyStateTest, FloorsAreLeftOutAndComeBack) {
  VersionVector floor;
  floor.Raise(kA, 5);
  KeyState state;
  state.Put({}, {kA, 3}, "v", 0, kSiblings);
  state.Put({}, {kB, 9}, "w", 0, kSiblings);
  state.Fill(floor);
  KeyState stripped = state;
  stripped.Strip(floor);
  EXPECT_LT(stripped.Encode().size(), state.Encode().size());
  EXPECT_STATUS(kCorruption, KeyState::Decode(stripped.Encode()));  // without its floor
  const auto filled = KeyState::Decode(stripped.Encode(), floor);
  ASSERT_OK(filled);
  EXPECT_EQ(*filled, state);
}

TEST(KeyStateTest, TombstonesGoOnlyBelowTheFloor) {
  KeyState state;
  state.Put({}, {kA, 3}, "v", 0, kSiblings);
  const KeyState late = state;
  VersionVector floor;
  floor.Raise(kA, 3);
  EXPECT_FALSE(state.IsReapable(floor));  // has a value
  state.Delete(state.context(), {kA, 4}, 0, kSiblings);
  EXPECT_FALSE(state.IsReapable(floor));
  floor.Raise(kA, 4);
  EXPECT_TRUE(state.IsReapable(floor));
  // What is absent, filled, still knows what comes late.
  KeyState absent;
  absent.Fill(floor);
  absent.Merge(late, kSiblings);
  EXPECT_FALSE(absent.HasValue());
}

KeyState RandomState(Random* random, ConflictPolicy policy) {
  KeyState state;
  uint64_t counters[4] = {};
  for (uint64_t i = random->Uniform(8); i > 0; --i) {
    KeyState other = state;
    const size_t actor = random->Uniform(4);
    const Dot dot{ActorId{static_cast<uint32_t>(1 + actor * 100)}, counters[actor] += 1 + random->Uniform(300)};
    const SeenContext seen = random->OneIn(2) ? SeenContext{} : other.Seen();
    const uint64_t stamp = policy == kLww ? other.StampFor(seen, random->Uniform(1000)) : 0;
    if (random->OneIn(4)) {
      other.Delete(seen.context, dot, stamp, policy);
    } else {
      other.Put(seen.context, dot, std::string(random->Uniform(300), 'x'), stamp, policy);
    }
    state.Merge(other, policy);
  }
  return state;
}

TEST(KeyStateTest, EncodingComesBack) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const KeyState state = RandomState(&random, random.OneIn(2) ? kLww : kSiblings);
    const auto decoded = KeyState::Decode(state.Encode());
    ASSERT_OK(decoded) << "seed " << seed;
    ASSERT_EQ(*decoded, state) << "seed " << seed;
  }
}

// Whatever is accepted is canonical: it has no other bytes.
TEST(KeyStateTest, NothingDecodesThatWouldNotBeEncodedSo) {
  size_t accepted = 0;
  for (uint64_t seed = 0; seed < varve::test::Scaled(20000); ++seed) {
    Random random(seed);
    std::string bytes = RandomState(&random, random.OneIn(2) ? kLww : kSiblings).Encode();
    for (uint64_t i = random.Uniform(4); i > 0; --i) {
      const size_t place = random.Uniform(bytes.size());
      switch (random.Uniform(4)) {
        case 0: bytes[place] = static_cast<char>(random.Uniform(6)); break;
        case 1: bytes[place] = static_cast<char>(bytes[place] ^ (1 << random.Uniform(8))); break;
        case 2: bytes.insert(place, 1, static_cast<char>(random.Next())); break;
        case 3: bytes.erase(place, 1); break;
      }
      if (bytes.empty()) break;
    }
    const auto decoded = KeyState::Decode(bytes);
    if (!decoded.ok()) {
      ASSERT_STATUS(kCorruption, decoded);
      continue;
    }
    ++accepted;
    ASSERT_EQ(decoded->Encode(), bytes) << "seed " << seed;
    KeyState merged = *decoded;
    merged.Merge(*decoded, kSiblings);
    ASSERT_EQ(merged, *decoded) << "seed " << seed;
  }
  EXPECT_GT(accepted, 0u);
}

TEST(KeyStateTest, MalformedBytes) {
  const auto decode = [](std::vector<int> bytes) {
    std::string text;
    for (const int byte : bytes) text.push_back(static_cast<char>(byte));
    return KeyState::Decode(text);
  };
  EXPECT_OK(decode({1, 1, 1, 5, 0, 1, 1, 5, 0, 1, 'v'}));  // {A:5}, one sibling
  EXPECT_OK(decode({1, 0, 0, 0}));                         // unknown
  EXPECT_STATUS(kCorruption, decode({}));
  EXPECT_STATUS(kCorruption, decode({2, 0, 0, 0}));                                  // version
  EXPECT_STATUS(kCorruption, decode({1, 0, 0, 0, 0}));                               // behind the end
  EXPECT_STATUS(kCorruption, decode({1, 0x80, 0, 0, 0}));                            // long varint
  EXPECT_STATUS(kCorruption, decode({1, 1, 0, 5, 0, 0}));                            // no actor
  EXPECT_STATUS(kCorruption, decode({1, 1, 1, 0, 0, 0}));                            // counter 0
  EXPECT_STATUS(kCorruption, decode({1, 2, 2, 5, 1, 5, 0, 0}));                      // order of actors
  EXPECT_STATUS(kCorruption, decode({1, 1, 1, 5, 1, 1, 5, 0}));                      // cloud in the vector
  EXPECT_STATUS(kCorruption, decode({1, 1, 1, 5, 1, 1, 6, 0}));                      // cloud that joins it
  EXPECT_STATUS(kCorruption, decode({1, 0, 1, 1, 1, 0}));                            // likewise
  EXPECT_OK(decode({1, 1, 1, 5, 1, 1, 7, 0}));
  EXPECT_STATUS(kCorruption, decode({1, 1, 1, 5, 0, 1, 1, 6, 0, 1, 'v'}));           // unknown sibling
  EXPECT_STATUS(kCorruption, decode({1, 1, 1, 5, 0, 1, 1, 5, 4, 1, 'v'}));           // flags
  EXPECT_STATUS(kCorruption, decode({1, 1, 1, 5, 0, 1, 1, 5, 1, 0, 1, 'v'}));        // stamp 0
  EXPECT_STATUS(kCorruption, decode({1, 1, 1, 5, 0, 2, 1, 5, 0, 0, 1, 5, 0, 0}));    // twice
  EXPECT_STATUS(kCorruption, decode({1, 1, 1, 5, 0, 1, 1, 5, 0, 2, 'v'}));           // cut off
  EXPECT_STATUS(kCorruption, decode({1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0}));       // more than there is
}

}  // namespace key_state_test
}  // namespace varve::cluster
