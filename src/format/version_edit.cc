#include "format/version_edit.h"

#include "base/coding.h"
#include "format/newer_format.h"
#include "varve/version.h"

namespace varve {

namespace {

// Reach disk: never renumber. A field is a varint tag followed by its parts; who does not know a
// tag cannot know what the store consists of, and must not open it.
enum EditTag : uint64_t {
  kFormatVersionEditTag = 1,
  kNextFileNumberEditTag = 2,
  kLastSequenceEditTag = 3,
  kOldestLogEditTag = 4,
  kHashSaltEditTag = 5,
  kAddedRunEditTag = 6,
  kRemovedRunEditTag = 7,
  kAddedSegmentEditTag = 8,
  kRemovedSegmentEditTag = 9,
  kSegmentTrimEditTag = 10,
  kDurableLogEditTag = 11,
  kAddedRangeTombstoneEditTag = 12,
  kRemovedRangeTombstoneEditTag = 13,
  kAddedValueLogEditTag = 14,
  kRemovedValueLogEditTag = 15,
  kSegmentExpiryEditTag = 16,  // of the added segment before it
  kFileOriginEditTag = 17,
};

// Each kind of part knows how to write and to read itself; a field is written and read as the same
// list of parts.
void Put(std::string* to, uint64_t number) { AppendVarint(to, number); }
void Put(std::string* to, const std::string& bytes) { AppendLengthPrefixed(to, bytes); }
bool Get(std::string_view* from, uint64_t* number) { return ConsumeVarint(from, number); }
bool Get(std::string_view* from, std::string* bytes) {
  std::string_view view;
  if (!ConsumeLengthPrefixed(from, &view)) return false;
  bytes->assign(view);
  return true;
}

template <typename... Parts>
void PutField(std::string* to, EditTag tag, const Parts&... parts) {
  AppendVarint(to, tag);
  (Put(to, parts), ...);
}
template <typename... Parts>
bool GetParts(std::string_view* from, Parts*... parts) {
  return (Get(from, parts) && ...);
}

template <typename T>
void PutOptional(std::string* to, EditTag tag, const std::optional<T>& value) {
  if (value) PutField(to, tag, uint64_t{*value});
}
bool GetOptional(std::string_view* from, std::optional<uint64_t>* value) {
  return Get(from, &value->emplace());
}

void PutSegment(std::string* to, const SegmentMeta& s) {
  PutField(to, kAddedSegmentEditTag, s.run_id, s.file_number, s.file_bytes, s.smallest_key,
           s.largest_key, s.smallest_sequence, s.largest_sequence, s.entry_count, s.tombstone_count,
           s.logical_bytes, s.filtered_sequence, uint64_t{s.value_refs.size()});
  for (const ValueLogRef& ref : s.value_refs) {
    Put(to, ref.file_number);
    Put(to, ref.bytes);
  }
  if (s.expiry.empty()) return;
  AppendVarint(to, kSegmentExpiryEditTag);
  AppendExpirySummary(s.expiry, to);
}
bool GetValueRefs(std::string_view* from, std::vector<ValueLogRef>* refs) {
  uint64_t count;
  if (!Get(from, &count) || count > from->size() / 2) return false;
  refs->resize(count);
  for (ValueLogRef& ref : *refs) {
    if (!GetParts(from, &ref.file_number, &ref.bytes)) return false;
  }
  return true;
}
bool GetSegment(std::string_view* from, SegmentMeta* s) {
  return GetParts(from, &s->run_id, &s->file_number, &s->file_bytes, &s->smallest_key,
                  &s->largest_key, &s->smallest_sequence, &s->largest_sequence, &s->entry_count,
                  &s->tombstone_count, &s->logical_bytes, &s->filtered_sequence) &&
         GetValueRefs(from, &s->value_refs) && s->smallest_sequence <= s->largest_sequence &&
         s->largest_sequence <= kMaxSequence && s->filtered_sequence <= kMaxSequence &&
         s->smallest_key <= s->largest_key;
}

bool GetTombstone(std::string_view* from, RangeTombstone* t) {
  return GetParts(from, &t->begin, &t->end, &t->sequence) && t->sequence <= kMaxSequence;
}

// Reads the field of a known tag.
bool GetField(uint64_t tag, std::string_view* from, VersionEdit* e) {
  switch (tag) {
    case kFormatVersionEditTag: {
      uint64_t version;
      if (!Get(from, &version) || version > ~uint32_t{0}) return false;
      e->format_version = static_cast<uint32_t>(version);
      return true;
    }
    case kNextFileNumberEditTag:
      return GetOptional(from, &e->next_file_number);
    case kLastSequenceEditTag:
      return GetOptional(from, &e->last_sequence) && *e->last_sequence <= kMaxSequence;
    case kOldestLogEditTag:
      return GetOptional(from, &e->oldest_log_number);
    case kHashSaltEditTag:
      return GetOptional(from, &e->hash_salt);
    case kAddedRunEditTag:
      return Get(from, &e->added_runs.emplace_back());
    case kRemovedRunEditTag:
      return Get(from, &e->removed_runs.emplace_back());
    case kAddedSegmentEditTag:
      return GetSegment(from, &e->added_segments.emplace_back());
    case kRemovedSegmentEditTag: {
      SegmentRef& ref = e->removed_segments.emplace_back();
      return GetParts(from, &ref.run_id, &ref.file_number);
    }
    case kSegmentTrimEditTag: {
      SegmentTrim& trim = e->segment_trims.emplace_back();
      return GetParts(from, &trim.file_number, &trim.bound);
    }
    case kDurableLogEditTag: {
      DurableLog& log = e->durable_log.emplace();
      return GetParts(from, &log.number, &log.end);
    }
    case kAddedRangeTombstoneEditTag:
      return GetTombstone(from, &e->added_range_tombstones.emplace_back());
    case kRemovedRangeTombstoneEditTag:
      return GetTombstone(from, &e->removed_range_tombstones.emplace_back());
    case kAddedValueLogEditTag: {
      ValueLogFileMeta& file = e->added_value_logs.emplace_back();
      return GetParts(from, &file.file_number, &file.file_bytes);
    }
    case kRemovedValueLogEditTag:
      return Get(from, &e->removed_value_logs.emplace_back());
    case kSegmentExpiryEditTag:
      return !e->added_segments.empty() &&
             ConsumeExpirySummary(from, &e->added_segments.back().expiry);
    case kFileOriginEditTag: {
      FileOrigin& origin = e->origins.emplace_back();
      return ConsumeFixed(from, &origin.id) && Get(from, &origin.first_file_number);
    }
    default:
      return false;
  }
}

bool IsKnownTag(uint64_t tag) { return tag >= kFormatVersionEditTag && tag <= kFileOriginEditTag; }

}  // namespace

std::string EncodeVersionEdit(const VersionEdit& e) {
  std::string to;
  PutOptional(&to, kFormatVersionEditTag, e.format_version);
  PutOptional(&to, kNextFileNumberEditTag, e.next_file_number);
  PutOptional(&to, kLastSequenceEditTag, e.last_sequence);
  PutOptional(&to, kOldestLogEditTag, e.oldest_log_number);
  PutOptional(&to, kHashSaltEditTag, e.hash_salt);
  if (e.durable_log) PutField(&to, kDurableLogEditTag, e.durable_log->number, e.durable_log->end);
  for (uint64_t run : e.added_runs) PutField(&to, kAddedRunEditTag, run);
  for (uint64_t run : e.removed_runs) PutField(&to, kRemovedRunEditTag, run);
  for (const SegmentMeta& s : e.added_segments) PutSegment(&to, s);
  for (const SegmentRef& s : e.removed_segments) {
    PutField(&to, kRemovedSegmentEditTag, s.run_id, s.file_number);
  }
  for (const SegmentTrim& t : e.segment_trims) {
    PutField(&to, kSegmentTrimEditTag, t.file_number, t.bound);
  }
  for (const RangeTombstone& t : e.added_range_tombstones) {
    PutField(&to, kAddedRangeTombstoneEditTag, t.begin, t.end, t.sequence);
  }
  for (const RangeTombstone& t : e.removed_range_tombstones) {
    PutField(&to, kRemovedRangeTombstoneEditTag, t.begin, t.end, t.sequence);
  }
  for (const ValueLogFileMeta& f : e.added_value_logs) {
    PutField(&to, kAddedValueLogEditTag, f.file_number, f.file_bytes);
  }
  for (uint64_t file : e.removed_value_logs) PutField(&to, kRemovedValueLogEditTag, file);
  for (const FileOrigin& origin : e.origins) {
    AppendVarint(&to, kFileOriginEditTag);
    AppendFixed(&to, origin.id);
    Put(&to, origin.first_file_number);
  }
  return to;
}

Result<VersionEdit> DecodeVersionEdit(std::string_view bytes) {
  VersionEdit edit;
  while (!bytes.empty()) {
    uint64_t tag;
    if (!ConsumeVarint(&bytes, &tag)) return Status::Corruption("version edit: cut off");
    if (!IsKnownTag(tag)) {
      return Status::NotSupported("version edit: unknown field " + std::to_string(tag) +
                                  ", written by a newer version");
    }
    if (!GetField(tag, &bytes, &edit)) {
      return Status::Corruption("version edit: field " + std::to_string(tag) + " is malformed");
    }
    if (edit.format_version && *edit.format_version > kFormatVersion) {
      return NewerFormat("the store", *edit.format_version);
    }
  }
  return edit;
}

}  // namespace varve
