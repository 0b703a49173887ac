#include "engine/compaction_job.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/compaction_picker.h"
#include "engine/merging_iterator.h"

namespace varve {

std::vector<CompactionJob::Input> CompactionJob::Remaining(const Version& version) const {
  std::vector<Input> inputs;
  for (uint64_t id : options_.run_ids) {
    for (const auto& run : version.runs()) {
      if (run->id() != id) continue;
      size_t first = 0;
      while (done_through_ && first < run->slices().size() &&
             run->slices()[first].meta().largest_key <= *done_through_) {
        ++first;
      }
      if (first < run->slices().size()) inputs.push_back({run, first});
    }
  }
  return inputs;
}

std::string_view CompactionJob::LowerKeyOf(const Input& input, size_t index) const {
  const SegmentSlice& slice = input.run->slices()[index];
  return slice.trim ? std::string_view(*slice.trim) : std::string_view(slice.meta().smallest_key);
}

bool CompactionJob::MustRewrite(const SegmentSlice& slice, const MergeRules& rules,
                                const Version& version, SequenceNumber filtered_sequence) const {
  if (options_.rewrite_all) return true;
  if (slice.trim && !VARVE_PLANTED_BUG("merge.moves_trimmed_segments_whole")) return true;
  const SegmentMeta& meta = slice.meta();
  if (rules.is_bottom && meta.tombstone_count > 0) return true;
  if (HasManyExpired(meta, rules.expired_until, options_.idle)) return true;
  for (const RangeTombstone& tombstone : version.range_tombstones()) {
    const bool may_hide = (tombstone.sequence <= filtered_sequence ||
                           VARVE_PLANTED_BUG("merge.without_effect_for_ever")) &&
                          slice.filtered_sequence < tombstone.sequence &&
                          meta.smallest_sequence < tombstone.sequence &&
                          meta.largest_key >= tombstone.begin && meta.smallest_key < tombstone.end;
    if (may_hide) return true;
  }
  for (const ValueLogRef& ref : meta.value_refs) {
    if (options_.empty_values.contains(ref.file_number)) return true;
  }
  return false;
}

bool CompactionJob::MoveWhole(const std::vector<Input>& inputs, const MergeRules& rules,
                              const Version& version, SequenceNumber filtered_sequence, CompactionSlice* slice) {
  std::vector<Input> left = inputs;
  const uint64_t target = options_.run_ids.back();
  bool moved = false;
  while (!left.empty()) {
    size_t lowest = 0;
    for (size_t i = 1; i < left.size(); ++i) {
      if (LowerKeyOf(left[i], left[i].first) < LowerKeyOf(left[lowest], left[lowest].first)) lowest = i;
    }
    Input& input = left[lowest];
    const SegmentSlice& candidate = input.run->slices()[input.first];
    bool alone = !MustRewrite(candidate, rules, version, filtered_sequence);
    for (size_t i = 0; alone && i < left.size(); ++i) {
      if (i != lowest) alone = LowerKeyOf(left[i], left[i].first) > candidate.meta().largest_key;
    }
    if (!alone) break;
    if (input.run->id() != target) {
      SegmentMeta meta = candidate.meta();
      slice->edit.removed_segments.push_back({input.run->id(), meta.file_number});
      meta.run_id = target;
      meta.filtered_sequence = candidate.filtered_sequence;
      slice->moved.push_back(std::move(meta));
      slice->changed = true;
    }
    next_done_through_ = candidate.meta().largest_key;
    moved = true;
    if (++input.first == input.run->slices().size()) {
      left.erase(left.begin() + static_cast<ptrdiff_t>(lowest));
    }
  }
  slice->is_last = left.empty();
  return moved;
}

Status CompactionJob::MoveValue(const Version& version, ValueLogSet* values, Entry* entry,
                                CompactionSlice* slice) {
  ValuePointer pointer;
  if (!DecodePointerOf(entry->kind, entry->value, &pointer) ||
      !options_.empty_values.contains(pointer.file_number)) {
    return Status::Ok();
  }
  auto file = version.value_logs().find(pointer.file_number);
  if (file == version.value_logs().end()) {
    return Status::Corruption("value-log file " + std::to_string(pointer.file_number) +
                              " is gone, and a key still points into it");
  }
  VARVE_ASSIGN_OR_RETURN(std::string_view value, file->second->ReadInto(pointer, &value_buffer_));
  VARVE_ASSIGN_OR_RETURN(AppendedValue moved, values->Append(entry->key, value));
  slice->holds.push_back(std::move(moved.hold));
  // Behind the deadline, if there is one.
  pointer_buffer_.assign(entry->value);
  EncodeValuePointer(moved.where, pointer_buffer_.data() + pointer_buffer_.size() - kValuePointerBytes);
  entry->value = pointer_buffer_;
  return Status::Ok();
}

Status CompactionJob::Merge(const std::vector<Input>& inputs, const MergeRules& rules,
                            SegmentOutput* output, ValueLogSet* values, const Version& version,
                            const std::atomic<bool>& stop, CompactionSlice* slice) {
  std::vector<std::unique_ptr<InternalIterator>> sources;
  for (const Input& input : inputs) {
    sources.push_back(std::make_unique<RunIterator>(input.run, ReadMode::kStreaming));
    if (done_through_) {
      sources.back()->Seek(*done_through_, 0);
      // What is left of a key that the last slice has dealt with.
      while (sources.back()->Valid() && sources.back()->entry().key <= *done_through_) {
        sources.back()->Next();
      }
    } else {
      sources.back()->SeekToFirst();
    }
    VARVE_RETURN_IF_ERROR(sources.back()->status());
  }
  MergingIterator merged(std::move(sources));
  merged.BeginForward();

  MergeFilter filter(rules);
  std::string last_key;
  uint64_t count = 0;
  for (; merged.Valid(); merged.Next()) {
    if ((++count & 1023) == 0 && stop.load(std::memory_order_relaxed)) {
      return Status::Aborted("the store is closing");
    }
    Entry entry = merged.entry();
    if (output->IsFull() && entry.key != last_key) break;
    last_key.assign(entry.key);
    slice->bytes_read += entry.key.size() + entry.value.size();
    if (!filter.Keep(&entry)) continue;
    if (HasPointer(entry.kind) && empties_values()) {
      VARVE_RETURN_IF_ERROR(MoveValue(version, values, &entry, slice));
    }
    VARVE_RETURN_IF_ERROR(output->Add(entry));
  }
  VARVE_RETURN_IF_ERROR(merged.status());
  slice->entries = count;
  slice->kept_for_snapshots = filter.kept_for_snapshots();
  slice->is_last = !merged.Valid();
  if (count > 0) next_done_through_ = last_key;
  return output->Finish();
}

void CompactionJob::DescribeInputs(const std::vector<Input>& inputs, CompactionSlice* slice) const {
  for (const Input& input : inputs) {
    for (size_t i = input.first; i < input.run->slices().size(); ++i) {
      const SegmentSlice& part = input.run->slices()[i];
      const SegmentMeta& meta = part.meta();
      if (slice->is_last || meta.largest_key <= *next_done_through_) {
        slice->edit.removed_segments.push_back({input.run->id(), meta.file_number});
      } else if (meta.smallest_key <= *next_done_through_ &&
                 !(part.trim && *part.trim >= *next_done_through_)) {
        slice->edit.segment_trims.push_back({meta.file_number, *next_done_through_});
      }
    }
  }
}

Result<CompactionSlice> CompactionJob::RunSlice(const std::shared_ptr<const Version>& version,
                                                const MergeRules& rules,
                                                SegmentOutputOptions output_options,
                                                ValueLogSet* values,
                                                const std::atomic<bool>& stop) {
  CompactionSlice slice;
  next_done_through_ = done_through_;
  const std::vector<Input> inputs = Remaining(*version);
  if (inputs.empty()) {
    slice.is_last = true;
    return slice;
  }
  if (MoveWhole(inputs, rules, *version, output_options.filtered_sequence, &slice)) {
    slice.edit.added_segments = slice.moved;
    return slice;
  }
  output_options.run_id = options_.run_ids.back();
  SegmentOutput output(std::move(output_options));
  VARVE_RETURN_IF_ERROR(Merge(inputs, rules, &output, values, *version, stop, &slice));
  // Moved values must be as durable as the segments that point to them.
  if (empties_values() && !VARVE_PLANTED_BUG("merge.moved_values_not_synced")) {
    VARVE_RETURN_IF_ERROR(values->Sync());
  }
  slice.bytes_written = output.written_bytes();
  slice.edit.added_segments = output.Release();
  DescribeInputs(inputs, &slice);
  slice.changed = true;
  return slice;
}

}  // namespace varve
