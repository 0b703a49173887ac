#include "format/expiry.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/format/test_bytes.h"

namespace varve {
namespace expiry_test {

constexpr uint64_t kNow = 1'700'000'000'000;

TEST(ExpirySummaryTest, NeverCountsTheLivingAndIsAQuarterLateAtMost) {
  Random random(1);
  ExpirySummaryBuilder builder(kNow);
  std::vector<std::pair<uint64_t, uint64_t>> added;  // deadline and bytes
  for (int i = 0; i < 5000; ++i) {
    // From milliseconds to millennia, and some that are past.
    const uint64_t distance = random.Next() >> (17 + random.Uniform(47));
    const uint64_t deadline = random.OneIn(20) ? kNow - distance % kNow : kNow + distance;
    added.push_back({std::min(deadline, kMaxDeadline), 1 + random.Uniform(1000)});
    builder.Add(added.back().first, added.back().second);
  }
  const ExpirySummary summary = builder.Finish();
  EXPECT_EQ(summary.entry_count, added.size());
  EXPECT_LE(summary.shares.size(), 188u);
  for (int i = 0; i < 3000; ++i) {
    const uint64_t later = random.Next() >> (17 + random.Uniform(47));
    const uint64_t at = std::min(kNow + later, kMaxDeadline);
    const uint64_t early = kNow + (at - kNow) * 4 / 5;  // what expired by then has been counted
    uint64_t expired = 0;
    uint64_t expired_early = 0;
    for (const auto& [deadline, bytes] : added) {
      if (deadline <= at) expired += bytes;
      if (deadline < early) expired_early += bytes;
    }
    ASSERT_LE(summary.ExpiredBytes(at), expired) << later;
    ASSERT_GE(summary.ExpiredBytes(at), expired_early) << later;
  }
  EXPECT_EQ(summary.ExpiredBytes(summary.min_deadline - 1), 0u);
}

TEST(ExpirySummaryTest, AllIsExpiredAtTheLastDeadline) {
  ExpirySummaryBuilder builder(kNow);
  builder.Add(kNow + 1000, 5);
  builder.Add(kNow + 1001, 6);
  const ExpirySummary summary = builder.Finish();
  EXPECT_EQ(summary.min_deadline, kNow + 1000);
  EXPECT_EQ(summary.max_deadline, kNow + 1001);
  EXPECT_EQ(summary.ExpiredBytes(kNow + 1001), 11u);
  EXPECT_TRUE(ExpirySummaryBuilder(kNow).Finish().empty());
}

TEST(ExpirySummaryTest, ComesBackAndCutOffBytesAreRefused) {
  ExpirySummaryBuilder builder(kNow);
  for (uint64_t i = 0; i < 60'000; i += 7) builder.Add(kNow + i, 100 + i);
  const ExpirySummary summary = builder.Finish();
  std::string bytes;
  AppendExpirySummary(summary, &bytes);
  std::string_view from = bytes;
  ExpirySummary decoded;
  ASSERT_TRUE(ConsumeExpirySummary(&from, &decoded));
  EXPECT_TRUE(from.empty());
  EXPECT_TRUE(decoded == summary);
  for (size_t size = 0; size < bytes.size(); ++size) {
    from = std::string_view(bytes).substr(0, size);
    EXPECT_FALSE(ConsumeExpirySummary(&from, &decoded)) << size;
  }
}

TEST(ExpiryTest, TheRuleOfLife) {
  const auto stored = [](EntryKind kind) {
    std::string bytes;
    AppendFixed(&bytes, EncodeDeadline(1000, kind));
    return bytes;
  };
  for (const EntryKind kind : {EntryKind::kExpiringValue, EntryKind::kExpiringPointer}) {
    EXPECT_TRUE(IsLive(kind, stored(kind), [] { return uint64_t{999}; }));
    EXPECT_FALSE(IsLive(kind, stored(kind), [] { return uint64_t{1000}; }));
  }
  const auto never_asked = []() -> uint64_t {
    ADD_FAILURE() << "the clock was read for nothing";
    return 0;
  };
  EXPECT_TRUE(IsLive(EntryKind::kValue, "", never_asked));
  EXPECT_TRUE(IsLive(EntryKind::kValuePointer, "", never_asked));
  EXPECT_FALSE(IsLive(EntryKind::kDelete, "", never_asked));
}

}  // namespace expiry_test
}  // namespace varve
