// The numbers of a store, and its properties.
#include <algorithm>
#include <cstdio>

#include "engine/db_async.h"
#include "engine/db_impl.h"

namespace varve {

Statistics DbImpl::Stats() {
  Statistics stats;
  std::shared_ptr<SuperVersion> super(RefSuper(), [](SuperVersion* pinned) { pinned->Unref(); });
  stats.last_sequence = visible_sequence_.load(std::memory_order_acquire);
  const auto add_memtable = [&](const MemTableSlot& slot) {
    stats.memtable_entry_count += slot.memtable->entry_count();
    stats.memtable_bytes += slot.memtable->memory_bytes() + slot.range_tombstone_bytes;
    stats.range_tombstone_bytes += slot.range_tombstone_bytes;
    if (slot.log == nullptr) return;
    stats.wal_bytes += slot.log->end();
    ++stats.wal_file_count;
  };
  add_memtable(*super->active);
  for (const auto& slot : super->immutables) add_memtable(*slot);
  stats.entry_count = stats.memtable_entry_count;
  for (const auto& run : super->version->runs()) {
    stats.runs.push_back({run->id(), run->slices().size(), run->entry_count(), run->disk_bytes(),
                          run->tombstone_count()});
    stats.entry_count += run->entry_count();
    stats.segment_bytes += run->disk_bytes();
  }
  for (const auto& [number, file] : super->version->value_logs()) {
    const uint64_t bytes = file->bytes();
    auto refs = super->version->value_refs().find(number);
    const uint64_t live = refs == super->version->value_refs().end() ? 0 : refs->second;
    stats.value_log_bytes += bytes;
    stats.value_log_dead_bytes += bytes - std::min(bytes, live);
    ++stats.value_log_file_count;
  }
  stats.range_tombstone_count = super->tombstones.size();
  stats.memory_budget_bytes = options_.memory_budget_bytes;
  stats.cache_bytes = cache_.bytes();
  stats.index_bytes = context_.index_bytes.load(std::memory_order_relaxed);
  stats.iterator_bytes = iterator_count_.load(std::memory_order_relaxed) * kIteratorBytes;
  stats.put_count = put_count_.load(std::memory_order_relaxed);
  stats.user_bytes_written = user_bytes_.load(std::memory_order_relaxed);
  stats.wal_bytes_written = wal_bytes_.load(std::memory_order_relaxed);
  stats.flush_bytes_written = flush_bytes_.load(std::memory_order_relaxed);
  stats.compaction_bytes_written = compaction_written_.load(std::memory_order_relaxed);
  stats.compaction_bytes_read = compaction_read_.load(std::memory_order_relaxed);
  stats.value_log_bytes_written = values_.appended_bytes();
  stats.flush_count = flush_count_.load(std::memory_order_relaxed);
  stats.compaction_count = compaction_count_.load(std::memory_order_relaxed);
  stats.sync_count = sync_count_.load(std::memory_order_relaxed);
  stats.cache_hit_count = cache_.hits();
  stats.cache_miss_count = cache_.misses();
  times_.Collect(&stats);
  stats.statistics_bytes = times_.memory_bytes();
  stats.operation(Operation::kWrite).count = batch_count_.load(std::memory_order_relaxed);
  stats.operation(Operation::kPut).count = put_commit_count_.load(std::memory_order_relaxed);
  stats.operation(Operation::kSync).count = stats.sync_count;
  stats.slowdown_count = slowdown_count_.load(std::memory_order_relaxed);
  stats.slowdown_us = slowdown_nanos_.load(std::memory_order_relaxed) / 1000;
  stats.slowdown_us_max = slowdown_nanos_max_.load(std::memory_order_relaxed) / 1000;
  MutexLock lock(&mu_);
  stats.snapshot_count = snapshots_.size();
  const Status& last_error = background_error_.ok() ? compaction_error_ : background_error_;
  const Status& error = fatal_.ok() ? last_error : fatal_;
  if (!error.ok()) stats.background_error = error.ToString();
  return stats;
}

std::optional<std::string> DbImpl::GetProperty(std::string_view name) {
  if (name == "varve.last-sequence") {
    return std::to_string(visible_sequence_.load(std::memory_order_acquire));
  }
  if (name == "varve.scrub") return ScrubText();
  if (name == "varve.prometheus") return Stats().ToPrometheus();
  if (name == "varve.async") {
    const DbAsync* async = async_.load(std::memory_order_acquire);
    return std::string(async == nullptr ? "off" : async->reader_name());
  }
  if (name != "varve.stats") return std::nullopt;
  const Statistics stats = Stats();
  std::string text;
  char line[160];
  const auto add = [&](const char* label, uint64_t value) {
    std::snprintf(line, sizeof(line), "%-28s %20llu\n", label,
                  static_cast<unsigned long long>(value));
    text += line;
  };
  add("sequence", stats.last_sequence);
  add("entries", stats.entry_count);
  add("memtable bytes", stats.memtable_bytes);
  add("cache bytes", stats.cache_bytes);
  add("index bytes", stats.index_bytes);
  add("segment bytes", stats.segment_bytes);
  add("value-log bytes", stats.value_log_bytes);
  add("value-log dead bytes", stats.value_log_dead_bytes);
  add("log bytes", stats.wal_bytes);
  add("flushes", stats.flush_count);
  add("compactions", stats.compaction_count);
  add("slowdown us", stats.slowdown_us);
  for (size_t i = 0; i < kOperationCount; ++i) {
    const OperationStatistics& done = stats.operations[i];
    if (done.count == 0) continue;
    const auto micros = [](uint64_t nanos) { return static_cast<double>(nanos) / 1000; };
    std::snprintf(line, sizeof(line),
                  "%-10s %14llu times, us: p50 %.2f, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f\n",
                  std::string(OperationName(static_cast<Operation>(i))).c_str(),
                  static_cast<unsigned long long>(done.count), micros(done.p50_ns),
                  micros(done.p90_ns), micros(done.p99_ns), micros(done.p999_ns),
                  micros(done.max_ns));
    text += line;
  }
  for (const RunStatistics& run : stats.runs) {
    std::snprintf(line, sizeof(line), "run %-6llu %6llu segments %14llu entries %14llu bytes\n",
                  static_cast<unsigned long long>(run.id),
                  static_cast<unsigned long long>(run.segment_count),
                  static_cast<unsigned long long>(run.entry_count),
                  static_cast<unsigned long long>(run.disk_bytes));
    text += line;
  }
  if (!stats.background_error.empty()) text += "error: " + stats.background_error + "\n";
  return text;
}

}  // namespace varve
