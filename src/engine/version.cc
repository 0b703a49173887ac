#include "engine/version.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/coding.h"

namespace varve {

Run::Run(uint64_t id, std::vector<SegmentSlice> slices) : id_(id), slices_(std::move(slices)) {
  for (const SegmentSlice& slice : slices_) {
    largest_heads_.push_back(KeyHead(slice.meta().largest_key));
    smallest_heads_.push_back(KeyHead(slice.meta().smallest_key));
    // What is left of a trimmed segment is not known exactly; half is a fair guess.
    const uint64_t share = slice.trim ? 2 : 1;
    logical_bytes_ += slice.meta().logical_bytes / share;
    entry_count_ += slice.meta().entry_count / share;
    tombstone_count_ += slice.meta().tombstone_count / share;
    disk_bytes_ += slice.meta().file_bytes;
  }
}

size_t Run::FirstAtOrAfter(std::string_view key) const {
  const uint64_t head = KeyHead(key);
  size_t i = LowerBoundOf(largest_heads_.data(), largest_heads_.size(), head);
  // Equal heads decide nothing: look at the keys, by bisection for long runs of equal heads.
  size_t end = i;
  while (end < slices_.size() && largest_heads_[end] == head) ++end;
  while (i < end) {
    const size_t middle = i + (end - i) / 2;
    if (std::string_view(slices_[middle].meta().largest_key) < key) {
      i = middle + 1;
    } else {
      end = middle;
    }
  }
  return i;
}

const SegmentSlice* Run::Find(std::string_view key) const {
  const size_t i = FirstAtOrAfter(key);
  if (i == slices_.size()) return nullptr;
  const SegmentSlice& slice = slices_[i];
  if (KeyHead(key) <= smallest_heads_[i] && key < slice.meta().smallest_key) return nullptr;
  if (slice.trim && key <= *slice.trim) return nullptr;
  return &slice;
}

const Run* Version::FindRun(uint64_t id) const {
  for (const auto& run : runs_) {
    if (run->id() == id) return run.get();
  }
  return nullptr;
}

namespace {

using Slices = std::map<uint64_t, std::vector<SegmentSlice>>;  // by run id

SegmentSlice* FindSlice(Slices* runs, uint64_t file_number) {
  for (auto& [id, slices] : *runs) {
    for (SegmentSlice& slice : slices) {
      if (slice.meta().file_number == file_number) return &slice;
    }
  }
  return nullptr;
}

Status RemoveSegment(Slices* runs, const SegmentRef& ref) {
  auto run = runs->find(ref.run_id);
  if (run != runs->end()) {
    auto& slices = run->second;
    auto it = std::find_if(slices.begin(), slices.end(), [&](const SegmentSlice& slice) {
      return slice.meta().file_number == ref.file_number;
    });
    if (it != slices.end()) {
      slices.erase(it);
      return Status::Ok();
    }
  }
  return Status::Corruption("manifest removes segment " + std::to_string(ref.file_number) +
                            ", which is not in run " + std::to_string(ref.run_id));
}

// Slices in order, and no two of them overlap.
Status CheckRun(uint64_t id, std::vector<SegmentSlice>* slices) {
  std::sort(slices->begin(), slices->end(), [](const SegmentSlice& a, const SegmentSlice& b) {
    return a.meta().largest_key < b.meta().largest_key;
  });
  for (size_t i = 1; i < slices->size(); ++i) {
    const SegmentSlice& slice = (*slices)[i];
    const std::string& before = (*slices)[i - 1].meta().largest_key;
    const bool apart =
        slice.meta().smallest_key > before || (slice.trim && *slice.trim >= before);
    if (!apart) {
      return Status::Corruption("manifest: segments of run " + std::to_string(id) + " overlap");
    }
  }
  return Status::Ok();
}

// Removes for each of `removed` one that is equal to it.
void RemoveTombstones(std::vector<RangeTombstone>* from, const std::vector<RangeTombstone>& removed) {
  if (removed.empty()) return;
  const auto order = [](const RangeTombstone& tombstone) {
    return std::tie(tombstone.sequence, tombstone.begin, tombstone.end);
  };
  std::map<decltype(order(removed[0])), size_t> counts;
  for (const RangeTombstone& tombstone : removed) ++counts[order(tombstone)];
  std::erase_if(*from, [&](const RangeTombstone& tombstone) {
    const auto it = counts.find(order(tombstone));
    return it != counts.end() && it->second > 0 && it->second-- > 0;
  });
}

}  // namespace

Result<std::shared_ptr<const Version>> Version::Apply(
    const VersionEdit& edit, const std::vector<std::shared_ptr<SegmentReader>>& new_segments,
    std::map<uint64_t, std::shared_ptr<ValueLogFile>> value_logs) const {
  Slices runs;
  for (const auto& run : runs_) runs[run->id()] = run->slices();
  for (uint64_t id : edit.added_runs) runs[id];
  for (size_t i = 0; i < edit.added_segments.size(); ++i) {
    const SegmentMeta& meta = edit.added_segments[i];
    runs[meta.run_id].push_back({new_segments[i], std::nullopt, meta.filtered_sequence});
  }
  for (const SegmentRef& ref : edit.removed_segments) {
    Status status = RemoveSegment(&runs, ref);
    if (!status.ok()) return status;
  }
  for (const SegmentTrim& trim : edit.segment_trims) {
    SegmentSlice* slice = FindSlice(&runs, trim.file_number);
    if (slice == nullptr) {
      return Status::Corruption("manifest trims segment " + std::to_string(trim.file_number) +
                                ", which is in no run");
    }
    slice->trim = trim.bound;
  }
  for (uint64_t id : edit.removed_runs) runs.erase(id);

  auto version = std::make_shared<Version>();
  for (auto it = runs.rbegin(); it != runs.rend(); ++it) {
    if (it->second.empty()) continue;
    Status status = CheckRun(it->first, &it->second);
    if (!status.ok()) return status;
    version->runs_.push_back(std::make_shared<Run>(it->first, std::move(it->second)));
  }
  version->range_tombstones_ = range_tombstones_;
  version->range_tombstones_.insert(version->range_tombstones_.end(),
                                    edit.added_range_tombstones.begin(),
                                    edit.added_range_tombstones.end());
  RemoveTombstones(&version->range_tombstones_, edit.removed_range_tombstones);
  version->value_logs_ = std::move(value_logs);
  version->CountValueRefs();
  return std::shared_ptr<const Version>(std::move(version));
}

SequenceNumber Version::largest_sequence() const {
  SequenceNumber largest = 0;
  for (const auto& run : runs_) {
    for (const SegmentSlice& slice : run->slices()) largest = std::max(largest, slice.meta().largest_sequence);
  }
  for (const RangeTombstone& tombstone : range_tombstones_) largest = std::max(largest, tombstone.sequence);
  return largest;
}

void Version::CountValueRefs() {
  for (const auto& run : runs_) {
    for (const SegmentSlice& slice : run->slices()) {
      for (const ValueLogRef& ref : slice.meta().value_refs) value_refs_[ref.file_number] += ref.bytes;
    }
  }
}

VersionEdit Version::Describe() const {
  VersionEdit edit;
  for (const auto& run : runs_) {
    edit.added_runs.push_back(run->id());
    for (const SegmentSlice& slice : run->slices()) {
      SegmentMeta meta = slice.meta();
      meta.run_id = run->id();
      meta.filtered_sequence = slice.filtered_sequence;
      edit.added_segments.push_back(std::move(meta));
      if (slice.trim) edit.segment_trims.push_back({slice.meta().file_number, *slice.trim});
    }
  }
  edit.added_range_tombstones = range_tombstones_;
  for (const auto& [number, file] : value_logs_) edit.added_value_logs.push_back({number, file->bytes()});
  return edit;
}

}  // namespace varve
