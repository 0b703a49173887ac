// Explain: the lookup of a get, with somebody who listens (lookup_trace.h).
#include "engine/db_impl.h"
#include "format/value_log.h"

namespace varve {

namespace {

// What the entry comes to that a lookup has ended at with kNotFound.
Explanation::Answer AnswerWithoutValue(const Explanation& explanation, EntryKind kind) {
  if (explanation.answering_part() == nullptr) return Explanation::Answer::kNothing;
  if (explanation.range_tombstone_sequence != 0) return Explanation::Answer::kRangeTombstone;
  return kind == EntryKind::kDelete ? Explanation::Answer::kTombstone : Explanation::Answer::kExpired;
}

}  // namespace

Result<Explanation> DbImpl::ExplainStored(std::string_view key, const ReadOptions& options) {
  EpochGuard guard;
  const uint64_t begin = clock_->MonotonicNanos();
  Explanation explanation;
  SequenceNumber sequence;
  SuperVersion* super = ReadPoint(options.snapshot, &sequence);
  explanation.read_sequence = sequence;
  Lookup found;
  Status status = Find(super, KeyFor(key), sequence, &found, LookupTrace(&explanation));
  if (!status.ok() && !status.IsNotFound()) return status;
  if (explanation.answering_part() != nullptr) {
    explanation.sequence = found.entry.sequence;
    explanation.expire_at_millis =
        IsExpiring(found.entry.kind) ? DeadlineOf(found.entry.value) : found.deadline;
  }
  if (status.ok()) {
    explanation.answer = Explanation::Answer::kValue;
    status = ExplainValue(found, &explanation);
    if (!status.ok()) return status;
  } else {
    explanation.answer = AnswerWithoutValue(explanation, found.entry.kind);
  }
  explanation.nanos = clock_->MonotonicNanos() - begin;
  return explanation;
}

Status DbImpl::ExplainValue(const Lookup& found, Explanation* explanation) {
  const uint32_t reads_before = DiskReadsOfThread();
  std::string value;
  Status status = CopyValue(found, &value);
  if (!status.ok()) return status;
  explanation->value_bytes = value.size();
  ValuePointer pointer;
  if (!DecodePointerOf(found.entry.kind, found.entry.value, &pointer)) return Status::Ok();
  ExplainedValueLog& place = explanation->value_log.emplace();
  place.file_number = pointer.file_number;
  place.offset = pointer.offset;
  place.bytes = kValueLogRecordHeaderBytes + uint64_t{pointer.key_bytes} + pointer.value_bytes;
  place.was_read = DiskReadsOfThread() != reads_before;
  if (place.was_read) explanation->bytes_read += place.bytes;
  return Status::Ok();
}

Result<Explanation> DbImpl::Explain(std::string_view key, const ReadOptions& options) {
  std::string buffer;
  return ExplainStored(Keyspace().ToStored(key, &buffer), options);
}

// --- What is the same for every store.

Result<Explanation> Namespace::Explain(std::string_view, const ReadOptions&) {
  return Status::NotSupported("only an open directory can explain a lookup");
}

}  // namespace varve
