// Verify and the properties of a store.
#include <cstdio>

#include "base/status_macros.h"
#include "engine/db_async.h"
#include "engine/db_impl.h"
#include "engine/merging_iterator.h"
#include "engine/memtable_iterator.h"
#include "engine/run_iterator.h"
#include "format/filename.h"
#include "format/value_log.h"

namespace varve {

void DbImpl::VerifySegments(const Version& version, VerifyReport* report) {
  for (const auto& run : version.runs()) {
    for (const SegmentSlice& slice : run->slices()) {
      const SegmentReader::CheckResult checked = slice.segment->Check(
          [report](std::string problem) { report->problems.push_back(std::move(problem)); });
      ++report->file_count;
      report->block_count += checked.blocks;
      report->entry_count += checked.entries;
      report->byte_count += checked.bytes;
    }
  }
}

void DbImpl::VerifyValues(const SuperVersion& super, VerifyReport* report) {
  for (const auto& [number, file] : super.version->value_logs()) {
    ++report->file_count;
    char header[kValueLogFileHeaderBytes];
    auto opened = env_->OpenRandomAccess(file->path());
    Status status = opened.status();
    if (status.ok()) {
      auto got = (*opened)->Read(0, sizeof(header), header);
      status = got.ok() ? CheckValueLogFileHeader({header, *got}, number) : got.status();
    }
    if (!status.ok()) report->problems.push_back(status.WithContext(file->path()).ToString());
  }
  // Every value that an entry of any layer points to.
  std::vector<std::unique_ptr<InternalIterator>> sources;
  sources.push_back(std::make_unique<MemTableIterator>(super.active->memtable));
  for (const auto& slot : super.immutables) {
    sources.push_back(std::make_unique<MemTableIterator>(slot->memtable));
  }
  for (const auto& run : super.version->runs()) {
    sources.push_back(std::make_unique<RunIterator>(run, ReadMode::kStreaming));
  }
  std::string buffer;
  for (auto& source : sources) {
    for (source->SeekToFirst(); source->Valid(); source->Next()) {
      const Entry entry = source->entry();
      if (!HasPointer(entry.kind)) continue;
      ValuePointer pointer;
      if (!DecodePointerOf(entry.kind, entry.value, &pointer)) {
        report->problems.push_back("a malformed value pointer");
        continue;
      }
      auto known = super.version->value_logs().find(pointer.file_number);
      auto file = known != super.version->value_logs().end() ? known->second
                                                             : values_.Find(pointer.file_number);
      if (file == nullptr) {
        report->problems.push_back("value-log file " + std::to_string(pointer.file_number) +
                                   " is missing, and a key points into it");
        continue;
      }
      auto value = file->ReadInto(pointer, &buffer);
      if (!value.ok()) report->problems.push_back(value.status().ToString());
      report->byte_count += ValueLogRecordBytes(pointer);
    }
    // A damaged segment has been reported by its own check already.
  }
}

void DbImpl::VerifyLogs(const SuperVersion& super, VerifyReport* report) {
  const auto check = [&](const MemTableSlot& slot) {
    const std::string path = JoinPath(dir_, WalFileName(slot.log_number));
    // What is appended after this is not looked at.
    const uint64_t end = slot.log != nullptr ? slot.log->end() : 0;
    auto file = env_->OpenRandomAccess(path);
    if (!file.ok()) return;  // flushed and gone meanwhile, or read-only without a log
    auto size = (*file)->Size();
    std::string image(size.value_or(0), '\0');
    auto got = (*file)->Read(0, image.size(), image.data());
    if (!got.ok()) {
      report->problems.push_back(got.status().ToString());
      return;
    }
    image.resize(slot.log != nullptr ? std::min<uint64_t>(*got, end) : *got);
    ++report->file_count;
    report->byte_count += image.size();
    auto header = DecodeWalFileHeader(image, slot.log_number);
    if (!header.ok()) {
      if (!header.status().IsNotFound()) {
        report->problems.push_back(header.status().WithContext(path).ToString());
      }
      return;
    }
    WalReader reader(image, *header, slot.log != nullptr && slot.log->is_mapped() ? end : 0);
    WalRecord record;
    while (reader.Next(&record) == WalReadResult::kRecord) {
    }
    if (!reader.status().ok()) {
      report->problems.push_back(reader.status().WithContext(path).ToString());
    }
  };
  check(*super.active);
  for (const auto& slot : super.immutables) check(*slot);
}

Result<VerifyReport> DbImpl::Verify() {
  VerifyReport report;
  std::shared_ptr<SuperVersion> super(RefSuper(), [](SuperVersion* pinned) { pinned->Unref(); });
  uint64_t manifest_bytes = 0;
  Status manifest = versions_.CheckManifest(&manifest_bytes);
  if (!manifest.ok()) report.problems.push_back(manifest.ToString());
  report.byte_count += manifest_bytes;
  ++report.file_count;
  VerifySegments(*super->version, &report);
  VerifyValues(*super, &report);
  VerifyLogs(*super, &report);
  return report;
}

std::optional<std::string> DbImpl::GetProperty(std::string_view name) {
  if (name == "varve.last-sequence") {
    return std::to_string(visible_sequence_.load(std::memory_order_acquire));
  }
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
