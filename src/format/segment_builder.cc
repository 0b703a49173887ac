#include "format/segment_builder.h"

#include <algorithm>

#include "base/check.h"
#include "base/status_macros.h"
#include "format/segment.h"
#include "format/value_pointer.h"
#include "varve/version.h"

namespace varve {

namespace {

constexpr size_t kCompressedBlockBytes = 16384;

// What a raw data block may take. A plain block shares its pages with the trailer.
size_t RawLimit(const SegmentBuilderOptions& options, Compression compression) {
  if (compression != Compression::kNone) {
    return options.block_bytes != 0 ? options.block_bytes : kCompressedBlockBytes;
  }
  const size_t disk_bytes = options.block_bytes != 0 ? options.block_bytes : kPageBytes;
  VARVE_CHECK(disk_bytes >= kPageBytes && disk_bytes % kPageBytes == 0);
  return disk_bytes - kBlockTrailerBytes;
}

}  // namespace

SegmentBuilder::SegmentBuilder(WritableFile* file, const SegmentBuilderOptions& options)
    : file_(file),
      options_(options),
      compression_(options.compression),
      raw_limit_(RawLimit(options, options.compression)),
      expiry_(options.now_millis) {
  properties_.format_version = kFormatVersion;
  properties_.compression = options.compression;
  properties_.hash_salt = options.hash_salt;
  properties_.smallest_sequence = kMaxSequence;
  output_.reserve(kWriteBytes + 2 * raw_limit_ + kPageBytes);
  if (options.with_point_index) point_index_.Reserve(options.expected_entries);
}

SegmentBuilder::~SegmentBuilder() { Abandon(); }

void SegmentBuilder::Abandon() {
  is_closed_ = true;
  output_.clear();
}

Status SegmentBuilder::Add(const Entry& entry) {
  VARVE_CHECK(!is_closed_);
  if (!status_.ok()) return status_;
  bool is_newest_version = true;
  if (properties_.entry_count > 0) {
    const std::string_view last_key = block_.empty() ? previous_key_ : block_.last_key();
    const int order = last_key.compare(entry.key);
    VARVE_CHECK(order < 0 || (order == 0 && last_sequence_ > entry.sequence));
    is_newest_version = order != 0;
  } else {
    properties_.smallest_key = entry.key;
  }
  VARVE_CHECK(entry.sequence > 0 && entry.sequence <= kMaxSequence);
  if (!block_.CanFit(entry, raw_limit_)) {
    VARVE_RETURN_IF_ERROR(FinishBlock());
  }
  if (block_.empty()) sparse_index_.AddBlock(previous_key_, entry.key, entry.sequence);
  const int slot = block_.Add(entry);
  if (is_newest_version && options_.with_point_index) {
    VARVE_CHECK(block_count_ <= 0xffff);
    point_index_.Add(PointIndexHash(entry.key, options_.hash_salt),
                     static_cast<uint16_t>(block_count_), static_cast<uint8_t>(slot));
  }
  if (options_.expiry_places != nullptr && is_newest_version && IsExpiring(entry.kind)) {
    options_.expiry_places->Add(DeadlineOf(entry.value), block_count_, slot);
  }
  NoteEntry(entry);
  return Status::Ok();
}

Status SegmentBuilder::SetCompression(Compression compression) {
  if (compression == compression_) return status_;
  if (!status_.ok()) return status_;
  if (!block_.empty()) VARVE_RETURN_IF_ERROR(FinishBlock());
  compression_ = compression;
  raw_limit_ = RawLimit(options_, compression);
  return Status::Ok();
}

void SegmentBuilder::NoteEntry(const Entry& entry) {
  uint64_t user_value_bytes = PlainValueOf(entry.kind, entry.value).size();
  if (HasPointer(entry.kind)) {
    ValuePointer pointer;
    VARVE_CHECK(DecodePointerOf(entry.kind, entry.value, &pointer));
    user_value_bytes = pointer.value_bytes;
  } else if (entry.kind == EntryKind::kDelete) {
    VARVE_CHECK(entry.value.empty());
    ++properties_.tombstone_count;
  }
  if (IsExpiring(entry.kind)) {
    expiry_.Add(DeadlineOf(entry.value), entry.key.size() + user_value_bytes);
  }
  ++properties_.entry_count;
  properties_.key_bytes += entry.key.size();
  properties_.value_bytes += entry.value.size();
  properties_.logical_bytes += entry.key.size() + user_value_bytes;
  properties_.smallest_sequence = std::min(properties_.smallest_sequence, entry.sequence);
  properties_.largest_sequence = std::max(properties_.largest_sequence, entry.sequence);
  last_sequence_ = entry.sequence;
}

Status SegmentBuilder::FinishBlock() {
  const uint64_t start = offset_;
  AppendBlock(block_.Finish(), {.kind = BlockKind::kData,
                                .compression = compression_,
                                .pad_to_page = compression_ == Compression::kNone});
  sparse_index_.SetBlockBytes(offset_ - start);
  previous_key_.assign(block_.last_key());
  block_.Reset();
  ++block_count_;
  return output_.size() >= kWriteBytes ? WriteOut() : Status::Ok();
}

void SegmentBuilder::AppendBlock(std::string_view raw, const BlockEncoding& encoding) {
  const size_t before = output_.size();
  EncodeBlock(raw, encoding, options_.file_number, offset_, &output_);
  offset_ += output_.size() - before;
}

Status SegmentBuilder::WriteOut() {
  status_ = file_->Write(offset_ - output_.size(), output_);
  output_.clear();
  return status_;
}

Status SegmentBuilder::AppendPointIndex() {
  const size_t padding = (kPageBytes - offset_ % kPageBytes) % kPageBytes;
  output_.append(padding, '\0');
  offset_ += padding;
  properties_.point_index_offset = offset_;
  if (point_index_.count() == 0) return Status::Ok();
  VARVE_RETURN_IF_ERROR(WriteOut());
  std::vector<PointIndexPage> pages = point_index_.Finish();
  properties_.point_index_page_count = static_cast<uint32_t>(pages.size());
  if (pages.empty()) return Status::Ok();
  const uint64_t start = offset_;
  for (PointIndexPage& page : pages) {
    SealPlainBlock(page.bytes, kPointIndexRawBytes, kPageBytes, BlockKind::kPointIndex,
                   options_.file_number, offset_);
    offset_ += kPageBytes;
  }
  status_ = file_->Write(start, {pages.data()->bytes, pages.size() * kPageBytes});
  return status_;
}

void SegmentBuilder::AppendTail() {
  SegmentFooter footer;
  footer.file_number = options_.file_number;
  footer.format_version = kFormatVersion;
  footer.sparse_index_offset = offset_;
  AppendBlock(sparse_index_.Finish(),
              {.kind = BlockKind::kSparseIndex, .compression = options_.compression});
  footer.sparse_index_bytes = static_cast<uint32_t>(offset_ - footer.sparse_index_offset);
  footer.properties_offset = offset_;
  AppendBlock(EncodeSegmentProperties(properties_), {.kind = BlockKind::kProperties});
  footer.properties_bytes = static_cast<uint32_t>(offset_ - footer.properties_offset);
  char bytes[kSegmentFooterBytes];
  EncodeSegmentFooter(footer, offset_, bytes);
  output_.append(bytes, sizeof(bytes));
  offset_ += sizeof(bytes);
}

Result<SegmentProperties> SegmentBuilder::Finish() {
  VARVE_CHECK(!is_closed_ && properties_.entry_count > 0);
  is_closed_ = true;
  if (!status_.ok()) return status_;
  if (!block_.empty()) VARVE_RETURN_IF_ERROR(FinishBlock());
  properties_.largest_key = previous_key_;
  properties_.data_bytes = offset_;
  properties_.block_count = block_count_;
  properties_.expiry = expiry_.Finish();
  VARVE_RETURN_IF_ERROR(AppendPointIndex());
  AppendTail();
  VARVE_RETURN_IF_ERROR(WriteOut());
  return properties_;
}

}  // namespace varve
