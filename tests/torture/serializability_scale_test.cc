// The checker of transactions on histories of a million: each answer, and how long it took, which is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/workload.h"
#include "torture/now.h"
#include "torture/serializability.h"

namespace varve::torture {
namespace serializability_scale_test {

// Transactions that run at `moments` one after another, each within its time, of which some overlap: two to five reads
// and up to two writes on `keys` keys.
std::vector<TransactionRecord> SerialHistory(size_t count, uint64_t keys, uint64_t seed) {
  Random random(seed);
  std::vector<std::string> contents(keys);
  std::vector<TransactionRecord> history(count);
  for (size_t i = 0; i < count; ++i) {
    TransactionRecord& record = history[i];
    const uint64_t moment = 1000 + i * 10;
    record.begin = moment - random.Uniform(40);
    record.end = moment + 1 + random.Uniform(40);
    record.is_committed = true;
    const uint64_t reads = 2 + random.Uniform(4);
    const uint64_t first = random.Uniform(keys);
    for (uint64_t r = 0; r < reads; ++r) {
      const uint64_t key = (first + r * 7) % keys;
      record.accesses.push_back({false, "key" + std::to_string(key), contents[key]});
      if (r >= 2) continue;
      contents[key] = std::to_string(i) + "." + std::to_string(r);
      record.accesses.push_back({true, "key" + std::to_string(key), contents[key]});
    }
  }
  return history;
}

TEST(SerializabilityScaleTest, ManyTransactions) {
  const size_t count = test::Scaled(50'000);
  std::vector<TransactionRecord> history = SerialHistory(count, std::max<uint64_t>(100, count / 100), 1);
  const uint64_t begun = MonotonicNow();
  EXPECT_EQ(FindAnomaly(history, Isolation::kSerializable), "");
  const double seconds = static_cast<double>(MonotonicNow() - begun) / 1e9;
  std::printf("  %zu transactions in %.2f s, %.2f s a million\n", count, seconds, seconds * 1e6 / static_cast<double>(count));
  EXPECT_EQ(FindAnomaly(history, Isolation::kSnapshot), "");

  // One that reads what had been replaced long before it began.
  TransactionRecord late;
  late.begin = late.end = history.back().end + 1;
  late.is_committed = true;
  late.accesses.push_back({false, history.front().accesses.front().key, ""});
  history.push_back(late);
  EXPECT_NE(FindAnomaly(history, Isolation::kSerializable).find("cycle"), std::string::npos);
}

}  // namespace serializability_scale_test
}  // namespace varve::torture
