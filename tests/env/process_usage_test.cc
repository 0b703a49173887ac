// What the process says that it has used grows when it uses more.
#include "env/process_usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

namespace varve {
namespace process_usage_test {

TEST(ProcessUsage, GrowsWithUse) {
  const ProcessUsage before = ReadProcessUsage();
  EXPECT_EQ(before.process_id, ::getpid());
  EXPECT_GT(before.resident_bytes, 100'000u);
  std::vector<char> much(64 << 20, 'x');
  ProcessUsage after = ReadProcessUsage();
  EXPECT_GT(after.resident_bytes, before.resident_bytes + (32u << 20));
  while (after.user_micros + after.system_micros == before.user_micros + before.system_micros) {
    for (char& byte : much) byte = static_cast<char>(byte + 1);
    after = ReadProcessUsage();
  }
  EXPECT_GE(after.user_micros, before.user_micros);
}

}  // namespace process_usage_test
}  // namespace varve
