#include "server/scan_cursors.h"

#include <utility>

#include "base/planted_bug.h"

namespace varve::server {

namespace {
constexpr uint64_t kMark = uint64_t{1} << 62;
constexpr int kHashBits = 46;
constexpr uint64_t kHashMask = (uint64_t{1} << kHashBits) - 1;
}  // namespace

uint64_t ScanCursors::After(std::string_view key) {
  const auto byte = [&](size_t i) -> uint64_t {
    return i < key.size() ? static_cast<uint8_t>(key[i]) : 0;
  };
  const uint64_t prefix = kMark | (byte(0) << 8 | byte(1)) << kHashBits;
  uint64_t hash = hash_(key) & kHashMask;
  MutexLock lock(&mu_);
  // A number that another key has is not given to this one too: its scan would go on elsewhere.
  auto found = by_number_.find(prefix | hash);
  while (found != by_number_.end() && found->second->second != key &&
         !VARVE_PLANTED_BUG("server.keys_share_a_cursor")) {
    hash = (hash + 1) & kHashMask;
    found = by_number_.find(prefix | hash);
  }
  const uint64_t number = prefix | hash;
  if (found != by_number_.end()) {
    keys_.splice(keys_.begin(), keys_, found->second);
    return number;
  }
  keys_.emplace_front(number, std::string(key));
  by_number_[number] = keys_.begin();
  bytes_ += key.size() + kEntryOverheadBytes;
  while (bytes_ > max_bytes_ && !keys_.empty()) {
    bytes_ -= keys_.back().second.size() + kEntryOverheadBytes;
    by_number_.erase(keys_.back().first);
    keys_.pop_back();
  }
  return number;
}

std::string ScanCursors::Position(uint64_t cursor) {
  if ((cursor & kMark) == 0) return {};
  MutexLock lock(&mu_);
  if (const auto found = by_number_.find(cursor); found != by_number_.end()) {
    return found->second->second + '\0';
  }
  std::string position;
  position.push_back(static_cast<char>(cursor >> (kHashBits + 8)));
  position.push_back(static_cast<char>(cursor >> kHashBits));
  // A key of one byte has a zero byte here that it does not have itself.
  while (!position.empty() && position.back() == '\0') position.pop_back();
  if (VARVE_PLANTED_BUG("server.forgotten_cursor_skips")) position.append("\xff");
  return position;
}

}  // namespace varve::server
