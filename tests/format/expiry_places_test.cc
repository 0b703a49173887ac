#include "format/expiry_places.h"

#include <gtest/gtest.h>

#include <memory>

namespace varve {
namespace expiry_places_test {

constexpr uint64_t kNow = 1'700'000'000'000;

TEST(ExpiryPlacesTest, InTheOrderOfDeadlines) {
  ExpiryPlaces places(kNow);
  places.Add(kNow + 30, 0, 7);
  places.Add(kNow + 10, 65'535, 255);
  places.Add(kNow + 20, 1, 0);
  places.Add(kNow + 20, 0, 3);
  places.Sort();
  ASSERT_EQ(places.size(), 4u);
  EXPECT_EQ(places.block(0), 65'535u);
  EXPECT_EQ(places.slot(0), 255);
  EXPECT_EQ(places.block(3), 0u);
  EXPECT_EQ(places.slot(3), 7);
  EXPECT_EQ(places.FirstAfter(kNow), 0u);
  EXPECT_EQ(places.FirstAfter(kNow + 9), 0u);
  EXPECT_EQ(places.FirstAfter(kNow + 10), 1u);
  EXPECT_EQ(places.FirstAfter(kNow + 19), 1u);
  EXPECT_EQ(places.FirstAfter(kNow + 20), 3u);
  EXPECT_EQ(places.FirstAfter(kNow + 30), 4u);
  EXPECT_LE(places.memory_bytes(), sizeof(places) + 4 * 8);
}

TEST(ExpiryPlacesTest, FarAndPastDeadlines) {
  constexpr uint64_t kFar = (uint64_t{1} << 48) - 1;
  ExpiryPlaces places(kNow);
  places.Add(kFar, 2, 2);
  places.Add(0, 1, 1);
  places.Add(kNow + (uint64_t{1} << 40), 3, 3);
  places.Sort();
  EXPECT_EQ(places.block(0), 1u);
  EXPECT_EQ(places.FirstAfter(kNow), 1u);
  // The other two are farther than places can tell.
  EXPECT_EQ(places.FirstAfter(kNow + (uint64_t{1} << 39)), 1u);
  EXPECT_EQ(places.FirstAfter(kNow + (uint64_t{1} << 40)), 3u);
  EXPECT_EQ(places.FirstAfter(kFar), 3u);
}

TEST(ExpiryPlacesBoxTest, IsTakenOnce) {
  auto places = std::make_unique<ExpiryPlaces>(kNow);
  places->Add(kNow, 1, 1);
  ExpiryPlacesBox box(std::move(places));
  const auto taken = box.Take();
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(taken->size(), 1u);
  EXPECT_EQ(box.Take(), nullptr);
}

}  // namespace expiry_places_test
}  // namespace varve
