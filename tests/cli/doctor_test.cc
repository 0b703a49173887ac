#include "cli/doctor.h"

#include <gtest/gtest.h>

#include "cli/commands.h"
#include "tests/cli/cli_fixture.h"

namespace varve::cli {
namespace doctor_test {

using Level = Finding::Level;

MachineFacts Healthy() {
  MachineFacts facts;
  facts.file_system = "ext4";
  facts.free_bytes = uint64_t{100} << 30;
  facts.sync_nanos.assign(100, 900'000);
  facts.has_mapped_log = true;
  facts.open_files_at_most = 1 << 20;
  facts.memory_bytes = uint64_t{8} << 30;
  facts.clock_read_nanos = 25;
  facts.wall_millis = 1'800'000'000'000;
  return facts;
}

Finding About(const MachineFacts& facts, const std::string& subject) {
  for (const Finding& finding : Diagnose(facts)) {
    if (finding.subject == subject) return finding;
  }
  ADD_FAILURE() << subject;
  return {};
}

TEST(DoctorTest, AHealthyMachineIsGood) {
  for (const Finding& finding : Diagnose(Healthy())) EXPECT_EQ(finding.level, Level::kGood) << finding.text;
}

TEST(DoctorTest, EveryAilmentIsNamed) {
  struct Case {
    std::string subject;
    Level level;
    void (*spoil)(MachineFacts* facts);
    std::string says;
  };
  const std::vector<Case> cases = {
      {"directory", Level::kBad, [](MachineFacts* f) { f->is_in_memory = true; }, "survives loss of power"},
      {"directory", Level::kNote, [](MachineFacts* f) { f->is_network = true; }, "local disk"},
      {"sync", Level::kBad, [](MachineFacts* f) { f->sync_nanos.clear(); }, "not one sync"},
      {"sync", Level::kNote, [](MachineFacts* f) { f->sync_nanos.assign(10, 5'000); }, "no medium"},
      {"sync", Level::kNote, [](MachineFacts* f) { f->is_in_memory = true; }, "900 us"},
      {"space", Level::kNote, [](MachineFacts* f) { f->free_bytes = 1000; }, "1.0 kB free"},
      {"log", Level::kNote, [](MachineFacts* f) { f->has_mapped_log = false; }, "slower"},
      {"descriptors", Level::kNote, [](MachineFacts* f) { f->open_files_at_most = 1024; }, "ulimit"},
      {"clock", Level::kBad, [](MachineFacts* f) { f->wall_millis = 1000; }, "date is wrong"},
      {"clock", Level::kBad, [](MachineFacts* f) { f->wall_millis = 9'000'000'000'000; }, "date is wrong"},
      {"clock", Level::kNote, [](MachineFacts* f) { f->clock_drift_nanos = -60'000'000; }, "60.0 ms"},
      {"clock", Level::kNote, [](MachineFacts* f) { f->clock_read_nanos = 900; }, "slow"},
  };
  for (const Case& c : cases) {
    MachineFacts facts = Healthy();
    c.spoil(&facts);
    const Finding finding = About(facts, c.subject);
    EXPECT_EQ(finding.level, c.level) << finding.text;
    EXPECT_NE(finding.text.find(c.says), std::string::npos) << finding.text;
  }
}

TEST(DoctorTest, PercentilesOfSyncs) {
  MachineFacts facts = Healthy();
  facts.sync_nanos.clear();
  for (uint64_t i = 100; i > 0; --i) facts.sync_nanos.push_back(i * 1'000'000);
  const std::string text = About(facts, "sync").text;
  EXPECT_NE(text.find("51.0 ms (p50), 100 ms (p99), 100 ms (max of 100)"), std::string::npos) << text;
}

}  // namespace doctor_test
}  // namespace varve::cli
