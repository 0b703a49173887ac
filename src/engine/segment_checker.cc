#include "engine/segment_checker.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "engine/segment_reader.h"
#include "format/block_file.h"
#include "format/point_index.h"
#include "format/value_log.h"

namespace varve {

void SegmentChecker::Report(uint64_t offset, std::string what, std::optional<DamagedKeys> keys) {
  options_.on_damage({options_.path, offset, std::move(what), std::move(keys)});
}

bool SegmentChecker::Step(uint64_t* bytes) {
  *bytes = 0;
  switch (phase_) {
    case Phase::kOpen:
      Open(bytes);
      break;
    case Phase::kPointIndex:
      ReadIndexPage(bytes);
      break;
    case Phase::kData:
      ReadDataBlock(bytes);
      break;
    case Phase::kTotals:
      CheckTotals();
      phase_ = Phase::kDone;
      break;
    case Phase::kDone:
      break;
  }
  return phase_ != Phase::kDone;
}

void SegmentChecker::Open(uint64_t* bytes) {
  const auto fail = [this](std::string what) {
    Report(0, std::move(what), DamagedKeys{options_.meta.smallest_key, AfterKey(options_.meta.largest_key)});
    phase_ = Phase::kDone;
  };
  auto file = options_.env->OpenRandomAccess(options_.path);
  if (!file.ok()) return fail("the manifest names it, and it cannot be opened");
  file_ = *std::move(file);
  if (options_.reads_device) file_->DontNeed(0, options_.meta.file_bytes);
  auto opened = OpenSegment(*file_, options_.meta.file_number);
  if (!opened.ok()) return fail(std::string(opened.status().message()));
  segment_ = *std::move(opened);
  *bytes = segment_.file_bytes - segment_.footer.sparse_index_offset;
  CheckAgainstManifest();
  pages_.resize(segment_.properties.point_index_page_count);
  seen_.smallest_sequence = kMaxSequence;
  phase_ = pages_.empty() ? Phase::kData : Phase::kPointIndex;
}

void SegmentChecker::CheckAgainstManifest() {
  const SegmentProperties& properties = segment_.properties;
  const SegmentMeta& meta = options_.meta;
  const auto compare = [&](const char* what, uint64_t in_file, uint64_t in_manifest) {
    if (in_file == in_manifest) return;
    Report(0, std::string(what) + ": " + std::to_string(in_file) + ", and the manifest says " +
                  std::to_string(in_manifest));
  };
  compare("bytes", segment_.file_bytes, meta.file_bytes);
  compare("entries", properties.entry_count, meta.entry_count);
  compare("tombstones", properties.tombstone_count, meta.tombstone_count);
  compare("logical bytes", properties.logical_bytes, meta.logical_bytes);
  compare("smallest sequence number", properties.smallest_sequence, meta.smallest_sequence);
  compare("largest sequence number", properties.largest_sequence, meta.largest_sequence);
  compare("salt", properties.hash_salt, options_.hash_salt);
  if (properties.smallest_key != meta.smallest_key || properties.largest_key != meta.largest_key) {
    Report(0, "bounds of keys other than the manifest says");
  }
  if (!(properties.expiry == meta.expiry)) Report(0, "deadlines other than the manifest says");
}

std::string SegmentChecker::ReadDisk(uint64_t offset, size_t bytes) {
  std::string disk(bytes, '\0');
  if (options_.reads_device) file_->DontNeed(offset, bytes);
  const auto got = file_->Read(offset, bytes, disk.data());
  if (options_.reads_device) file_->DontNeed(offset, bytes);
  disk.resize(got.value_or(0));
  return disk;
}

void SegmentChecker::ReadIndexPage(uint64_t* bytes) {
  const uint64_t offset = segment_.properties.point_index_offset + next_page_ * uint64_t{kPageBytes};
  const std::string disk = ReadDisk(offset, kPageBytes);
  auto page = OpenBlock(disk, options_.meta.file_number, offset);
  *bytes = kPageBytes;
  ++blocks_;
  if (page.ok() && page->kind == BlockKind::kPointIndex && page->in_place()) {
    std::string& kept = pages_[next_page_];
    kept.assign(page->payload);
    kept.resize(kPointIndexRawBytes);
    for (uint32_t bucket = 0; bucket < kPointIndexBucketsPerPage; ++bucket) {
      indexed_ += static_cast<unsigned char>(
          kept[bucket * kPointIndexBucketBytes + kPointIndexCountAt]);
    }
  } else {
    // A reader goes to the data by this page only.
    Report(offset, page.ok() ? "a block of another kind" : std::string(page.status().message()),
           DamagedKeys{options_.meta.smallest_key, AfterKey(options_.meta.largest_key)});
    all_pages_read_ = false;
  }
  if (++next_page_ == pages_.size()) phase_ = Phase::kData;
}

bool SegmentChecker::IsIndexed(uint64_t hash, int slot) const {
  const std::string& page = pages_[PointIndexPageOf(hash, static_cast<uint32_t>(pages_.size()))];
  if (page.empty()) return true;  // damaged, and reported as such
  PointIndexProbe probe(page.data(), hash);
  const PointLocation wanted{static_cast<uint16_t>(block_), static_cast<uint8_t>(slot)};
  for (PointLocation location; probe.Next(&location);) {
    if (location == wanted) return true;
  }
  return false;
}

DamagedKeys SegmentChecker::KeysOfBlock() const {
  const SegmentIndex& index = segment_.index;
  DamagedKeys keys{options_.meta.smallest_key, AfterKey(options_.meta.largest_key)};
  if (block_ > 0) {
    keys.begin.clear();
    index.AppendSeparator(block_, &keys.begin);
  }
  if (block_ + 1 < index.block_count()) {
    std::string next;
    index.AppendSeparator(block_ + 1, &next);
    keys.end = index.Continues(block_ + 1) ? AfterKey(next) : next;
  }
  return keys;
}

void SegmentChecker::ReadDataBlock(uint64_t* bytes) {
  const SegmentIndex& index = segment_.index;
  const uint64_t offset = index.block_offset(block_);
  const std::string disk = ReadDisk(offset, index.block_bytes(block_));
  std::string scratch;
  auto raw = DecodeBlock(disk, options_.meta.file_number, offset, BlockKind::kData, &scratch);
  *bytes = index.block_bytes(block_);
  ++blocks_;
  BlockView view;
  if (!raw.ok() || !view.Parse(*raw)) {
    Report(offset, raw.ok() ? "malformed block" : std::string(raw.status().message()), KeysOfBlock());
    all_blocks_read_ = false;
  } else {
    Entry first, entry;
    for (int slot = 0; slot < view.count(); ++slot) {
      if (!view.Decode(slot, &entry)) {
        Report(offset, "malformed entry", KeysOfBlock());
        all_blocks_read_ = false;
        break;
      }
      if (slot == 0) first = entry;
      CheckEntry(entry, slot, offset);
      if (slot + 1 == view.count()) CheckSparseIndex(first, entry, offset);
    }
  }
  if (++block_ == index.block_count()) phase_ = Phase::kTotals;
}

void SegmentChecker::CheckEntry(const Entry& entry, int slot, uint64_t offset) {
  const bool new_key = !has_last_ || entry.key != last_key_;
  if (has_last_ && CompareInternal(last_key_, last_sequence_, entry.key, entry.sequence) >= 0 &&
      !VARVE_PLANTED_BUG("check.order_not_looked_at")) {
    Report(offset, "entries out of order", KeysOfBlock());
  }
  if (new_key) {
    ++keys_;
    if (!pages_.empty() && !IsIndexed(PointIndexHash(entry.key, options_.hash_salt), slot)) {
      Report(offset, "an entry that the point index does not lead to",
             DamagedKeys{std::string(entry.key), AfterKey(entry.key)});
    }
  }
  uint64_t user_bytes = PlainValueOf(entry.kind, entry.value).size();
  ValuePointer pointer;
  if (DecodePointerOf(entry.kind, entry.value, &pointer)) {
    user_bytes = pointer.value_bytes;
    value_refs_[pointer.file_number] += ValueLogRecordBytes(pointer);
  }
  ++seen_.entry_count;
  if (entry.kind == EntryKind::kDelete) ++seen_.tombstone_count;
  if (IsExpiring(entry.kind)) ++seen_.expiry.entry_count;
  seen_.key_bytes += entry.key.size();
  seen_.value_bytes += entry.value.size();
  seen_.logical_bytes += entry.key.size() + user_bytes;
  seen_.smallest_sequence = std::min(seen_.smallest_sequence, entry.sequence);
  seen_.largest_sequence = std::max(seen_.largest_sequence, entry.sequence);
  if (!has_last_) first_key_.assign(entry.key);
  last_key_.assign(entry.key);
  last_sequence_ = entry.sequence;
  has_last_ = true;
  if (options_.on_entry) options_.on_entry(entry);
}

void SegmentChecker::CheckSparseIndex(const Entry& first, const Entry& last, uint64_t offset) {
  const SegmentIndex& index = segment_.index;
  // A search for the first entry may begin one block before, where it meets the end.
  const size_t at = index.FindBlock(first.key, first.sequence);
  const bool leads_there = at == block_ || (at + 1 == block_);
  if (!leads_there || index.FindBlock(last.key, last.sequence) != block_) {
    Report(offset, "a block that the sparse index does not lead to", KeysOfBlock());
  }
}

void SegmentChecker::CheckTotals() {
  if (!all_blocks_read_) return;
  const SegmentProperties& said = segment_.properties;
  const auto compare = [&](const char* what, uint64_t counted, uint64_t expected) {
    if (counted == expected) return;
    Report(segment_.footer.properties_offset, std::string("holds ") + std::to_string(counted) + " " +
                                                  what + ", not " + std::to_string(expected));
  };
  compare("entries", seen_.entry_count, said.entry_count);
  compare("tombstones", seen_.tombstone_count, said.tombstone_count);
  compare("bytes of keys", seen_.key_bytes, said.key_bytes);
  compare("bytes of values", seen_.value_bytes, said.value_bytes);
  compare("logical bytes", seen_.logical_bytes, said.logical_bytes);
  compare("expiring entries", seen_.expiry.entry_count, said.expiry.entry_count);
  compare("as smallest sequence number", seen_.smallest_sequence, said.smallest_sequence);
  compare("as largest sequence number", seen_.largest_sequence, said.largest_sequence);
  if (first_key_ != said.smallest_key || last_key_ != said.largest_key) {
    Report(segment_.footer.properties_offset, "keys beyond the bounds that the properties name");
  }
  if (!pages_.empty() && all_pages_read_ && indexed_ != keys_) {
    Report(said.point_index_offset, "the point index has " + std::to_string(indexed_) +
                                        " places for " + std::to_string(keys_) + " keys");
  }
  std::map<uint64_t, uint64_t> expected;
  for (const ValueLogRef& ref : options_.meta.value_refs) expected[ref.file_number] += ref.bytes;
  if (value_refs_ != expected) {
    Report(0, "points to other large values than the manifest says");
  }
}

// --- Through a reader.

SegmentReader::CheckResult SegmentReader::Check(const std::function<void(Damage)>& problem) {
  SegmentChecker checker({context_->env, path(), meta_, context_->hash_salt, false, problem, nullptr});
  for (uint64_t bytes; checker.Step(&bytes);) {
  }
  return {checker.block_count(), checker.entry_count(), checker.file_bytes()};
}

}  // namespace varve
