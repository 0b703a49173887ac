// SegmentReader::Check: every checksum, every order, every reference of one segment file.
#include "engine/segment_reader.h"
#include "format/block_file.h"
#include "format/point_index.h"

namespace varve {

namespace {

// Whether the point index leads to (block, slot) for `hash`.
bool IsIndexed(const std::vector<std::string>& pages, uint64_t hash, uint16_t block, uint8_t slot) {
  const uint32_t page = PointIndexPageOf(hash, static_cast<uint32_t>(pages.size()));
  if (pages[page].empty()) return true;  // damaged, and reported as such
  PointIndexProbe probe(pages[page].data(), hash);
  for (PointLocation location; probe.Next(&location);) {
    if (location == PointLocation{block, slot}) return true;
  }
  return false;
}

}  // namespace

SegmentReader::CheckResult SegmentReader::Check(const std::function<void(std::string)>& problem) {
  CheckResult result;
  // Afresh, past everything that is cached.
  auto opened = OpenFile();
  if (!opened.ok()) {
    problem(opened.status().ToString());
    return result;
  }
  const OpenState& state = **opened;
  const SegmentProperties& properties = state.segment.properties;
  result.bytes = state.segment.file_bytes;

  std::vector<std::string> pages(properties.point_index_page_count);
  for (uint32_t i = 0; i < pages.size(); ++i) {
    const uint64_t offset = properties.point_index_offset + uint64_t{i} * kPageBytes;
    std::string disk(kPageBytes, '\0');
    auto got = state.file->Read(offset, disk.size(), disk.data());
    auto page = got.ok() ? OpenBlock(std::string_view(disk).substr(0, *got), meta_.file_number, offset)
                         : Result<BlockFrame>(got.status());
    ++result.blocks;
    if (!page.ok()) {
      problem(page.status().WithContext(path()).ToString());
    } else {
      pages[i].assign(page->payload);
      pages[i].resize(kPointIndexRawBytes);
    }
  }

  std::string last_key;
  SequenceNumber last_sequence = 0;
  bool has_last = false;
  bool all_blocks_read = true;
  for (size_t block = 0; block < state.segment.index.block_count(); ++block) {
    const uint64_t offset = state.segment.index.block_offset(block);
    std::string disk(state.segment.index.block_bytes(block), '\0');
    std::string scratch;
    auto got = state.file->Read(offset, disk.size(), disk.data());
    auto raw = got.ok() ? DecodeBlock(std::string_view(disk).substr(0, *got), meta_.file_number, offset,
                                      BlockKind::kData, &scratch)
                        : Result<std::string_view>(got.status());
    ++result.blocks;
    if (!raw.ok()) {
      problem(raw.status().WithContext(path()).ToString());
      all_blocks_read = false;
      continue;
    }
    BlockView view;
    if (!view.Parse(*raw)) {
      problem(Damaged("malformed block", offset).ToString());
      all_blocks_read = false;
      continue;
    }
    for (int slot = 0; slot < view.count(); ++slot) {
      Entry entry;
      if (!view.Decode(slot, &entry)) {
        problem(Damaged("malformed entry", offset).ToString());
        break;
      }
      ++result.entries;
      const bool new_key = !has_last || entry.key != last_key;
      if (has_last && CompareInternal(last_key, last_sequence, entry.key, entry.sequence) >= 0) {
        problem(Damaged("entries out of order", offset).ToString());
      }
      if (new_key && !pages.empty() &&
          !IsIndexed(pages, PointIndexHash(entry.key, context_->hash_salt),
                     static_cast<uint16_t>(block), static_cast<uint8_t>(slot))) {
        problem(Damaged("an entry that the point index does not lead to", offset).ToString());
      }
      last_key.assign(entry.key);
      last_sequence = entry.sequence;
      has_last = true;
    }
  }
  if (all_blocks_read && result.entries != properties.entry_count) {
    problem(path() + ": holds " + std::to_string(result.entries) + " entries, not " +
            std::to_string(properties.entry_count));
  }
  return result;
}

}  // namespace varve
