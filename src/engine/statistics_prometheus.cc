// Statistics in the text format for exposition of Prometheus.
#include <charconv>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/time_units.h"
#include "varve/statistics.h"

namespace varve {

namespace {

constexpr double kMicrosPerSecond = 1e6;

double Seconds(uint64_t nanos) { return static_cast<double>(nanos) / static_cast<double>(kNanosPerSecond); }

// Writes one family after the other: Family, then its samples.
class PrometheusText {
 public:
  void Family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    Append({"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"});
  }
  void Sample(uint64_t value) { Sample("", "", value); }
  void Sample(double value) { Sample("", "", value); }
  // `labels` is empty or name="value" with commas between; values need no escaping here.
  template <typename Number>
  void Sample(std::string_view suffix, std::string_view labels, Number value) {
    Append({name_, suffix});
    if (!labels.empty()) Append({"{", labels, "}"});
    text_.push_back(' ');
    AppendNumber(value);
    text_.push_back('\n');
  }
  // A family with one sample.
  template <typename Number>
  void Single(std::string_view name, std::string_view type, std::string_view help, Number value) {
    Family(name, type, help);
    Sample(value);
  }

  static std::string Number(double value) {
    PrometheusText text;
    text.AppendNumber(value);
    return text.Take();
  }
  std::string Take() { return std::move(text_); }

 private:
  void Append(std::initializer_list<std::string_view> parts) {
    for (std::string_view part : parts) text_.append(part);
  }
  // The same in every locale.
  template <typename Number>
  void AppendNumber(Number value) {
    char buffer[32];
    text_.append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr);
  }

  std::string_view name_;
  std::string text_;
};

std::string Label(std::string_view name, std::string_view value) {
  return std::string(name).append("=\"").append(value).append("\"");
}

std::string OperationLabel(size_t kind) {
  return Label("operation", OperationName(static_cast<Operation>(kind)));
}

void AddOperations(const Statistics& stats, PrometheusText* text) {
  text->Family("varve_operations_total", "counter", "Operations that have succeeded.");
  for (size_t i = 0; i < kOperationCount; ++i) {
    text->Sample("", OperationLabel(i), stats.operations[i].count);
  }
  text->Family("varve_operation_duration_seconds", "histogram",
               "How long operations took; estimated from a sample and from all that waited.");
  for (size_t i = 0; i < kOperationCount; ++i) {
    const OperationStatistics& operation = stats.operations[i];
    const std::string label = OperationLabel(i);
    for (size_t bound = 0; bound < OperationStatistics::kBoundCount; ++bound) {
      const double seconds = Seconds(OperationStatistics::BoundNanos(bound));
      text->Sample("_bucket", label + "," + Label("le", PrometheusText::Number(seconds)),
                   operation.timed_below[bound]);
    }
    text->Sample("_bucket", label + "," + Label("le", "+Inf"), operation.timed_count);
    text->Sample("_sum", label, Seconds(operation.timed_sum_ns));
    text->Sample("_count", label, operation.timed_count);
  }
  text->Family("varve_operation_max_seconds", "gauge",
               "The longest operation that was timed, since the store was opened.");
  for (size_t i = 0; i < kOperationCount; ++i) {
    text->Sample("", OperationLabel(i), Seconds(stats.operations[i].max_ns));
  }
  text->Single("varve_multi_get_keys_total", "counter", "Keys looked up by MultiGet.",
               stats.multi_get_key_count);
}

void AddContents(const Statistics& stats, PrometheusText* text) {
  text->Single("varve_last_sequence_total", "counter", "Number of the newest visible change.",
               stats.last_sequence);
  text->Single("varve_entries", "gauge",
               "Entries in all layers; overwritten ones count until merged away.",
               stats.entry_count);
  text->Single("varve_range_tombstones", "gauge", "Stretches of keys that range deletes cover.",
               stats.range_tombstone_count);
  text->Single("varve_snapshots", "gauge", "Snapshots that are held.", stats.snapshot_count);
  text->Family("varve_disk_bytes", "gauge", "Bytes in files.");
  text->Sample("", Label("part", "segments"), stats.segment_bytes);
  text->Sample("", Label("part", "value_log"), stats.value_log_bytes);
  text->Sample("", Label("part", "wal"), stats.wal_bytes);
  text->Single("varve_value_log_dead_bytes", "gauge",
               "Bytes in the value log that no segment refers to.", stats.value_log_dead_bytes);
  text->Family("varve_files", "gauge", "Files.");
  uint64_t segments = 0;
  for (const RunStatistics& run : stats.runs) segments += run.segment_count;
  text->Sample("", Label("part", "segments"), segments);
  text->Sample("", Label("part", "value_log"), stats.value_log_file_count);
  text->Sample("", Label("part", "wal"), stats.wal_file_count);

  const auto by_level = [&](std::string_view name, std::string_view help,
                            uint64_t RunStatistics::*member) {
    if (stats.runs.empty()) return;
    text->Family(name, "gauge", help);
    for (size_t level = 0; level < stats.runs.size(); ++level) {
      text->Sample("", Label("level", std::to_string(level)), stats.runs[level].*member);
    }
  };
  by_level("varve_level_files", "Segments of a sorted run; level 0 is the newest.",
           &RunStatistics::segment_count);
  by_level("varve_level_bytes", "Bytes of a sorted run; level 0 is the newest.",
           &RunStatistics::disk_bytes);
  by_level("varve_level_entries", "Entries of a sorted run; level 0 is the newest.",
           &RunStatistics::entry_count);
}

void AddMemory(const Statistics& stats, PrometheusText* text) {
  text->Single("varve_memory_budget_bytes", "gauge", "What the store may take.",
               stats.memory_budget_bytes);
  text->Family("varve_memory_bytes", "gauge", "Memory that the store takes.");
  text->Sample("", Label("part", "memtables"), stats.memtable_bytes - stats.range_tombstone_bytes);
  text->Sample("", Label("part", "range_tombstones"), stats.range_tombstone_bytes);
  text->Sample("", Label("part", "cache"), stats.cache_bytes);
  text->Sample("", Label("part", "indexes"), stats.index_bytes);
  text->Sample("", Label("part", "iterators"), stats.iterator_bytes);
  text->Sample("", Label("part", "statistics"), stats.statistics_bytes);
}

void AddWork(const Statistics& stats, PrometheusText* text) {
  text->Single("varve_changes_total", "counter", "Changes written, batched ones one by one.",
               stats.put_count);
  text->Single("varve_user_written_bytes_total", "counter", "Keys and values given to be written.",
               stats.user_bytes_written);
  text->Family("varve_written_bytes_total", "counter", "Bytes written to files.");
  text->Sample("", Label("part", "wal"), stats.wal_bytes_written);
  text->Sample("", Label("part", "flush"), stats.flush_bytes_written);
  text->Sample("", Label("part", "compaction"), stats.compaction_bytes_written);
  text->Sample("", Label("part", "value_log"), stats.value_log_bytes_written);
  text->Single("varve_compaction_read_bytes_total", "counter", "Bytes that compactions have read.",
               stats.compaction_bytes_read);
  text->Single("varve_flushes_total", "counter", "Flushes of memtables.", stats.flush_count);
  text->Single("varve_compactions_total", "counter", "Compactions.", stats.compaction_count);
  text->Single("varve_cache_hits_total", "counter", "Blocks that were found in the cache.",
               stats.cache_hit_count);
  text->Single("varve_cache_misses_total", "counter", "Blocks that were not.",
               stats.cache_miss_count);
  text->Single("varve_get_runs_total", "counter", "Sorted runs asked by point reads.",
               stats.get_run_count);
  text->Single("varve_get_disk_reads_total", "counter", "Reads of files by point reads.",
               stats.get_disk_read_count);
  text->Single("varve_stalls_total", "counter", "Waits of writers for background work.",
               stats.slowdown_count);
  text->Single("varve_stall_seconds_total", "counter",
               "Time that writers waited for background work, all threads together.",
               static_cast<double>(stats.slowdown_us) / kMicrosPerSecond);
  text->Single("varve_stall_max_seconds", "gauge", "The longest of these waits.",
               static_cast<double>(stats.slowdown_us_max) / kMicrosPerSecond);
  text->Single("varve_write_amplification_ratio", "gauge",
               "Bytes written to files for each byte given.", stats.WriteAmplification());
  text->Single("varve_read_amplification_ratio", "gauge",
               "Sorted runs asked for each key looked up.", stats.ReadAmplification());
  text->Single("varve_space_amplification_ratio", "gauge",
               "Bytes in files for each live byte, an upper estimate.",
               stats.SpaceAmplification());
  text->Single("varve_background_error", "gauge", "1 when background work has failed, else 0.",
               uint64_t{stats.background_error.empty() ? 0u : 1u});
}

}  // namespace

std::string Statistics::ToPrometheus() const {
  PrometheusText text;
  AddOperations(*this, &text);
  AddContents(*this, &text);
  AddMemory(*this, &text);
  AddWork(*this, &text);
  return text.Take();
}

}  // namespace varve
