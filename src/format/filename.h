// Names of the files in a store's directory.
//
// A number is written with at least six digits. Files of all types draw their numbers from one
// counter.
#ifndef VARVE_FORMAT_FILENAME_H_
#define VARVE_FORMAT_FILENAME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve {

enum class FileType {
  kSegment,   // 000012.seg
  kWal,       // 000012.wal
  kValueLog,  // 000012.val
  kSpareWal,  // 000012.spare: a used log, kept to be overwritten
  kManifest,  // MANIFEST-000012
  kCurrent,   // CURRENT: names the manifest in force
  kLock,      // LOCK
  kEvents,    // EVENTS: what happened, for people
};

struct ParsedFileName {
  FileType type;
  uint64_t number = 0;  // 0 for files without one

  friend bool operator==(const ParsedFileName&, const ParsedFileName&) = default;
};

std::string SegmentFileName(uint64_t number);
std::string WalFileName(uint64_t number);
std::string ValueLogFileName(uint64_t number);
std::string SpareWalFileName(uint64_t number);
std::string ManifestFileName(uint64_t number);
inline constexpr char kCurrentFileName[] = "CURRENT";
inline constexpr char kLockFileName[] = "LOCK";
inline constexpr char kEventsFileName[] = "EVENTS";

// nullopt when `name` is not exactly what one of the functions above returns.
std::optional<ParsedFileName> ParseFileName(std::string_view name);

// The content of CURRENT: the name of the manifest and a newline.
std::string EncodeCurrentFile(uint64_t manifest_number);
// nullopt when it is anything else.
std::optional<uint64_t> ParseCurrentFile(std::string_view content);

}  // namespace varve

#endif  // VARVE_FORMAT_FILENAME_H_
