// The store against std::map: random operations, equal step by step, under many sets of options.
// A failure names its seed; VARVE_TEST_SEED=<seed> runs that one alone, VARVE_TEST_SCALE=<factor>
// multiplies the number of seeds.
#include "tests/support/model.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/fake_db.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace model_test {

constexpr size_t kStepsPerSeed = 2000;

StoreOpener FakeOpener(FakeBug bug) {
  return [bug](const std::string& dir, Env* env) {
    Options options;
    options.env = env;
    return FakeDb::Open(dir, options, bug);
  };
}

std::string RunSeed(uint64_t seed, const StoreOpener& opener) {
  TempDir dir;
  return ModelRun(seed, opener, dir.Sub("store"), Env::Default()).Run(kStepsPerSeed);
}

void ExpectSeedAgrees(uint64_t seed) {
  const StoreConfig config = RandomStoreConfig(seed);
  const std::string difference = RunSeed(seed, OpenerFor(config));
  EXPECT_EQ(difference, "") << "VARVE_TEST_SEED=" << seed << "\noptions: " << config.ToString();
}

TEST(ModelTest, StoreAgreesWithMapUnderRandomOptions) {
  if (const char* seed = std::getenv("VARVE_TEST_SEED")) {
    return ExpectSeedAgrees(std::strtoull(seed, nullptr, 10));
  }
  const size_t seed_count = Scaled(200);
  for (uint64_t seed = 1; seed <= seed_count && !::testing::Test::HasFailure(); seed++) {
    ExpectSeedAgrees(seed);
  }
}

TEST(ModelTest, StoreAgreesWithMapOverALongRun) {
  TempDir dir;
  const StoreConfig config = SmallStoreConfig();
  EXPECT_EQ(ModelRun(1000, OpenerFor(config), dir.Sub("store"), Env::Default()).Run(Scaled(60'000)),
            "");
}

TEST(ModelTest, RunAcceptsACorrectFake) {
  for (uint64_t seed = 1; seed <= 4; seed++) {
    EXPECT_EQ(RunSeed(seed, FakeOpener(FakeBug::kNone)), "");
  }
}

class ModelFindsTest : public ::testing::TestWithParam<FakeBug> {};

TEST_P(ModelFindsTest, PlantedBug) {
  for (uint64_t seed = 1; seed <= 4; seed++) {
    if (!RunSeed(seed, FakeOpener(GetParam())).empty()) return;
  }
  FAIL() << "no seed found the planted bug";
}

INSTANTIATE_TEST_SUITE_P(Bugs, ModelFindsTest,
                         ::testing::Values(FakeBug::kStaleRead, FakeBug::kPrevSkips,
                                           FakeBug::kSeekForPrevIsSeek, FakeBug::kLiveSnapshots,
                                           FakeBug::kForgetsDeletes));

}  // namespace model_test
}  // namespace varve::test
