// The campaigns that need nothing but memory and a directory, on the store as it is; and that their schedules are
// data: cut down, printed, read and run again.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"
#include "torture/campaigns.h"
#include "torture/minimise.h"
#include "torture/store_script.h"

namespace varve::torture {
namespace campaigns_test {

using test::Scaled;
using test::TempDir;

std::string Words(const Tally& tally) {
  std::string text;
  for (const auto& [name, number] : tally.counts.all()) text += "  " + name + ": " + std::to_string(number) + "\n";
  if (tally.violation) {
    const Violation& violation = *tally.violation;
    text += "seed " + std::to_string(violation.seed) + ": " + violation.what + "\n" + violation.world + "\n" +
            ToText(violation.schedule) + std::to_string(violation.repeated) + " of " +
            std::to_string(violation.repeats) + " runs\n";
  }
  return text;
}

Tally RunSeeds(Campaign* campaign, uint64_t first, uint64_t seeds, const std::string& dir = "") {
  const Result<Tally> tally = campaign->Run(
      {.first_seed = first, .seeds = seeds, .nanos = ~uint64_t{0}, .schedule = {}, .dir = dir}, [](const Tally&) {});
  EXPECT_OK(tally);
  return tally.ok() ? *tally : Tally{};
}

void ExpectHolds(std::unique_ptr<Campaign> campaign, uint64_t seeds) {
  const TempDir dir;
  const Tally tally = RunSeeds(campaign.get(), 1, Scaled(seeds), dir.path());
  EXPECT_FALSE(tally.violation.has_value()) << Words(tally);
  EXPECT_EQ(tally.seeds, Scaled(seeds));
  std::printf("%s", Words(tally).c_str());
}

TEST(CampaignTest, Engine) { ExpectHolds(EngineCampaign(), 10); }
TEST(CampaignTest, Power) { ExpectHolds(PowerCampaign(), 2); }
TEST(CampaignTest, DiskFull) { ExpectHolds(DiskFullCampaign(), 8); }
TEST(CampaignTest, IoErrors) { ExpectHolds(IoErrorsCampaign(), 20); }
TEST(CampaignTest, BitRot) { ExpectHolds(BitRotCampaign(), 4); }
TEST(CampaignTest, Ttl) { ExpectHolds(TtlCampaign(), 40); }
TEST(CampaignTest, Transactions) { ExpectHolds(TransactionsCampaign(), 30); }
TEST(CampaignTest, Concurrency) { ExpectHolds(ConcurrencyCampaign(), 3); }
TEST(CampaignTest, Cluster) { ExpectHolds(ClusterCampaign(), 3); }

// Regression: a compare-and-set that is refused was taken for a sign that what was written before it outlives the
// process.
TEST(CampaignTest, RefusedCompareSaysNothingOfWhatWasBefore) {
  const Schedule schedule{"cuts 2000100 1", "write none put k1000 363:93", "cas k1006 6:65 -"};
  const auto tally = PowerCampaign()->Run({.first_seed = 2000100, .schedule = schedule}, [](const Tally&) {});
  ASSERT_OK(tally);
  EXPECT_FALSE(tally->violation.has_value()) << Words(*tally);
}

// What a seed does is what it did before, down to every call of the file system, with its data: of the threads of the
// store, and of what is opened after cuts.
TEST(CampaignTest, SeedsRepeatCallByCall) {
  for (auto* make : {PowerCampaign, DiskFullCampaign, IoErrorsCampaign, BitRotCampaign, EngineCampaign, TtlCampaign, TransactionsCampaign, ClusterCampaign}) {
    const std::unique_ptr<Campaign> campaign = make();
    EXPECT_TRUE(campaign->repeats());
    const Tally first = RunSeeds(campaign.get(), 3, 1);
    const Tally second = RunSeeds(campaign.get(), 3, 1);
    EXPECT_NE(first.digest, 0u) << campaign->name();
    EXPECT_EQ(first.digest, second.digest) << campaign->name();
    EXPECT_EQ(first.counts.all(), second.counts.all()) << campaign->name();
    EXPECT_NE(RunSeeds(campaign.get(), 4, 1).digest, first.digest) << campaign->name();
  }
}

// One list of operations gives one answer, whatever the options: each is held against the same map.
TEST(CampaignTest, OneListOfOperationsUnderManyOptions) {
  ScriptWriter writer(1, {.lines = 0, .keys = 60, .with_none = true});
  Schedule schedule;
  while (schedule.size() < 600) {
    schedule.push_back(writer.Next());
    schedule.push_back("get " + writer.Key());
    schedule.push_back((schedule.size() % 2 == 0 ? "scan " : "back ") + writer.Key() + " " + writer.Key());
  }
  const std::unique_ptr<Campaign> campaign = EngineCampaign();
  for (uint64_t options = 1; options <= 40; ++options) {
    const auto tally = campaign->Run({.first_seed = options, .schedule = schedule}, [](const Tally&) {});
    ASSERT_OK(tally);
    ASSERT_FALSE(tally->violation.has_value()) << Words(*tally);
  }
}

TEST(CampaignTest, SchedulesThatMakeNoSenseAreRefused) {
  const TempDir dir;
  for (auto* make : {EngineCampaign, PowerCampaign, DiskFullCampaign, IoErrorsCampaign, BitRotCampaign, TtlCampaign,
                     TransactionsCampaign, ConcurrencyCampaign, ClusterCampaign}) {
    const std::unique_ptr<Campaign> campaign = make();
    for (const char* line : {"sing", "write often put k 1:1", "put", "cuts 1", "0 sing k"}) {
      for (const Schedule& schedule : {Schedule{"cuts 1 1", line}, Schedule{line}}) {
        const auto tally = campaign->Run({.schedule = schedule, .dir = dir.path()}, [](const Tally&) {});
        EXPECT_STATUS(kInvalidArgument, tally) << campaign->name() << ": " << line;
      }
    }
  }
}

TEST(CountsTest, AddUpByName) {
  Counts counts;
  counts.Add("kills");
  counts.Add("openings", 2);
  Counts others;
  others.Add("kills", 4);
  counts.Add(others);
  EXPECT_EQ(counts.of("kills"), 5u);
  EXPECT_EQ(counts.of("cuts"), 0u);
  EXPECT_EQ(counts.all().front().first, "kills");
}

TEST(ScheduleTest, TextAndBack) {
  const Schedule schedule{"write sync put k 1:1", "flush"};
  EXPECT_EQ(ScheduleFrom(ToText(schedule)), schedule);
  EXPECT_EQ(ScheduleFrom("# why\n\nflush\ncompact"), (Schedule{"flush", "compact"}));
}

TEST(MinimiseTest, LeavesWhatItTakes) {
  Schedule schedule;
  for (int i = 0; i < 100; ++i) schedule.push_back(std::to_string(i));
  const auto fails = [](const Schedule& some) {
    return std::count(some.begin(), some.end(), "17") + std::count(some.begin(), some.end(), "83") == 2;
  };
  const Minimised least = Minimise(schedule, fails, 1000);
  EXPECT_EQ(least.schedule, (Schedule{"17", "83"}));
  EXPECT_LT(least.runs, 200u);
  EXPECT_GT(Minimise(schedule, fails, 3).schedule.size(), 2u);
}

TEST(StoreScriptTest, LinesAndTheirMeaning) {
  Contents contents;
  for (const char* line : {"write process put a 10:1", "transact sync put b 0:2 delete a", "cas c - 3:3",
                           "write none range b c put d 5:4"}) {
    const auto command = ParseCommand(line);
    ASSERT_OK(command);
    ASSERT_TRUE(command->has_value()) << line;
    Apply(**command, &contents);
  }
  EXPECT_EQ(contents.size(), 2u);
  EXPECT_EQ(contents["c"], *ValueOf("3:3"));
  EXPECT_EQ(contents["d"].size(), 5u);
  for (const char* line : {"write", "write process", "write process put a", "write process put a b", "cas a - x",
                           "transact process delete"}) {
    EXPECT_STATUS(kInvalidArgument, ParseCommand(line)) << line;
    EXPECT_TRUE(IsNotUnderstood(ParseCommand(line).status())) << line;
  }
}

// Whatever code a store gives to an error that nothing excuses, it is a broken promise; a line without sense is none.
TEST(StoreScriptTest, ErrorsOfTheStoreAreBrokenPromises) {
  EXPECT_OK(AsBroken(Status::Ok(), "flush"));
  EXPECT_STATUS(kInvalidArgument, AsBroken(NotUnderstood("sing"), "sing"));
  for (const Status& status : {Status::InvalidArgument("too long"), Status::IoError("gone"), Status::Aborted("closing"),
                               Status::Corruption("bad block")}) {
    EXPECT_STATUS(kCorruption, AsBroken(status, "flush"));
    EXPECT_NE(AsBroken(status, "flush").message().find(status.message()), std::string::npos);
  }
}

}  // namespace campaigns_test
}  // namespace varve::torture
