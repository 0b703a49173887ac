#include "env/crash_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace varve::crash {
namespace {

constexpr uint64_t kSectorsPerPage = kPageBytes / kSectorBytes;

uint64_t PagesFor(uint64_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes; }

char* MutableSector(SparseBytes* bytes, uint64_t sector) {
  return bytes->MutablePage(sector / kSectorsPerPage) + sector % kSectorsPerPage * kSectorBytes;
}

// A sector of which only part reached the device, or of which the device made nonsense.
// REQUIRES: `after` and `before` differ.
void Tear(const char* after, const char* before, Random* random, char* out) {
  uint64_t first = 0;
  uint64_t last = kSectorBytes - 1;
  while (after[first] == before[first]) ++first;
  while (after[last] == before[last]) --last;
  std::memcpy(out, after, kSectorBytes);
  const uint64_t cut = first + random->Uniform(last - first + 1);
  switch (random->Uniform(3)) {
    case 0:
      std::memcpy(out + cut, before + cut, kSectorBytes - cut);
      break;
    case 1:
      for (uint64_t i = cut; i <= last; ++i) out[i] = static_cast<char>(random->Next());
      break;
    default:
      std::memset(out + cut, 0, last + 1 - cut);
  }
}

// How one file fares in one power cut.
struct FileFate {
  uint64_t kept_percent;
  uint64_t size;
};

FileFate DrawFate(const PowerCut& cut, uint64_t durable_size, uint64_t current_size,
                  Random* random) {
  const FileFate lost = {0, durable_size};
  const FileFate kept = {100, current_size};
  if (cut.unsynced == PowerCut::Unsynced::kLost) return lost;
  if (cut.unsynced == PowerCut::Unsynced::kKept) return kept;
  switch (random->Uniform(4)) {
    case 0:
      return lost;
    case 1:
      return kept;
  }
  const uint64_t low = std::min(durable_size, current_size);
  const uint64_t high = std::max(durable_size, current_size);
  const uint64_t sizes[] = {durable_size, current_size, low + random->Uniform(high - low + 1)};
  return {1 + random->Uniform(99), sizes[random->Uniform(3)]};
}

}  // namespace

size_t FileState::Read(uint64_t offset, size_t size, char* buffer) {
  if (mapped() && size > 0) CaptureStores(offset / kPageBytes, PagesFor(offset + size));
  return current_.Read(offset, size, buffer);
}

void FileState::Write(uint64_t offset, std::string_view data) {
  // Writing makes pages dirty again, even with the bytes that they hold.
  if (!data.empty()) {
    abandoned_.erase(abandoned_.lower_bound(offset / kSectorBytes),
                     abandoned_.upper_bound((offset + data.size() - 1) / kSectorBytes));
  }
  VARVE_CHECK(!mapped());
  current_.Write(offset, data);
}

void FileState::Resize(uint64_t size) {
  VARVE_CHECK(!mapped());
  current_.Resize(size);
}

template <typename Visit>
void FileState::ForEachUnsynced(Visit visit) const {
  const uint64_t end = std::max(current_.page_end(), durable_.page_end());
  for (uint64_t i = 0; i < end; ++i) {
    if (current_.page(i).Shares(durable_.page(i))) continue;
    const char* const after = current_.page(i).bytes();
    const char* const before = durable_.page(i).bytes();
    for (uint64_t s = 0; s < kSectorsPerPage; ++s) {
      const uint64_t at = s * kSectorBytes;
      if (std::memcmp(after + at, before + at, kSectorBytes) == 0) continue;
      visit(i * kSectorsPerPage + s, after + at, before + at);
    }
  }
}

void FileState::Sync() {
  CaptureStores();
  const uint64_t end = std::max(current_.page_end(), durable_.page_end());
  for (uint64_t i = 0; i < end; ++i) {
    if (current_.page(i).Shares(durable_.page(i))) continue;
    const auto abandoned = abandoned_.lower_bound(i * kSectorsPerPage);
    if (abandoned != abandoned_.end() && abandoned->first < (i + 1) * kSectorsPerPage) {
      SyncPageWithAbandonedSectors(i);
    } else {
      durable_.SetPage(i, current_.page(i));
    }
  }
  durable_.Resize(current_.size());
}

void FileState::SyncPageWithAbandonedSectors(uint64_t page) {
  const char* const bytes = current_.page(page).bytes();
  for (uint64_t s = 0; s < kSectorsPerPage; ++s) {
    const uint64_t sector = page * kSectorsPerPage + s;
    const char* const after = bytes + s * kSectorBytes;
    if (IsAbandoned(sector, after)) continue;
    abandoned_.erase(sector);
    std::memcpy(MutableSector(&durable_, sector), after, kSectorBytes);
  }
}

bool FileState::IsAbandoned(uint64_t sector, const char* bytes) const {
  const auto found = abandoned_.find(sector);
  return found != abandoned_.end() && std::memcmp(found->second.data(), bytes, kSectorBytes) == 0;
}

void FileState::SyncPartly(Random* random) {
  CaptureStores();
  const uint64_t size = random->OneIn(2) ? current_.size() : durable_.size();
  SparseBytes synced = durable_;
  synced.Resize(std::max(current_.size(), durable_.size()));
  ForEachUnsynced([&](uint64_t sector, const char* after, const char*) {
    if (IsAbandoned(sector, after)) return;
    if (random->OneIn(2)) {
      abandoned_.erase(sector);
      std::memcpy(MutableSector(&synced, sector), after, kSectorBytes);
    } else {
      std::memcpy(abandoned_[sector].data(), after, kSectorBytes);
    }
  });
  synced.Resize(size);
  durable_ = std::move(synced);
}

void FileState::Plant(uint64_t offset, std::string_view data) {
  CaptureStores();
  current_.Write(offset, data);
  durable_.Write(offset, data);
  StoreThrough(offset, data);
}

void FileState::CorruptByte(uint64_t offset, uint8_t xor_mask) {
  CaptureStores();
  const auto flip = [&](SparseBytes* bytes) {
    char byte;
    if (bytes->Read(offset, 1, &byte) == 0) return;
    byte = static_cast<char>(static_cast<uint8_t>(byte) ^ xor_mask);
    bytes->Write(offset, std::string_view(&byte, 1));
  };
  flip(&current_);
  flip(&durable_);
  StoreThrough(offset, std::string_view(
                           current_.page(offset / kPageBytes).bytes() + offset % kPageBytes, 1));
}

void FileState::StoreThrough(uint64_t offset, std::string_view data) {
  if (!mapped() || offset >= region_->capacity()) return;
  data = data.substr(0, region_->capacity() - offset);
  // Pages that only exist in the file may be shut to stores.
  store_begin_ = std::min(store_begin_, offset / kPageBytes);
  store_end_ = std::max(store_end_, PagesFor(offset + data.size()));
  region_->AllowStores(store_begin_ * kPageBytes, store_end_ * kPageBytes);
  std::memcpy(region_->data() + offset, data.data(), data.size());
}

void FileState::AddBlock(uint64_t page) {
  VARVE_CHECK(!HasBlock(page));
  if (page >= blocks_.size()) blocks_.resize(page + 1);
  blocks_[page] = true;
  ++block_count_;
}

uint64_t FileState::RemoveBlocksFrom(uint64_t page) {
  if (page >= blocks_.size()) return 0;
  const auto from = blocks_.begin() + static_cast<std::ptrdiff_t>(page);
  const auto removed = static_cast<uint64_t>(std::count(from, blocks_.end(), true));
  blocks_.resize(page);
  block_count_ -= removed;
  return removed;
}

Region* FileState::Map(uint64_t capacity) {
  VARVE_CHECK(!mapped());
  region_ = std::make_unique<Region>(capacity);
  const uint64_t end = std::min(PagesFor(current_.size()), capacity / kPageBytes);
  region_->AllowStores(0, end * kPageBytes);
  for (uint64_t i = 0; i < std::min(end, current_.page_end()); ++i) {
    if (current_.page(i).is_null()) continue;
    std::memcpy(region_->data() + i * kPageBytes, current_.page(i).bytes(), kPageBytes);
  }
  region_->AllowReading(0, end * kPageBytes);
  store_begin_ = capacity / kPageBytes;
  store_end_ = 0;
  return region_.get();
}

void FileState::Populate(uint64_t offset, uint64_t size) {
  const uint64_t begin = offset / kPageBytes;
  const uint64_t end = PagesFor(offset + size);
  region_->AllowStores(begin * kPageBytes, end * kPageBytes);
  store_begin_ = std::min(store_begin_, begin);
  store_end_ = std::max(store_end_, end);
  // Below a range that lies apart, pages come to belong to the file without being populated.
  const uint64_t old_end = std::min(PagesFor(current_.size()), begin);
  if (old_end < begin) region_->AllowReading(old_end * kPageBytes, begin * kPageBytes);
  current_.Resize(std::max(current_.size(), end * kPageBytes));
}

void FileState::Unmap() {
  CaptureStores();
  region_.reset();
}

void FileState::CaptureStores(uint64_t begin, uint64_t end) {
  if (!mapped()) return;
  begin = std::max(begin, store_begin_);
  end = std::min({end, store_end_, PagesFor(current_.size())});
  alignas(uint64_t) char bytes[kPageBytes];
  // Last page first, for the reason that Region::CopyPage gives.
  for (uint64_t i = end; i-- > begin;) {
    region_->CopyPage(i, bytes);
    if (std::memcmp(bytes, current_.page(i).bytes(), kPageBytes) == 0) continue;
    std::memcpy(current_.MutablePage(i), bytes, kPageBytes);
  }
}

void FileState::CopyAfterProcessCrash(const FileState& original) {
  current_ = original.current_;
  durable_ = original.durable_;
  abandoned_ = original.abandoned_;
  blocks_ = original.blocks_;
  block_count_ = original.block_count_;
}

void FileState::CopyAfterPowerCut(const FileState& original, const PowerCut& cut, Random* random) {
  const uint64_t durable_size = original.durable_.size();
  const uint64_t current_size = original.current_.size();
  const FileFate fate = DrawFate(cut, durable_size, current_size, random);

  SparseBytes found = original.durable_;
  found.Resize(std::max(durable_size, current_size));
  original.ForEachUnsynced([&](uint64_t sector, const char* after, const char* before) {
    if (cut.torn_percent > 0 && random->Uniform(100) < cut.torn_percent) {
      Tear(after, before, random, MutableSector(&found, sector));
    } else if (random->Uniform(100) < fate.kept_percent) {
      std::memcpy(MutableSector(&found, sector), after, kSectorBytes);
    }
  });
  found.Resize(fate.size);

  current_ = found;
  durable_ = std::move(found);
  blocks_ = original.blocks_;
  block_count_ = original.block_count_;
  RemoveBlocksFrom(PagesFor(fate.size));
  for (uint64_t i = 0; i < current_.page_end(); ++i) {
    if (!current_.page(i).is_null() && !HasBlock(i)) AddBlock(i);
  }
}

}  // namespace varve::crash
