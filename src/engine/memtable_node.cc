#include "engine/memtable_node.h"

namespace varve {
namespace {

size_t CommonBytes(std::string_view a, std::string_view b) {
  const size_t limit = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + limit, b.begin()).first -
                             a.begin());
}

size_t SubtractOrZero(size_t a, size_t b) { return a > b ? a - b : 0; }

// Bit i is set when byte i of `word` is `byte`.
uint64_t BytesEqualTo(uint8_t byte, uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101, kLow7 = 0x7f * kOnes;
  const uint64_t difference = word ^ byte * kOnes;
  // 0x80 in the bytes of `difference` that are zero, then gathered in the topmost byte.
  const uint64_t zeros = ~(((difference & kLow7) + kLow7) | difference | kLow7);
  return (zeros >> 7) * 0x0102040810204080 >> 56;
}

void PrefetchLines(const void* begin, const void* end) {
  for (const char* line = static_cast<const char*>(begin); line < end; line += 64) {
    __builtin_prefetch(line);
  }
}

}  // namespace

MemTablePrefix MemTablePrefix::Choose(const MemTableRecord* low, const MemTableRecord* high,
                                      const MemTableRecord* first, const MemTableRecord* last,
                                      size_t slack) {
  if (low != nullptr && high != nullptr) {
    return {static_cast<uint32_t>(CommonBytes(low->key(), high->key())), nullptr};
  }
  size_t bytes = SubtractOrZero(CommonBytes(first->key(), last->key()), slack);
  // With little in it, a leaf leaves its heads eight bytes that will differ.
  if (slack > 0) {
    const size_t shortest = std::min(first->key().size(), last->key().size());
    bytes = std::min(bytes, SubtractOrZero(shortest, sizeof(uint64_t)));
  }
  return {static_cast<uint32_t>(bytes), bytes == 0 ? nullptr : first};
}

size_t MemTableLeaf::Count(uint64_t at_version, const MemTableTarget& target,
                           MemTableBound bound) const {
  const size_t entries = CountOf(at_version);
  if (const int order_of_prefix = prefix.Compare(target.key); order_of_prefix != 0) {
    return order_of_prefix < 0 ? 0 : entries;
  }
  return CountEntries(
      entries, prefix.bytes, target, bound,
      [&](size_t i) { return heads[SlotAt(at_version, i)].Load(); },
      [&](size_t i) { return RecordAt(at_version, i); });
}

uint64_t MemTableLeaf::Tagged(uint64_t at_version, uint8_t tag) const {
  uint64_t candidates = 0;
  for (size_t i = 0; i < kTagWords; ++i) {
    candidates |= BytesEqualTo(tag, tags[i].Load()) << (i * 8);
  }
  return candidates & live[HalfOf(at_version)].Load();
}

const MemTableRecord* MemTableLeaf::FindTagged(uint64_t at_version, const MemTableTarget& target,
                                               uint8_t tag) const {
  constexpr int kMaxCandidates = 4;
  uint64_t candidates = Tagged(at_version, tag);
  if (std::popcount(candidates) > kMaxCandidates) return nullptr;
  const MemTableRecord* found = nullptr;
  for (; candidates != 0; candidates &= candidates - 1) {
    const MemTableRecord* record = records[std::countr_zero(candidates)].Load();
    if (record->key() == target.key && record->sequence() <= target.sequence &&
        (found == nullptr || found->sequence() < record->sequence())) {
      found = record;
    }
  }
  return found;
}

void MemTableLeaf::PrefetchOrder() const {
  PrefetchLines(this, &order);
  PrefetchLines(&order, &records);
}

void MemTableLeaf::PrefetchTags() const {
  PrefetchLines(this, &order);
  PrefetchLines(&records, this + 1);
}

void MemTableLeaf::PrefetchTagged(uint64_t at_version, uint8_t tag) const {
  constexpr size_t kRecordBytes = 192;
  for (uint64_t found = Tagged(at_version, tag); found != 0; found &= found - 1) {
    const auto* record =
        reinterpret_cast<const char*>(records[std::countr_zero(found)].Load());
    for (size_t at = 0; at < kRecordBytes; at += 64) __builtin_prefetch(record + at);
  }
}

void MemTableInner::PrefetchHeads() const {
  const uint64_t at_version = version.Load();
  const Half& half = halves[HalfOf(at_version)];
  PrefetchLines(&half, &half.heads[CountOf(at_version)]);
}

void MemTableLeaf::Insert(size_t position, const MemTableRecord* record, uint8_t tag) {
  const uint64_t old_version = version.Load();
  const size_t old_half = HalfOf(old_version), new_half = old_half ^ 1;
  VARVE_DCHECK(CountOf(old_version) < kSlots && position <= CountOf(old_version));
  const uint64_t old_live = live[old_half].Load();
  const size_t slot = static_cast<size_t>(std::countr_one(old_live));
  StoreByte(tags, slot, tag);
  heads[slot].Store(HeadOf(record->key(), prefix.bytes));
  records[slot].Store(record);
  last_position = static_cast<uint32_t>(position);

  const auto& from = order[old_half];
  auto& to = order[new_half];
  const size_t word = position / 8;
  for (size_t i = 0; i < word; ++i) to[i].Store(from[i].Load());
  // The bytes at and after `position` move up by one; the last of each word goes to the next.
  uint64_t old_word = from[word].Load();
  const uint64_t kept = (uint64_t{1} << (position % 8 * 8)) - 1;
  to[word].Store((old_word & kept) | (uint64_t{slot} << (position % 8 * 8)) |
                 (old_word & ~kept) << 8);
  for (size_t i = word + 1; i < kOrderWords; ++i) {
    const uint64_t carried = old_word >> 56;
    old_word = from[i].Load();
    to[i].Store(old_word << 8 | carried);
  }
  live[new_half].Store(old_live | uint64_t{1} << slot);
  high[new_half].Store(high[old_half].Load());
  version.Store(NextVersion(old_version, CountOf(old_version) + 1));
}

void MemTableLeaf::Fill(const MemTableLeaf& from, size_t position, size_t count,
                        const MemTableRecord* high_fence) {
  const uint64_t from_version = from.version.Load();
  const bool same_heads = prefix.bytes == from.prefix.bytes;
  uint64_t filled = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t slot = from.SlotAt(from_version, position + i);
    const MemTableRecord* moved = from.records[slot].Load();
    records[i].Store(moved);
    heads[i].Store(same_heads ? from.heads[slot].Load() : HeadOf(moved->key(), prefix.bytes));
    StoreByte(tags, i, ByteAt(from.tags, slot));
    StoreByte(order[0], i, static_cast<uint8_t>(i));
    filled |= uint64_t{1} << i;
  }
  live[0].Store(filled);
  high[0].Store(high_fence);
  version.Store(count);
}

void MemTableLeaf::Truncate(size_t count, const MemTableRecord* high_fence) {
  const uint64_t old_version = version.Load();
  const size_t old_half = HalfOf(old_version), new_half = old_half ^ 1;
  uint64_t kept = 0;
  for (size_t i = 0; i < count; ++i) kept |= uint64_t{1} << SlotAt(old_version, i);
  for (size_t i = 0; i < kOrderWords; ++i) order[new_half][i].Store(order[old_half][i].Load());
  live[new_half].Store(kept);
  high[new_half].Store(high_fence);
  version.Store(NextVersion(old_version, count));
}

size_t MemTableInner::Find(uint64_t at_version, const MemTableTarget& target,
                           MemTableBound bound) const {
  const Half& half = halves[HalfOf(at_version)];
  const size_t separators = CountOf(at_version) - 1;
  const MemTablePrefix prefix{half.prefix_bytes.Load(), half.prefix_check.Load()};
  if (const int order_of_prefix = prefix.Compare(target.key); order_of_prefix != 0) {
    return order_of_prefix < 0 ? 0 : separators;
  }
  return CountEntries(
      separators, prefix.bytes, target, bound, [&](size_t i) { return half.heads[i + 1].Load(); },
      [&](size_t i) { return half.separators[i + 1].Load(); });
}

void MemTableInner::Read(Image* image) const {
  const uint64_t at_version = version.Load();
  const Half& half = halves[HalfOf(at_version)];
  image->count = CountOf(at_version);
  image->prefix = {half.prefix_bytes.Load(), half.prefix_check.Load()};
  for (size_t i = 0; i < image->count; ++i) {
    image->heads[i] = half.heads[i].Load();
    image->separators[i] = half.separators[i].Load();
    image->children[i] = half.children[i].Load();
  }
}

void MemTableInner::Publish(const Image& image) {
  const uint64_t old_version = version.Load();
  Half& half = halves[HalfOf(old_version) ^ 1];
  half.prefix_bytes.Store(image.prefix.bytes);
  half.prefix_check.Store(image.prefix.check);
  for (size_t i = 0; i < image.count; ++i) {
    half.heads[i].Store(image.heads[i]);
    half.separators[i].Store(image.separators[i]);
    half.children[i].Store(image.children[i]);
  }
  version.Store(NextVersion(old_version, image.count));
}

void MemTableInner::Image::InsertAfter(size_t index, const MemTableRecord* separator,
                                       MemTableNode* child) {
  VARVE_DCHECK(index < count && count < kSlots);
  for (size_t i = count; i > index + 1; --i) {
    heads[i] = heads[i - 1];
    separators[i] = separators[i - 1];
    children[i] = children[i - 1];
  }
  heads[index + 1] = HeadOf(separator->key(), prefix.bytes);
  separators[index + 1] = separator;
  children[index + 1] = child;
  ++count;
}

MemTableInner::Image MemTableInner::Image::Tail(size_t index) const {
  Image tail;
  tail.count = count - index;
  tail.prefix = prefix;
  std::copy_n(heads + index, tail.count, tail.heads);
  std::copy_n(separators + index, tail.count, tail.separators);
  std::copy_n(children + index, tail.count, tail.children);
  return tail;
}

void MemTableInner::Image::UpdateHeads(const MemTableRecord* low, const MemTableRecord* high) {
  MemTablePrefix chosen;
  if (count > 1) {
    chosen = MemTablePrefix::Choose(low, high, separators[1], separators[count - 1], 0);
  }
  const bool same_heads = chosen.bytes == prefix.bytes;
  prefix = chosen;
  if (same_heads) return;
  for (size_t i = 1; i < count; ++i) heads[i] = HeadOf(separators[i]->key(), prefix.bytes);
}

}  // namespace varve
