#include "format/sparse_index.h"

#include <algorithm>

#include "base/check.h"
#include "base/coding.h"

namespace varve {

namespace {

// Sorts at or before every sequence number: a block that continues nothing begins before all
// versions of its separator.
constexpr SequenceNumber kBeforeAllVersions = ~SequenceNumber{0};

constexpr size_t kSampleDistance = 64;

size_t CommonPrefix(std::string_view a, std::string_view b) {
  const size_t limit = std::min(a.size(), b.size());
  size_t size = 0;
  while (size < limit && a[size] == b[size]) ++size;
  return size;
}

Status Malformed(const char* what) {
  return Status::Corruption(std::string("sparse index: ") + what);
}

}  // namespace

void SparseIndexBuilder::AddBlock(std::string_view previous_key, std::string_view first_key,
                                  SequenceNumber first_sequence) {
  const bool continues = !blocks_.empty() && previous_key == first_key;
  size_t size = first_key.size();
  if (blocks_.empty()) {
    size = 0;  // the empty key separates the first block from nothing
  } else if (!continues) {
    size = CommonPrefix(previous_key, first_key) + 1;
  }
  keys_.append(first_key.substr(0, size));
  blocks_.push_back({0, keys_.size(), first_sequence, continues});
}

std::string_view SparseIndexBuilder::KeyOf(size_t block) const {
  const size_t start = block == 0 ? 0 : blocks_[block - 1].key_end;
  return std::string_view(keys_).substr(start, blocks_[block].key_end - start);
}

std::string SparseIndexBuilder::Finish() const {
  // The first block's empty key would leave nothing in common: it takes the prefix of the others.
  std::string_view prefix;
  if (blocks_.size() > 1) {
    const std::string_view first = KeyOf(1);
    prefix = first.substr(0, CommonPrefix(first, KeyOf(blocks_.size() - 1)));
  }
  std::string raw;
  raw.reserve(raw_bytes() + 32);
  AppendVarint(&raw, blocks_.size());
  AppendLengthPrefixed(&raw, prefix);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    const std::string_view rest = i == 0 ? std::string_view() : KeyOf(i).substr(prefix.size());
    AppendVarint(&raw, block.disk_bytes);
    AppendVarint(&raw, rest.size() << 1 | (block.continues ? 1 : 0));
    raw.append(rest);
    if (block.continues) AppendVarint(&raw, block.sequence);
  }
  return raw;
}

Result<SegmentIndex> SegmentIndex::Parse(std::string_view raw, uint64_t data_bytes) {
  uint64_t count;
  std::string_view prefix;
  if (!ConsumeVarint(&raw, &count) || !ConsumeLengthPrefixed(&raw, &prefix)) {
    return Malformed("its head is cut off");
  }
  // A block takes two bytes at least: that bounds what is allocated.
  if (count == 0 || count > raw.size() / 2) return Malformed("impossible number of blocks");
  SegmentIndex index;
  index.prefix_ = prefix;
  index.heads_.reserve(count);
  index.offsets_.reserve(count + 1);
  index.key_ends_.reserve(count + 1);
  index.key_ends_.push_back(0);
  uint64_t offset = 0;
  SequenceNumber previous_sequence = kBeforeAllVersions;
  for (uint64_t block = 0; block < count; ++block) {
    uint64_t disk_bytes, size_and_flag;
    std::string_view rest;
    if (!ConsumeVarint(&raw, &disk_bytes) || !ConsumeVarint(&raw, &size_and_flag) ||
        !ConsumeBytes(&raw, size_and_flag >> 1, &rest)) {
      return Malformed("cut off");
    }
    if (disk_bytes == 0 || disk_bytes > data_bytes - offset) {
      return Malformed("blocks are larger than the data");
    }
    SequenceNumber sequence = kBeforeAllVersions;
    const bool continues = (size_and_flag & 1) != 0;
    if (continues) {
      if (block == 0 || !ConsumeVarint(&raw, &sequence) || sequence > kMaxSequence) {
        return Malformed("bad sequence number");
      }
      if (index.sequences_.empty()) index.sequences_.assign(count, kBeforeAllVersions);
      index.sequences_[block] = sequence;
    }
    if (block > 1) {
      const int order = index.RestOf(block - 1).compare(rest);
      if (order > 0 || (order == 0 && previous_sequence <= sequence)) {
        return Malformed("keys are not in order");
      }
    }
    previous_sequence = sequence;
    index.heads_.push_back(KeyHead(rest));
    index.offsets_.push_back(offset);
    index.keys_.append(rest);
    index.key_ends_.push_back(static_cast<uint32_t>(index.keys_.size()));
    offset += disk_bytes;
  }
  if (offset != data_bytes) return Malformed("blocks are smaller than the data");
  if (!raw.empty()) return Malformed("more bytes than blocks");
  index.offsets_.push_back(offset);
  index.keys_.shrink_to_fit();
  for (size_t block = 0; block < count; block += kSampleDistance) {
    index.samples_.push_back(index.heads_[block]);
  }
  return index;
}

bool SegmentIndex::StartsAtOrBefore(size_t block, std::string_view rest,
                                    SequenceNumber sequence) const {
  const int order = RestOf(block).compare(rest);
  if (order != 0) return order < 0;
  return sequences_.empty() || sequences_[block] >= sequence;
}

// In two levels: the samples stay in the processor's nearest cache, and of the heads one piece of a few
// lines is needed, which is fetched at once instead of step by step.
size_t SegmentIndex::FirstAtOrAfterHead(uint64_t head) const {
  constexpr size_t kHeadsPerLine = 8;
  const size_t sample = LowerBoundOf(samples_.data(), samples_.size(), head);
  if (sample == 0) return 0;
  // heads_[first - 1] is below `head`, and that at the next sample is not.
  const size_t first = (sample - 1) * kSampleDistance + 1;
  const size_t end = std::min(sample * kSampleDistance, heads_.size());
  for (size_t i = first; i < end; i += kHeadsPerLine) __builtin_prefetch(&heads_[i]);
  return first + LowerBoundOf(heads_.data() + first, end - first, head);
}

size_t SegmentIndex::FindBlock(std::string_view key, SequenceNumber sequence) const {
  const std::string_view front = key.substr(0, std::min(key.size(), prefix_.size()));
  const int order = front.compare(prefix_);
  if (order != 0) return order < 0 ? 0 : block_count() - 1;
  const std::string_view rest = key.substr(prefix_.size());
  const uint64_t head = KeyHead(rest);

  size_t block = FirstAtOrAfterHead(head);
  // Among equal heads the keys decide. `block` becomes the first block that starts after the
  // target.
  if (block < block_count() && heads_[block] == head) {
    size_t high = static_cast<size_t>(
        std::upper_bound(heads_.begin() + static_cast<ptrdiff_t>(block), heads_.end(), head) -
        heads_.begin());
    while (block < high) {
      const size_t middle = (block + high) / 2;
      if (StartsAtOrBefore(middle, rest, sequence)) {
        block = middle + 1;
      } else {
        high = middle;
      }
    }
  }
  return block == 0 ? 0 : block - 1;
}

void SegmentIndex::AppendSeparator(size_t block, std::string* key) const {
  if (block == 0) return;
  key->append(prefix_);
  key->append(RestOf(block));
}

size_t SegmentIndex::memory_bytes() const {
  return prefix_.capacity() + keys_.capacity() +
         (heads_.capacity() + samples_.capacity() + offsets_.capacity() + sequences_.capacity()) * sizeof(uint64_t) +
         key_ends_.capacity() * sizeof(uint32_t);
}

}  // namespace varve
