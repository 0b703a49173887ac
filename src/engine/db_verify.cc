// Verify.
#include <algorithm>
#include <set>

#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/merging_iterator.h"
#include "engine/memtable_iterator.h"
#include "engine/run_iterator.h"
#include "format/filename.h"
#include "format/value_log.h"

namespace varve {

struct DbImpl::Verification {
  std::shared_ptr<SuperVersion> super;
  VerifyReport* report = nullptr;
  // Of namespaces that existed when it began; those that come later are not judged.
  NamespaceNames names;
  uint32_t end_of_names = 0;
  std::set<std::string> reported;  // per namespace: once

  void Report(std::string problem) { report->problems.push_back(std::move(problem)); }
};

void DbImpl::VerifySegments(Verification* work) {
  VerifyReport* const report = work->report;
  for (const auto& run : work->super->version->runs()) {
    for (const SegmentSlice& slice : run->slices()) {
      const SegmentReader::CheckResult checked =
          slice.segment->Check([work](Damage damage) { work->Report(damage.ToString()); });
      ++report->file_count;
      report->block_count += checked.blocks;
      report->entry_count += checked.entries;
      report->byte_count += checked.bytes;
    }
  }
}

void DbImpl::VerifyValueFiles(Verification* work) {
  for (const auto& [number, file] : work->super->version->value_logs()) {
    ++work->report->file_count;
    char header[kValueLogFileHeaderBytes];
    auto opened = env_->OpenRandomAccess(file->path());
    Status status = opened.status();
    if (status.ok()) {
      auto got = (*opened)->Read(0, sizeof(header), header);
      status = got.ok() ? CheckValueLogFileHeader({header, *got}, number) : got.status();
    }
    if (!status.ok()) work->Report(status.WithContext(file->path()).ToString());
  }
}

// What an entry says beyond itself: the namespace of its key, and the value that it points to.
void DbImpl::VerifyEntry(const Entry& entry, std::string* buffer, Verification* work) {
  if (IsBeyondDefaultNamespace(entry.key)) VerifyNamespaceOf(entry, work);
  if (!HasPointer(entry.kind)) return;
  ValuePointer pointer;
  if (!DecodePointerOf(entry.kind, entry.value, &pointer)) return work->Report("a malformed value pointer");
  const auto& known_files = work->super->version->value_logs();
  const auto known = known_files.find(pointer.file_number);
  auto file = known != known_files.end() ? known->second : values_.Find(pointer.file_number);
  if (file == nullptr) {
    return work->Report("value-log file " + std::to_string(pointer.file_number) +
                        " is missing, and a key points into it");
  }
  const Status status = file->Check(entry.key, pointer, buffer, /*reads_device=*/false);
  if (!status.ok()) work->Report(status.ToString());
  work->report->byte_count += ValueLogRecordBytes(pointer);
}

void DbImpl::VerifyNamespaceOf(const Entry& entry, Verification* work) {
  const std::optional<uint32_t> id = NamespaceIdOf(entry.key);
  std::string problem;
  if (!id) {
    problem = "a key that belongs to no namespace";
  } else if (*id != kStoreNamespaceId && *id < work->end_of_names && !work->names.contains(*id) &&
             entry.kind != EntryKind::kDelete &&
             work->super->tombstones.MaxCovering(entry.key, kMaxSequence) <= entry.sequence) {
    problem = "keys of namespace " + std::to_string(*id) + ", which does not exist and was not dropped";
  }
  if (!problem.empty() && work->reported.insert(problem).second) work->Report(std::move(problem));
}

void DbImpl::VerifyEntries(Verification* work) {
  std::vector<std::unique_ptr<InternalIterator>> sources;
  sources.push_back(std::make_unique<MemTableIterator>(work->super->active->memtable));
  for (const auto& slot : work->super->immutables) {
    sources.push_back(std::make_unique<MemTableIterator>(slot->memtable));
  }
  for (const auto& run : work->super->version->runs()) {
    sources.push_back(std::make_unique<RunIterator>(run, ReadMode::kStreaming));
  }
  std::string buffer;
  for (auto& source : sources) {
    // A damaged segment has been reported by its own check already.
    for (source->SeekToFirst(); source->Valid(); source->Next()) {
      VerifyEntry(source->entry(), &buffer, work);
    }
  }
}

void DbImpl::VerifyRangeTombstones(Verification* work) {
  for (const RangeTombstone& tombstone : work->super->version->range_tombstones()) {
    if (tombstone.begin < tombstone.end && tombstone.sequence != 0) continue;
    work->Report("the manifest has a range delete without keys, or of no change");
  }
}

void DbImpl::VerifyLog(const MemTableSlot& slot, Verification* work) {
  const std::string path = JoinPath(dir_, WalFileName(slot.log_number));
  // What is appended after this is not looked at.
  const uint64_t end = slot.log != nullptr ? slot.log->end() : 0;
  auto file = env_->OpenRandomAccess(path);
  if (!file.ok()) {
    // Flushed and gone meanwhile, or read-only without a log.
    if (!file.status().IsNotFound()) work->Report(file.status().ToString());
    return;
  }
  auto size = (*file)->Size();
  if (!size.ok()) return work->Report(size.status().ToString());
  std::string image(*size, '\0');
  auto got = (*file)->Read(0, image.size(), image.data());
  if (!got.ok()) return work->Report(got.status().ToString());
  image.resize(slot.log != nullptr ? std::min<uint64_t>(*got, end) : *got);
  ++work->report->file_count;
  work->report->byte_count += image.size();
  auto header = DecodeWalFileHeader(image, slot.log_number);
  if (!header.ok()) {
    if (!header.status().IsNotFound()) work->Report(header.status().WithContext(path).ToString());
    return;
  }
  WalReader reader(image, *header, slot.log != nullptr && slot.log->is_mapped() ? end : 0);
  WalRecord record;
  SequenceNumber last = 0;
  while (reader.Next(&record) == WalReadResult::kRecord) {
    const auto report = [&](const char* what) {
      work->Report(path + " at offset " + std::to_string(record.offset) + ": " + what);
    };
    if (record.type == WalRecordType::kMark) continue;
    if (record.first_sequence <= last) report("a record that is not newer than the one before");
    last = record.first_sequence + record.count - 1;
    WalOpReader ops(record.payload, record.count);
    for (WalOp op; ops.Next(&op);) {
    }
    if (!ops.ok()) report("a record whose changes are malformed");
  }
  if (!reader.status().ok()) work->Report(reader.status().WithContext(path).ToString());
}

// A store that is open for writing removes them by itself, so only one that is not can be asked.
void DbImpl::FindOrphans(Verification* work) {
  const auto names = env_->ListDir(dir_);
  if (!options_.read_only || !names.ok()) return;
  std::set<std::string> used;
  const auto use_values = [&](const auto& file) { used.insert(ValueLogFileName(file->number())); };
  for (const auto& run : work->super->version->runs()) {
    for (const SegmentSlice& slice : run->slices()) {
      used.insert(SegmentFileName(slice.meta().file_number));
    }
  }
  for (const auto& [number, file] : work->super->version->value_logs()) use_values(file);
  for (const auto& slot : work->super->immutables) {
    used.insert(WalFileName(slot->log_number));
    for (const auto& file : slot->value_logs) use_values(file);
  }
  used.insert(ManifestFileName(versions_.manifest_number()));
  for (const std::string& name : *names) {
    const auto parsed = ParseFileName(name);
    if (!parsed || used.contains(name)) continue;
    // A younger log without changes is there for those to come.
    const bool is_log = parsed->type == FileType::kWal && parsed->number >= versions_.oldest_log_number();
    const bool is_of_the_store = is_log || parsed->type == FileType::kCurrent ||
                                 parsed->type == FileType::kLock || parsed->type == FileType::kEvents;
    if (!is_of_the_store) work->report->orphans.push_back(name);
  }
  std::sort(work->report->orphans.begin(), work->report->orphans.end());
}

Result<VerifyReport> DbImpl::Verify() {
  VerifyReport report;
  Verification work;
  work.report = &report;
  {
    // Before the super version: what is dropped from now on existed.
    MutexLock lock(&namespace_mu_);
    work.end_of_names = next_namespace_id_;
    work.names = NamesOfNamespaces();
  }
  if (!namespace_status_.ok()) {
    work.Report(namespace_status_.WithContext("the table of namespaces").ToString());
    work.end_of_names = 0;
  }
  work.super = std::shared_ptr<SuperVersion>(RefSuper(), [](SuperVersion* pinned) { pinned->Unref(); });
  uint64_t manifest_bytes = 0;
  Status manifest = versions_.CheckManifest(&manifest_bytes);
  if (!manifest.ok()) work.Report(manifest.ToString());
  report.byte_count += manifest_bytes;
  ++report.file_count;
  VerifySegments(&work);
  VerifyValueFiles(&work);
  VerifyRangeTombstones(&work);
  VerifyEntries(&work);
  VerifyLog(*work.super->active, &work);
  for (const auto& slot : work.super->immutables) VerifyLog(*slot, &work);
  FindOrphans(&work);
  return report;
}

NamespaceNames DbImpl::NamesOfNamespaces() {
  NamespaceNames names;
  for (const auto& state : namespaces_.List()) names[state->id] = state->name;
  return names;
}

}  // namespace varve
