// 'varve torture' with campaigns, and with certify-disk: what it asks for, what it prints, and how it ends.
#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/cli/cli_fixture.h"

namespace varve::cli {
namespace campaign_command_test {

class CampaignCommandTest : public CliTest {
 protected:
  void SetUp() override {
    width_ = 80;
    row_ = {.name = "power", .promise = "it stays", .seeds = 3, .nanos = 2'000'000'000, .counts = {{"power cuts", 1234}}, .violation = {}};
    campaigns_ = [this](const CampaignRequest& request, const CampaignProgress& progress) -> Result<std::vector<CampaignRow>> {
      asked_ = request;
      if (!status_.ok()) return status_;
      progress(row_);
      return std::vector<CampaignRow>{row_};
    };
    certify_ = [this](const std::string& dir, uint64_t) -> Result<DiskFacts> {
      asked_dir_ = dir;
      return facts_;
    };
    const std::vector<uint64_t> slow(100, 5'000'000);
    facts_ = {.directory = "/d", .device = "sda1", .file_system = "ext4", .mount_options = "rw", .write_cache = "write back",
              .is_rotational = false, .logical_block = 512, .physical_block = 4096, .append_sync = slow, .rewrite_sync = slow,
              .empty_sync = std::vector<uint64_t>(100, 1000), .name_sync = slow};
  }
  static Finding::Level LevelOf(const std::vector<Finding>& findings, const std::string& subject) {
    const auto it = std::find_if(findings.begin(), findings.end(), [&](const Finding& one) { return one.subject == subject; });
    return it == findings.end() ? Finding::Level::kBad : it->level;
  }

  CampaignRow row_;
  CampaignRequest asked_;
  Status status_;
  DiskFacts facts_;
  std::string asked_dir_;
};

TEST_F(CampaignCommandTest, AsksForWhatTheLineSays) {
  EXPECT_EQ(RunLine({"torture", "power"}), kExitOk) << err_;
  EXPECT_EQ(asked_.name, "power");
  EXPECT_EQ(asked_.first_seed, 1u);
  EXPECT_EQ(asked_.seeds, 0u);
  EXPECT_EQ(asked_.seconds, 10u);
  EXPECT_EQ(asked_.dir, ".");
  EXPECT_NE(out_.find("power cuts"), std::string::npos) << out_;
  EXPECT_NE(out_.find("\t1234\n"), std::string::npos) << out_;
  EXPECT_EQ(RunLine({"torture", "all", "--dir", "x", "--seed", "7", "--seconds", "9", "--report", "r"}), kExitOk) << err_;
  EXPECT_EQ(asked_.name, "all");
  EXPECT_EQ(asked_.first_seed, 7u);
  EXPECT_EQ(asked_.seconds, 9u);
  EXPECT_EQ(asked_.dir, "x");
  EXPECT_EQ(asked_.report, "r");
  EXPECT_FALSE(asked_.whole);
  EXPECT_EQ(RunLine({"torture", "cluster", "--whole"}), kExitOk) << err_;
  EXPECT_TRUE(asked_.whole);
  EXPECT_EQ(RunLine({"torture", "ttl", "--seeds", "5", "--schedule", "s"}), kExitOk) << err_;
  EXPECT_EQ(asked_.seeds, 5u);
  EXPECT_GT(asked_.seconds, 100'000u);  // all five, however long they take
  EXPECT_EQ(asked_.schedule_file, "s");
}

TEST_F(CampaignCommandTest, AStoreOfTheEnvironmentIsNotTortured) {
  environment_.dir = "precious";
  EXPECT_EQ(RunLine({"torture", "crash"}), kExitOk) << err_;
  EXPECT_EQ(asked_.dir, ".");
}

TEST_F(CampaignCommandTest, WhatMakesNoSenseIsRefused) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"cats"}, {"power", "dir"}, {"power", "--seconds", "0"}, {"power", "--nodes", "3"}, {"all", "--schedule", "f"},
           {"power", "--profile", "moves"}, {"cluster", "--profile", "moves", "--dir", "x"}, {"cluster", "--nodes", "3", "--whole"}}) {
    std::vector<std::string> line = {"torture"};
    line.insert(line.end(), words.begin(), words.end());
    EXPECT_EQ(RunLine(line), kExitUsage) << words[0];
  }
  status_ = Status::InvalidArgument("schedule: this line makes no sense: sing");
  EXPECT_NE(RunLine({"torture", "power", "--schedule", "f"}), kExitOk);
  EXPECT_NE(err_.find("sing"), std::string::npos);
}

TEST_F(CampaignCommandTest, AViolationIsNamedWithAllThatReplaysIt) {
  row_.violation = CampaignViolation{.seed = 17, .what = "gone", .world = "small", .schedule = "flush\n", .lines = 1,
                                     .lines_before = 80, .repeated = 5, .repeats = 5};
  EXPECT_EQ(RunLine({"torture", "power"}), kExitCorruption);
  EXPECT_NE(out_.find("violation\tgone\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("replay\tvarve torture power --seed 17 --seeds 1\n"), std::string::npos) << out_;
  EXPECT_NE(err_.find("seed 17 breaks the promise"), std::string::npos) << err_;
  EXPECT_EQ(RunLine({"torture", "power", "--json"}), kExitCorruption);
  EXPECT_NE(out_.find("\"result\":\"BROKEN\""), std::string::npos) << out_;
}

// The least schedule, in the directory that the run had; and a shell takes the words for what they are.
TEST_F(CampaignCommandTest, TheReplayIsOfTheLeastSchedule) {
  row_.violation = CampaignViolation{.seed = 17, .what = "gone", .world = "", .schedule = "flush\n", .races = true,
                                     .schedule_file = "/a b/it's/schedule.txt", .evidence = "/a b/evidence", .dir = "."};
  EXPECT_EQ(RunLine({"torture", "power"}), kExitCorruption);
  EXPECT_NE(out_.find("replay\tvarve torture power --seed 17 --schedule '/a b/it'\"'\"'s/schedule.txt' --dir .\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("evidence\t/a b/evidence\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("race"), std::string::npos) << out_;
}

TEST_F(CampaignCommandTest, ProgressShowsCounts) {
  terminal_ = true;
  EXPECT_EQ(RunLine({"torture", "power"}), kExitOk);
  EXPECT_NE(err_.find("1,234 power cuts"), std::string::npos) << err_;
}

TEST_F(CampaignCommandTest, DisksAreJudged) {
  using Level = Finding::Level;
  EXPECT_EQ(RunLine({"torture", "certify-disk", "/d"}), kExitOk) << out_;
  EXPECT_EQ(asked_dir_, "/d");
  EXPECT_EQ(out_.find("good\tmeaning\tWhat this means for you"), 0u) << out_;
  // Nothing is written that fast.
  facts_.rewrite_sync.assign(100, 4'000);
  EXPECT_EQ(LevelOf(JudgeDisk(facts_), "honesty"), Level::kBad);
  EXPECT_EQ(RunLine({"torture", "certify-disk", "/d", "--json"}), kExitError);
  facts_.write_cache = "write through";
  EXPECT_EQ(LevelOf(JudgeDisk(facts_), "honesty"), Level::kNote);
  // Not by a platter either; most disks of virtual machines say that they are one.
  facts_.rewrite_sync.assign(100, 300'000);
  EXPECT_EQ(LevelOf(JudgeDisk(facts_), "honesty"), Level::kGood);
  facts_.is_rotational = true;
  EXPECT_EQ(LevelOf(JudgeDisk(facts_), "honesty"), Level::kNote);
  facts_.mount_options = "rw,nobarrier";
  EXPECT_EQ(LevelOf(JudgeDisk(facts_), "place"), Level::kBad);
  facts_.is_in_memory = true;
  EXPECT_EQ(LevelOf(JudgeDisk(facts_), "meaning"), Level::kBad);
}

// As proc(5) describes the lines: optional fields, escapes, and mounts over others.
TEST_F(CampaignCommandTest, TheMountOfADirectoryIsFound) {
  const std::string lines =
      "25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
      "30 25 8:2 / /data rw,noatime shared:5 master:3 - xfs /dev/sdb1 rw,attr2\n"
      "31 25 8:2 /sub /data2 ro - xfs /dev/sdb1 rw\n"
      "32 25 0:40 / /data/my\\040disk rw - tmpfs tmpfs rw,size=1k\n"
      "33 25 8:3 / /data/store rw - ext4 /dev/sdc1 rw\n"
      "34 25 8:3 / /data/store rw,nobarrier - ext4 /dev/sdc1 rw\n"
      "cut off\n";
  const auto mount_of = [&](const std::string& directory, std::string_view id) {
    DiskFacts facts{.directory = directory};
    std::istringstream mounts(lines);
    ReadMounts(mounts, id, &facts);
    return facts.file_system + " " + facts.device + " " + facts.mount_options;
  };
  EXPECT_EQ(mount_of("/var/lib", "8:1"), "ext4 sda1 rw,relatime,rw,errors=remount-ro");
  EXPECT_EQ(mount_of("/data", "8:2"), "xfs sdb1 rw,noatime,rw,attr2");
  EXPECT_EQ(mount_of("/data/x", "8:2"), "xfs sdb1 rw,noatime,rw,attr2");
  EXPECT_EQ(mount_of("/data2/x", "8:2"), "xfs sdb1 ro,rw");
  EXPECT_EQ(mount_of("/data/my disk/x", "0:40"), "tmpfs  rw,rw,size=1k");
  EXPECT_EQ(mount_of("/data/store", "8:3"), "ext4 sdc1 rw,nobarrier,rw");
  EXPECT_EQ(mount_of("/data/stores", "8:3"), "  ");
  EXPECT_EQ(mount_of("/data", "9:9"), "  ");
}

}  // namespace campaign_command_test
}  // namespace varve::cli
