#include "net/output_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "base/random.h"
#include "tests/support/workload.h"

namespace varve::net {
namespace output_buffer_test {

// What Pieces shows up to `end`.
std::string Shown(const OutputBuffer& buffer, uint64_t end, int max_pieces) {
  std::array<iovec, 16> pieces;
  const int count = buffer.Pieces(end, pieces.data(), max_pieces);
  EXPECT_LE(count, max_pieces);
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    EXPECT_GT(pieces[static_cast<size_t>(i)].iov_len, 0u);
    bytes.append(static_cast<const char*>(pieces[static_cast<size_t>(i)].iov_base), pieces[static_cast<size_t>(i)].iov_len);
  }
  return bytes;
}

TEST(OutputBufferTest, IsAQueueOfBytes) {
  OutputPool pool;
  for (uint64_t seed = 1; seed <= test::Scaled(40); ++seed) {
    Random random(seed);
    OutputBuffer buffer(&pool);
    std::string model;
    uint64_t gone = 0;
    for (int i = 0; i < 400; ++i) {
      const size_t size = random.OneIn(8) ? random.Uniform(300'000) : random.Uniform(2'000);
      if (random.OneIn(2)) {
        const std::string bytes(size, static_cast<char>('a' + i % 26));
        if (random.OneIn(2)) {
          buffer.Append(bytes);
        } else {
          buffer.tail()->append(bytes);
        }
        model += bytes;
      } else {
        const size_t consumed = std::min<size_t>(size, model.size());
        buffer.Consume(consumed);
        model.erase(0, consumed);
        gone += consumed;
      }
      ASSERT_EQ(buffer.begin(), gone);
      ASSERT_EQ(buffer.size(), model.size());
      const uint64_t upto = buffer.begin() + random.Uniform(buffer.size() + 1);
      const std::string shown = Shown(buffer, upto, 16);
      ASSERT_EQ(shown, model.substr(0, shown.size())) << "seed " << seed;
      ASSERT_LE(shown.size(), upto - gone);
      ASSERT_TRUE(upto == gone || !shown.empty());
      ASSERT_GE(buffer.capacity(), buffer.size());
      buffer.ReleaseRoom();
      if (model.empty()) {
        ASSERT_EQ(buffer.capacity(), 0u);
      }
    }
  }
}

// One who does not read has megabytes waiting: they are neither moved nor held twice while they grow.
TEST(OutputBufferTest, WhatWaitsIsNotMovedWhenMoreComes) {
  OutputPool pool;
  OutputBuffer buffer(&pool);
  const std::string message(1000, 'm');
  std::array<iovec, 16> before;
  for (int i = 0; i < 200; ++i) buffer.Append(message);
  ASSERT_GT(buffer.Pieces(buffer.end(), before.data(), 16), 1);
  for (int i = 0; i < 8'000; ++i) buffer.Append(message);
  std::array<iovec, 16> after;
  buffer.Pieces(buffer.end(), after.data(), 16);
  EXPECT_EQ(before[0].iov_base, after[0].iov_base);
  EXPECT_LT(buffer.capacity(), buffer.size() * 2 + 1);
  // And is let go as it is sent.
  buffer.Consume(buffer.size() / 2);
  EXPECT_LT(buffer.capacity(), buffer.size() * 2 + 200'000);
}

}  // namespace output_buffer_test
}  // namespace varve::net
