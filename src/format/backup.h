// A backup: bytes <-> what it says. Which files go into one is the engine's business.
//
// A header of 64 bytes, then frames {u32 type, u32 payload bytes, u64 checksum, payload}: one plan, which
// lists the store's files; for each file that the stream carries one file frame and its data frames; one
// end. A frame's checksum is seeded with the backup's id and the frame's place, and the end has a digest of
// all checksums: what is cut off, changed, swapped, repeated or left out does not pass.
// docs/formats/backup.md.
#ifndef VARVE_FORMAT_BACKUP_H_
#define VARVE_FORMAT_BACKUP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "format/version_edit.h"
#include "varve/status.h"

namespace varve {

inline constexpr size_t kBackupHeaderBytes = 64;
inline constexpr size_t kBackupFrameHeaderBytes = 16;
inline constexpr size_t kBackupEndPayloadBytes = 32;
inline constexpr size_t kMaxBackupDataBytes = size_t{1} << 20;
inline constexpr size_t kMaxBackupPlanBytes = size_t{1} << 30;

struct BackupHeader {
  uint64_t id = 0;     // never 0
  uint64_t since = 0;  // the backup that must be restored before; 0: none
  uint64_t created_millis = 0;
  friend bool operator==(const BackupHeader&, const BackupHeader&) = default;
};

// Writes kBackupHeaderBytes.
void EncodeBackupHeader(const BackupHeader& header, char* to);
// kNotSupported when of a newer version, kCorruption when it is anything but a header.
Result<BackupHeader> DecodeBackupHeader(std::string_view bytes);

// Reaches disk: never renumber.
enum class BackupFileType : uint8_t { kSegment = 1, kValueLog = 2, kWal = 3 };

// A file of the store as it was when the backup was taken.
struct BackupFile {
  BackupFileType type = BackupFileType::kSegment;
  uint64_t number = 0;
  uint64_t origin = 0;   // id of the opening that made it (version_edit.h); 0: not known
  uint64_t bytes = 0;
  uint64_t settled = 0;  // so many of its first bytes never change; later backups may build on them
  uint64_t from = 0;     // the stream carries it from here on; what is before comes from the backup before
  friend bool operator==(const BackupFile&, const BackupFile&) = default;
};

struct BackupPlan {
  VersionEdit edit;  // the whole store, for the first record of its manifest
  std::vector<BackupFile> files;
  friend bool operator==(const BackupPlan&, const BackupPlan&) = default;
};

// The name of `file` in a store's directory.
std::string BackupFileName(const BackupFile& file);

std::string EncodeBackupPlan(const BackupPlan& plan);
// kCorruption when it is malformed, or the files are not those that the edit names; kNotSupported as of
// DecodeVersionEdit.
Result<BackupPlan> DecodeBackupPlan(std::string_view bytes);

enum class BackupFrameType : uint32_t {
  kPlan = 1,
  kFile = 2,  // varint: index in the plan of the file whose data follow
  kData = 3,
  kEnd = 4,
};

struct BackupFrameHeader {
  BackupFrameType type = BackupFrameType::kData;
  uint32_t payload_bytes = 0;
  uint64_t checksum = 0;
};

// Writes the kBackupFrameHeaderBytes of a frame at `offset` of backup `id`, and returns its checksum.
uint64_t EncodeBackupFrameHeader(BackupFrameType type, std::string_view payload, uint64_t id,
                                 uint64_t offset, char* to);
// kCorruption when type or length cannot be. The checksum is compared by CheckBackupFrame.
Result<BackupFrameHeader> DecodeBackupFrameHeader(std::string_view bytes);
bool CheckBackupFrame(const BackupFrameHeader& header, std::string_view payload, uint64_t id,
                      uint64_t offset);

// What the end frame says.
struct BackupEnd {
  uint64_t frame_count = 0;    // before this one
  uint64_t carried_bytes = 0;  // of files
  uint64_t stream_bytes = 0;   // before this frame
  uint64_t digest = 0;         // of the checksums before this one
  friend bool operator==(const BackupEnd&, const BackupEnd&) = default;

  // Counts a frame.
  void Add(const BackupFrameHeader& frame);
};
void EncodeBackupEnd(const BackupEnd& end, char* to);  // kBackupEndPayloadBytes
Result<BackupEnd> DecodeBackupEnd(std::string_view payload);

}  // namespace varve

#endif  // VARVE_FORMAT_BACKUP_H_
