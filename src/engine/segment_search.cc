// FindDataBlocks: the search for the data blocks of a segment without its index.
#include <algorithm>

#include "base/coding.h"
#include "engine/segment_salvage.h"
#include "format/block_file.h"

namespace varve {

namespace {

// A block of usual size is looked for so far ahead of where it must begin.
constexpr uint64_t kNearBytes = uint64_t{1} << 20;
// Ends of blocks, or what looks like them, that are remembered as places where one may begin.
constexpr size_t kMaxStarts = 8;
// An empty raw block: the word behind its entries.
constexpr uint64_t kMinRawBytes = 2;

class Search {
 public:
  Search(std::string_view image, uint64_t file_number)
      : image_(image), file_number_(file_number), budget_(16 * image.size() + kNearBytes) {}

  std::vector<SalvagedBlock> Run() {
    while (FindAt(end_) || FindBeyond()) {
    }
    return std::move(blocks_);
  }

 private:
  // What the bytes before `end` say, if they can be the trailer of a data block.
  struct Trailer {
    bool is_plain;
    uint64_t bytes;  // of a plain block
  };
  std::optional<Trailer> TrailerBefore(uint64_t end) const {
    const char* from = image_.data() + end - kBlockTrailerBytes;
    if (from[1] != static_cast<char>(BlockKind::kData) || static_cast<unsigned char>(from[0]) > 2) {
      return std::nullopt;
    }
    const uint64_t padding = LoadFixed<uint16_t>(from + 2);
    const uint64_t raw = LoadFixed<uint32_t>(from + 4);
    const bool is_plain = from[0] == static_cast<char>(BlockCodec::kPlain);
    if (raw < kMinRawBytes || raw > kMaxRawBlockBytes || (!is_plain && padding != 0)) {
      return std::nullopt;
    }
    return Trailer{is_plain, raw + padding + kBlockTrailerBytes};
  }

  bool Try(uint64_t start, uint64_t end) {
    if (start + kBlockTrailerBytes >= end || end - start > budget_) return false;
    budget_ -= end - start;
    const auto block = OpenBlock(image_.substr(start, end - start), file_number_, start);
    if (!block.ok() || block->kind != BlockKind::kData) return false;
    blocks_.push_back({start, end - start});
    end_ = end;
    return true;
  }

  // A block that begins exactly at `start`.
  bool FindAt(uint64_t start) {
    const uint64_t last = std::min<uint64_t>(image_.size(), start + kNearBytes);
    for (uint64_t end = start + kBlockTrailerBytes + 1; end <= last; ++end) {
      const auto trailer = TrailerBefore(end);
      if (!trailer || (trailer->is_plain && trailer->bytes != end - start)) continue;
      if (Try(start, end)) return true;
    }
    return false;
  }

  // The next block, wherever it begins: a plain one tells it, others begin where something ends.
  bool FindBeyond() {
    std::vector<uint64_t> starts{end_};
    for (uint64_t end = end_ + kBlockTrailerBytes + 1; end <= image_.size(); ++end) {
      const auto trailer = TrailerBefore(end);
      if (!trailer) continue;
      if (trailer->is_plain) {
        if (trailer->bytes <= end - end_ && Try(end - trailer->bytes, end)) return true;
      } else {
        for (auto start = starts.rbegin(); start != starts.rend(); ++start) {
          if (Try(*start, end)) return true;
        }
      }
      if (starts.size() == kMaxStarts) starts.erase(starts.begin());
      starts.push_back(end);
    }
    return false;
  }

  const std::string_view image_;
  const uint64_t file_number_;
  uint64_t budget_;
  uint64_t end_ = 0;  // of the last block
  std::vector<SalvagedBlock> blocks_;
};

}  // namespace

std::vector<SalvagedBlock> FindDataBlocks(std::string_view image, uint64_t file_number) {
  if (image.size() <= kBlockTrailerBytes) return {};
  return Search(image, file_number).Run();
}

}  // namespace varve
