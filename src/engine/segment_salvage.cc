#include "engine/segment_salvage.h"

#include <algorithm>

#include "base/status_macros.h"
#include "format/block_file.h"

namespace varve {

namespace {

// The footer and the properties, as far as they can be read without the sparse index.
Result<SegmentProperties> ReadProperties(const RandomAccessFile& file, uint64_t bytes,
                                         uint64_t number) {
  if (bytes < kSegmentFooterBytes) return Status::Corruption("shorter than a footer");
  const uint64_t at = bytes - kSegmentFooterBytes;
  std::string tail(kSegmentFooterBytes, '\0');
  VARVE_ASSIGN_OR_RETURN(size_t got, file.Read(at, tail.size(), tail.data()));
  tail.resize(got);
  VARVE_ASSIGN_OR_RETURN(const SegmentFooter footer, DecodeSegmentFooter(tail, number, at));
  std::string disk(footer.properties_bytes, '\0');
  VARVE_ASSIGN_OR_RETURN(got, file.Read(footer.properties_offset, disk.size(), disk.data()));
  disk.resize(got);
  std::string scratch;
  VARVE_ASSIGN_OR_RETURN(const std::string_view raw,
                         DecodeBlock(disk, number, footer.properties_offset, BlockKind::kProperties,
                                     &scratch));
  return DecodeSegmentProperties(raw);
}

// What the manifest says is kept.
void TakeProperties(const SegmentProperties& properties, SegmentPlan* plan) {
  if (!plan->smallest_key) plan->smallest_key = properties.smallest_key;
  if (!plan->largest_key) plan->largest_key = properties.largest_key;
  if (!plan->entry_count) plan->entry_count = properties.entry_count;
  plan->largest_sequence = std::max(plan->largest_sequence, properties.largest_sequence);
  plan->compression = properties.compression;
  plan->hash_salt = properties.hash_salt;
}

}  // namespace

Status InspectSegment(Env* env, SegmentPlan* plan, std::vector<std::string>* problems) {
  auto file = env->OpenRandomAccess(plan->path);
  if (!file.ok()) {
    plan->is_missing = true;
    problems->push_back(plan->path + ": cannot be opened: " + std::string(file.status().message()));
    return Status::Ok();
  }
  plan->file_bytes = (*file)->Size().value_or(0);
  auto opened = OpenSegment(**file, plan->file_number);
  if (opened.ok()) {
    TakeProperties(opened->properties, plan);
    return Status::Ok();
  }
  if (opened.status().code() == StatusCode::kNotSupported) return opened.status();
  problems->push_back(opened.status().WithContext(plan->path).ToString());
  const auto properties = ReadProperties(**file, plan->file_bytes, plan->file_number);
  if (properties.ok()) TakeProperties(*properties, plan);
  std::string image(plan->file_bytes, '\0');
  image.resize((*file)->Read(0, image.size(), image.data()).value_or(0));
  plan->found = FindDataBlocks(image, plan->file_number);
  return Status::Ok();
}

SegmentSalvage::SegmentSalvage(Env* env, SegmentPlan plan, OnLoss on_loss)
    : env_(env), plan_(std::move(plan)), on_loss_(std::move(on_loss)) {}

std::string SegmentSalvage::LowestKey() const { return plan_.smallest_key.value_or(""); }

std::optional<std::string> SegmentSalvage::AfterLargest() const {
  if (!plan_.largest_key) return std::nullopt;
  return AfterKey(*plan_.largest_key);
}

void SegmentSalvage::Start() {
  const auto lose_all = [this](std::string what) {
    Lose(LowestKey(), AfterLargest(), 0, std::move(what));
    NoteTail();
  };
  auto file = env_->OpenRandomAccess(plan_.path);
  if (!file.ok()) return lose_all("the segment is missing");
  file_ = *std::move(file);
  if (plan_.found) {
    blocks_ = *plan_.found;
    if (blocks_.empty()) return lose_all("no block of the segment can be read");
  } else {
    auto opened = OpenSegment(*file_, plan_.file_number);
    // It was readable a moment ago.
    if (!opened.ok()) return lose_all(std::string(opened.status().message()));
    segment_ = *std::move(opened);
    for (size_t i = 0; i < segment_.index.block_count(); ++i) {
      blocks_.push_back({segment_.index.block_offset(i), segment_.index.block_bytes(i)});
    }
  }
  Next();
}

void SegmentSalvage::Next() {
  while (true) {
    if (at_ == entries_.size() && !LoadNextBlock()) {
      valid_ = false;
      return;
    }
    entry_ = entries_[at_++];
    if (plan_.trim && entry_.key <= *plan_.trim) continue;
    valid_ = true;
    return;
  }
}

DamagedKeys SegmentSalvage::KeysOfBlock(size_t block) const {
  DamagedKeys keys;
  if (plan_.found) return {has_last_ ? AfterKey(last_key_) : LowestKey(), AfterLargest()};
  segment_.index.AppendSeparator(block, &keys.begin);
  if (block == 0) keys.begin = LowestKey();
  if (block + 1 == blocks_.size()) {
    keys.end = AfterLargest();
  } else {
    std::string next;
    segment_.index.AppendSeparator(block + 1, &next);
    keys.end = segment_.index.Continues(block + 1) ? AfterKey(next) : next;
  }
  return keys;
}

bool SegmentSalvage::LoadNextBlock() {
  while (next_block_ < blocks_.size()) {
    const size_t index = next_block_++;
    const SalvagedBlock& block = blocks_[index];
    std::string what;
    const bool is_whole = ReadBlock(block, &what);
    if (is_whole && plan_.found) NoteGap(block);
    if (!is_whole) {
      DamagedKeys keys = KeysOfBlock(index);
      Lose(std::move(keys.begin), std::move(keys.end), block.offset, std::move(what));
    }
    end_of_last_ = block.offset + block.bytes;
    if (entries_.empty()) continue;
    has_last_ = true;
    last_key_.assign(entries_.back().key);
    last_sequence_ = entries_.back().sequence;
    at_ = 0;
    return true;
  }
  NoteTail();
  return false;
}

bool SegmentSalvage::ReadBlock(const SalvagedBlock& block, std::string* what) {
  entries_.clear();
  at_ = 0;
  disk_.resize(block.bytes);
  auto got = file_->Read(block.offset, disk_.size(), disk_.data());
  bytes_read_ += block.bytes;
  auto raw = got.ok() ? DecodeBlock(std::string_view(disk_).substr(0, *got), plan_.file_number,
                                    block.offset, BlockKind::kData, &scratch_)
                      : Result<std::string_view>(got.status());
  if (raw.ok()) return TakeEntries(*raw, what);
  *what = raw.status().message();
  return false;
}

// Entries after one that is malformed or out of order are not believed: a merge relies on the order.
bool SegmentSalvage::TakeEntries(std::string_view raw, std::string* what) {
  BlockView view;
  if (!view.Parse(raw)) {
    *what = "malformed block";
    return false;
  }
  const Entry* before = nullptr;
  Entry last{last_key_, {}, last_sequence_, EntryKind::kDelete};
  if (has_last_) before = &last;
  entries_.reserve(static_cast<size_t>(view.count()));
  for (int slot = 0; slot < view.count(); ++slot) {
    Entry entry;
    if (!view.Decode(slot, &entry)) {
      *what = "malformed entry";
      break;
    }
    if (before != nullptr &&
        CompareInternal(before->key, before->sequence, entry.key, entry.sequence) >= 0) {
      *what = "entries out of order";
      break;
    }
    entries_.push_back(entry);
    before = &entries_.back();
  }
  entries_read_ += entries_.size();
  return what->empty();
}

// Between the last block and `next`, which has just been read, something may be missing.
void SegmentSalvage::NoteGap(const SalvagedBlock& next) {
  if (next.offset == end_of_last_ || entries_.empty()) return;
  // The newest version of the first key may be the last of what is missing.
  Lose(has_last_ ? AfterKey(last_key_) : LowestKey(), AfterKey(entries_.front().key), end_of_last_,
       "no block can be read from here to offset " + std::to_string(next.offset));
}

void SegmentSalvage::NoteTail() {
  if (plan_.found && !blocks_.empty() && entries_read_ != plan_.entry_count) {
    // After the last block that was found there may have been more, unless all gaps are known and nothing
    // else says how many entries there were.
    const auto end = AfterLargest();
    if (!end || !has_last_ || last_key_ < *plan_.largest_key) {
      Lose(has_last_ ? AfterKey(last_key_) : LowestKey(), end, end_of_last_,
           "no block can be read from here on");
    }
  }
  ReportLost();
}

void SegmentSalvage::Lose(std::string begin, std::optional<std::string> end, uint64_t offset,
                          std::string what) {
  if (plan_.trim && begin <= *plan_.trim) begin = AfterKey(*plan_.trim);
  if (end && begin >= *end) return;
  // Damaged neighbours are one loss.
  if (!lost_.empty() && lost_.back().keys.end && *lost_.back().keys.end >= begin) {
    if (!end || *end > *lost_.back().keys.end) lost_.back().keys.end = std::move(end);
    return;
  }
  lost_.push_back({{std::move(begin), std::move(end)}, offset, std::move(what)});
}

void SegmentSalvage::ReportLost() {
  uint64_t changes = 0;
  if (lost_.size() == 1 && plan_.entry_count && !plan_.trim && *plan_.entry_count > entries_read_) {
    changes = *plan_.entry_count - entries_read_;
  }
  for (Lost& lost : lost_) {
    on_loss_({plan_.path, lost.offset, std::move(lost.what), std::move(lost.keys)}, changes);
  }
  lost_.clear();
}

}  // namespace varve
