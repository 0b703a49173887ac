// Statistics as text.
#include "varve/statistics.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>

#include "env/crash_env.h"
#include "tests/support/prometheus_format.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace statistics_test {

using test::ParsePrometheus;
using test::PrometheusFamily;

double ValueOf(const std::vector<PrometheusFamily>& families, const std::string& name,
               const std::map<std::string, std::string>& labels = {}) {
  for (const PrometheusFamily& family : families) {
    for (const auto& sample : family.samples) {
      if (sample.name == name && sample.labels == labels) return sample.value;
    }
  }
  ADD_FAILURE() << "no " << name;
  return -1;
}

TEST(PrometheusTest, TheReaderOfTheFormatIsStrict) {
  const std::string head = "# HELP a_total h\n# TYPE a_total counter\n";
  EXPECT_OK(ParsePrometheus(head + "a_total 1\n"));
  EXPECT_OK(ParsePrometheus(head + "a_total{x=\"\\\\\\\"\\n\",y=\"\"} 1e-09\n"));
  for (const std::string bad :
       {"a_total 1", "a_total 1,5\n", "a_total  1\n", "a_total\n", "a_total 0x1\n", "a_total inf\n",
        "a_total -1\n", "b_total 1\n", "a_total 1\na_total 1\n", "a_total{x=\"1\" 1\n",
        "a_total{x=1} 1\n", "a_total{1x=\"1\"} 1\n", "a_total{x=\"\\t\"} 1\n", "a_total 1\nb 1\n",
        "a_total{x=\"1\",x=\"2\"} 1\n", "a_total 1 \n"}) {
    EXPECT_STATUS(kInvalidArgument, ParsePrometheus(head + bad)) << bad;
  }
  EXPECT_STATUS(kInvalidArgument, ParsePrometheus("a_total 1\n"));
  EXPECT_STATUS(kInvalidArgument, ParsePrometheus(head));
  EXPECT_STATUS(kInvalidArgument, ParsePrometheus(head + "a_total 1\n" + head + "a_total 2\n"));
  EXPECT_STATUS(kInvalidArgument, ParsePrometheus("# HELP a h\n# TYPE a counter\na 1\n"));
  EXPECT_STATUS(kInvalidArgument, ParsePrometheus("# HELP a h\n# TYPE a number\na 1\n"));
  const std::string histogram = "# HELP h h\n# TYPE h histogram\n";
  EXPECT_OK(ParsePrometheus(
      histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"));
  for (const std::string bad :
       {"h_bucket{le=\"1\"} 1\nh_sum 3\nh_count 1\n",
        "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n",
        "h_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n",
        "h_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 3\n", "h_bucket{le=\"+Inf\"} 2\nh_sum 3\n",
        "h_bucket{le=\"+Inf\"} 2\nh_count 2\n", "h 2\n"}) {
    EXPECT_STATUS(kInvalidArgument, ParsePrometheus(histogram + bad)) << bad;
  }
}

TEST(PrometheusTest, EverythingIsInBaseUnits) {
  Statistics stats;
  stats.runs = {{.id = 70, .segment_count = 2, .entry_count = 5, .disk_bytes = 100},
                {.id = 3, .segment_count = 4, .disk_bytes = 900}};
  stats.segment_bytes = 1000;
  stats.memtable_bytes = 500;
  stats.range_tombstone_bytes = 120;
  stats.slowdown_us = 1'500'000;
  stats.slowdown_us_max = 250;
  stats.slowdown_count = 9;
  stats.user_bytes_written = 10;
  stats.wal_bytes_written = 25;
  stats.last_sequence = std::numeric_limits<uint64_t>::max();
  OperationStatistics& put = stats.operation(Operation::kPut);
  put.count = 1000;
  put.timed_count = 960;
  put.timed_sum_ns = 2'500'000'000;
  put.max_ns = 1500;
  put.timed_below.fill(950);
  put.timed_below[0] = 4;
  const std::string text = stats.ToPrometheus();
  const auto parsed = ParsePrometheus(text);
  ASSERT_OK(parsed);
  for (const PrometheusFamily& family : *parsed) EXPECT_TRUE(family.name.starts_with("varve_"));
  const std::map<std::string, std::string> label = {{"operation", "put"}};
  const auto with_bound = [&](const char* bound) {
    return std::map<std::string, std::string>{{"operation", "put"}, {"le", bound}};
  };
  EXPECT_EQ(ValueOf(*parsed, "varve_operations_total", label), 1000);
  EXPECT_EQ(ValueOf(*parsed, "varve_operation_duration_seconds_count", label), 960);
  EXPECT_EQ(ValueOf(*parsed, "varve_operation_duration_seconds_sum", label), 2.5);
  EXPECT_EQ(ValueOf(*parsed, "varve_operation_duration_seconds_bucket", with_bound("1.28e-07")), 4);
  EXPECT_EQ(ValueOf(*parsed, "varve_operation_duration_seconds_bucket", with_bound("+Inf")), 960);
  EXPECT_EQ(ValueOf(*parsed, "varve_operation_max_seconds", label), 1.5e-6);
  EXPECT_EQ(ValueOf(*parsed, "varve_stall_seconds_total"), 1.5);
  EXPECT_EQ(ValueOf(*parsed, "varve_stall_max_seconds"), 250e-6);
  EXPECT_EQ(ValueOf(*parsed, "varve_stalls_total"), 9);
  EXPECT_EQ(ValueOf(*parsed, "varve_memory_bytes", {{"part", "memtables"}}), 380);
  EXPECT_EQ(ValueOf(*parsed, "varve_memory_bytes", {{"part", "range_tombstones"}}), 120);
  EXPECT_EQ(ValueOf(*parsed, "varve_level_files", {{"level", "1"}}), 4);
  EXPECT_EQ(ValueOf(*parsed, "varve_level_bytes", {{"level", "0"}}), 100);
  EXPECT_EQ(ValueOf(*parsed, "varve_files", {{"part", "segments"}}), 6);
  EXPECT_EQ(ValueOf(*parsed, "varve_write_amplification_ratio"), 2.5);
  EXPECT_EQ(ValueOf(*parsed, "varve_background_error"), 0);
  EXPECT_NE(text.find("\nvarve_last_sequence_total 18446744073709551615\n"), std::string::npos);
  stats.background_error = "no space";
  EXPECT_EQ(ValueOf(*ParsePrometheus(stats.ToPrometheus()), "varve_background_error"), 1);
  EXPECT_OK(ParsePrometheus(Statistics().ToPrometheus()));
}

TEST(PrometheusTest, AStoreHasItAsAProperty) {
  CrashEnv env;
  Options options;
  options.env = &env;
  auto opened = Db::Open("/db", options);
  ASSERT_OK(opened);
  Db& db = **opened;
  ASSERT_OK(db.Put("a", "1"));
  ASSERT_OK(db.Get("a"));
  ASSERT_OK(db.Flush());
  const auto text = db.GetProperty("varve.prometheus");
  ASSERT_TRUE(text.has_value());
  const auto parsed = ParsePrometheus(*text);
  ASSERT_OK(parsed);
  EXPECT_EQ(ValueOf(*parsed, "varve_operations_total", {{"operation", "put"}}), 1);
  EXPECT_EQ(ValueOf(*parsed, "varve_operations_total", {{"operation", "get_hit"}}), 1);
  EXPECT_EQ(ValueOf(*parsed, "varve_level_files", {{"level", "0"}}), 1);
  EXPECT_NE(db.GetProperty("varve.stats")->find("get_hit"), std::string::npos);
}

TEST(StatisticsTest, RatiosOfNothingAreZero) {
  const Statistics stats;
  EXPECT_EQ(stats.WriteAmplification(), 0);
  EXPECT_EQ(stats.ReadAmplification(), 0);
  EXPECT_EQ(stats.DiskReadsPerGet(), 0);
  EXPECT_EQ(stats.SpaceAmplification(), 0);
  EXPECT_EQ(stats.operation(Operation::kPut).MeanNanos(), 0);
}

TEST(StatisticsTest, RatiosAreByKeysAndLiveBytes) {
  Statistics stats;
  stats.operation(Operation::kGetHit).count = 10;
  stats.operation(Operation::kGetAbsent).count = 20;
  stats.multi_get_key_count = 70;
  stats.get_run_count = 150;
  stats.get_disk_read_count = 25;
  EXPECT_DOUBLE_EQ(stats.ReadAmplification(), 1.5);
  EXPECT_DOUBLE_EQ(stats.DiskReadsPerGet(), 0.25);
  stats.runs = {{.disk_bytes = 50}, {.disk_bytes = 150}};
  stats.segment_bytes = 200;
  stats.value_log_bytes = 100;
  stats.value_log_dead_bytes = 50;
  EXPECT_DOUBLE_EQ(stats.SpaceAmplification(), 1.5);
}

}  // namespace statistics_test
}  // namespace varve
