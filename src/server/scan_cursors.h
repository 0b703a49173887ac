// ScanCursors: positions in the order of the keys as the numbers that SCAN gives out.
//
//   bit 63: 0 | bit 62: 1 | bits 61..46: the first two bytes of the last key shown | bits 45..0: its hash, or the next
//   number that no other key has
//
// The keys behind the newest numbers are remembered; when a key has been forgotten (many scans, a restart), the scan goes
// on from the two bytes, which may show keys again, but leaves none out. Hashes have a seed, so that nobody can choose
// keys that have one number, or know a number that another process gives.
#ifndef VARVE_SERVER_SCAN_CURSORS_H_
#define VARVE_SERVER_SCAN_CURSORS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "base/mutex.h"
#include "base/thread_annotations.h"

namespace varve::server {

// Thread-safe.
class ScanCursors {
 public:
  using Hash = std::function<uint64_t(std::string_view key)>;
  explicit ScanCursors(uint64_t seed, size_t max_bytes = 8 << 20)
      : ScanCursors([seed](std::string_view key) { return Hash64(key, seed); }, max_bytes) {}
  ScanCursors(Hash hash, size_t max_bytes) : hash_(std::move(hash)), max_bytes_(max_bytes) {}

  // The number of the position behind `key`; never 0, below 2^63.
  uint64_t After(std::string_view key) VARVE_EXCLUDES(mu_);
  // Where to go on: the first key at or after the result. Any number is taken; 0: from the beginning.
  std::string Position(uint64_t cursor) VARVE_EXCLUDES(mu_);

 private:
  static constexpr size_t kEntryOverheadBytes = 128;

  const Hash hash_;
  const size_t max_bytes_;
  Mutex mu_;
  std::list<std::pair<uint64_t, std::string>> keys_ VARVE_GUARDED_BY(mu_);  // newest first
  std::unordered_map<uint64_t, decltype(keys_)::iterator> by_number_ VARVE_GUARDED_BY(mu_);
  size_t bytes_ VARVE_GUARDED_BY(mu_) = 0;
};

}  // namespace varve::server

#endif  // VARVE_SERVER_SCAN_CURSORS_H_
