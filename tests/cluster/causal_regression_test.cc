// What went wrong in other systems, played against the kernel.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/dot_source.h"
#include "cluster/key_state.h"

namespace varve::cluster {
namespace causal_regression_test {

constexpr ActorId kA{1};
constexpr ActorId kB{2};
constexpr ActorId kC{3};
constexpr auto kSiblings = ConflictPolicy::kSiblings;

std::vector<std::string> ValuesOf(const KeyState& state) {
  std::vector<std::string> values;
  for (const Sibling& sibling : state.siblings()) values.push_back(sibling.value);
  return values;
}

using Values = std::vector<std::string>;

Dot NextOf(DotSource* source) {
  if (const auto end = source->LeaseToExtend()) source->OnLeaseDurable(*end);
  const auto dot = source->Next();
  EXPECT_TRUE(dot.has_value());
  return dot.value_or(Dot{});
}

void Put(KeyState* state, DotSource* dots, const CausalContext& seen, const std::string& value) {
  state->Put(seen, NextOf(dots), value, 0, kSiblings);
}

// Riak, kv679: a replica deletes and forgets a key, starts counting anew, and its next put looks old.
TEST(CausalRegressionTest, PutAfterAForgottenDeleteIsNotTakenForAnOldOne) {
  DotSource dots(kA, 0);
  KeyState a;
  Put(&a, &dots, {}, "first");
  a.Delete(a.context(), NextOf(&dots), 0, kSiblings);
  const KeyState b = a;  // the tombstone, elsewhere
  a = KeyState();        // erased, by whatever mistake
  Put(&a, &dots, {}, "second");
  a.Merge(b, kSiblings);
  EXPECT_EQ(ValuesOf(a), Values{"second"});
}

// The same over a crash: the counter on disk lags, the lease does not.
TEST(CausalRegressionTest, DotsAreNotGivenAgainAfterACrash) {
  DotSource dots(kA, 0, 16);
  KeyState a;
  for (int i = 0; i < 5; ++i) Put(&a, &dots, {}, "before");
  DotSource again(kA, 16, 16);  // what is durable of the counter is the end of its lease
  Put(&a, &again, {}, "after");
  EXPECT_EQ(a.siblings().size(), 6u);
  EXPECT_EQ(a.siblings().back().dot.counter, 17u);
}

// The same over a power cut that took the tail of an unsynced log, while others have what was in it. With
// its old actor the node would cover what it no longer knows; the new one has nothing to do with that.
TEST(CausalRegressionTest, LostTailLivesOnElsewhere) {
  DotSource dots(kA, 0);
  KeyState a;
  Put(&a, &dots, {}, "lost here");
  KeyState b = a;
  a = KeyState();
  DotSource next(kC, 0);
  Put(&a, &next, {}, "new");
  b.Merge(a, kSiblings);
  EXPECT_EQ(ValuesOf(b), (Values{"lost here", "new"}));
}

// The same over a disk that was replaced: the others know dots of this actor that it has never given.
TEST(CausalRegressionTest, AnActorThatHasForgottenStopsMakingDots) {
  DotSource dots(kA, 0);
  KeyState b;
  Put(&b, &dots, {}, "before");
  DotSource forgetful(kA, 0);
  forgetful.OnLeaseDurable(100);
  EXPECT_TRUE(forgetful.IsSound());
  EXPECT_FALSE(forgetful.Observe(b.context()));
  EXPECT_FALSE(forgetful.IsSound());
  EXPECT_FALSE(forgetful.Next().has_value());
  EXPECT_FALSE(forgetful.LeaseToExtend().has_value());
  // Single dots beyond the vector are proof as well.
  DotSource other(kA, 0);
  CausalContext cloud;
  cloud.Add({kA, 9});
  EXPECT_FALSE(other.Observe(cloud));
}

TEST(DotSourceTest, NothingIsGivenWithoutADurableLease) {
  DotSource dots(kA, 0, 8);
  EXPECT_FALSE(dots.Next().has_value());
  EXPECT_EQ(dots.LeaseToExtend(), 8u);
  EXPECT_FALSE(dots.Next().has_value());
  dots.OnLeaseDurable(8);
  for (uint64_t i = 1; i <= 8; ++i) {
    EXPECT_EQ(dots.LeaseToExtend().has_value(), i > 4) << i;
    EXPECT_EQ(dots.Next(), (Dot{kA, i}));
  }
  EXPECT_FALSE(dots.Next().has_value());
  EXPECT_FALSE(DotSource(kNoActor, 100).Next().has_value());
}

// Sibling explosion: two clients that take turns, each with the context of its last reply. Clocks of servers
// without dots end with a sibling for each put.
TEST(CausalRegressionTest, ClientsThatTakeTurnsMakeNoMoreSiblingsThanClients) {
  DotSource dots(kA, 0);
  KeyState a;
  CausalContext mine;
  CausalContext yours;
  for (int i = 0; i < 100; ++i) {
    for (CausalContext* client : {&mine, &yours}) {
      const Dot dot = NextOf(&dots);
      a.Put(*client, dot, std::to_string(i), 0, kSiblings);
      client->Add(dot);  // the context of the reply: what was seen, and this put
    }
    EXPECT_LE(a.siblings().size(), 2u);
  }
  EXPECT_EQ(ValuesOf(a), (Values{"99", "99"}));
}

// One that reads before each put, and one that never does.
TEST(CausalRegressionTest, ReaderSettlesWhatBlindWritersLeave) {
  DotSource dots(kA, 0);
  KeyState a;
  for (int i = 0; i < 100; ++i) {
    a.Put({}, NextOf(&dots), "blind", 0, kSiblings);
    a.Put(a.context(), NextOf(&dots), "settled", 0, kSiblings);
    EXPECT_EQ(ValuesOf(a), Values{"settled"});
  }
}

// The context of a put's reply that names the whole clock of the replica erases what others have put.
TEST(CausalRegressionTest, ContextOfAReplyErasesNothingThatItsClientHasNotSeen) {
  DotSource dots(kA, 0);
  KeyState a;
  Put(&a, &dots, {}, "of another client");
  const Dot dot = NextOf(&dots);
  a.Put({}, dot, "mine", 0, kSiblings);
  CausalContext reply;
  reply.Add(dot);
  Put(&a, &dots, reply, "mine, again");
  EXPECT_EQ(ValuesOf(a), (Values{"of another client", "mine, again"}));
}

// Cassandra: a replica that slept through a delete and the collection of its tombstone brings the value back.
TEST(CausalRegressionTest, ReplicaThatSleptThroughADeleteBringsNothingBack) {
  DotSource dots(kA, 0);
  KeyState a;
  Put(&a, &dots, {}, "deleted");
  KeyState sleeper = a;
  a.Delete(a.context(), NextOf(&dots), 0, kSiblings);
  // As long as somebody may have the value there is no floor, and the tombstone stays.
  VersionVector floor;
  EXPECT_FALSE(a.IsReapable(floor));
  // After the round in which the sleeper has merged the delete, it goes everywhere.
  KeyState late = sleeper;  // and a copy on its way for a month
  sleeper.Merge(a, kSiblings);
  floor.Raise(kA, dots.last());
  EXPECT_TRUE(a.IsReapable(floor));
  EXPECT_TRUE(sleeper.IsReapable(floor));
  KeyState absent;
  absent.Fill(floor);
  absent.Merge(late, kSiblings);
  EXPECT_FALSE(absent.HasValue());
  // What is put afterwards is new, also in the eyes of those that still have the tombstone.
  Put(&absent, &dots, {}, "new");
  a.Merge(absent, kSiblings);
  EXPECT_EQ(ValuesOf(a), Values{"new"});
}

// Dynamo and Riak cut clocks that grow: then old values look concurrent with what replaced them. Here
// contexts have as many entries as there are actors since the last floor, however often they write.
TEST(CausalRegressionTest, ContextsDoNotGrowWithWrites) {
  std::vector<DotSource> dots = {DotSource(kA, 0), DotSource(kB, 0), DotSource(kC, 0)};
  std::vector<KeyState> replicas(3);
  for (int i = 0; i < 999; ++i) {
    KeyState& at = replicas[static_cast<size_t>(i) % 3];
    const size_t actor = static_cast<size_t>(i) % 3;
    at.Merge(replicas[(actor + 2) % 3], kSiblings);
    Put(&at, &dots[actor], at.context(), "v");
    EXPECT_LE(at.context().vector().entries().size() + at.context().cloud().size(), 3u);
  }
  VersionVector floor;
  for (const DotSource& source : dots) floor.Raise(source.actor(), source.last());
  KeyState at = replicas[998 % 3];
  at.Fill(floor);
  at.Strip(floor);
  EXPECT_TRUE(at.context().empty());
}

// LWW with clocks alone: what was written after reading the newest value loses to it.
TEST(CausalRegressionTest, SlowClockDoesNotLoseWritesUnderLww) {
  KeyState state;
  state.Put({}, {kA, 1}, "by a fast clock", state.StampFor({}, 1'000'000), ConflictPolicy::kLww);
  const SeenContext seen = state.Seen();
  KeyState elsewhere;  // a replica that has nothing, and is late
  elsewhere.Put(seen.context, {kB, 1}, "by a slow clock", elsewhere.StampFor(seen, 5), ConflictPolicy::kLww);
  state.Merge(elsewhere, ConflictPolicy::kLww);
  EXPECT_EQ(ValuesOf(state), Values{"by a slow clock"});
}

}  // namespace causal_regression_test
}  // namespace varve::cluster
