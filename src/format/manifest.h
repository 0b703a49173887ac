// The manifest file: bytes <-> version edits.
//
// File header of 32 bytes, then records {u32 payload bytes, u64 checksum, payload}, back to back.
// The checksum covers length and payload and is seeded by the place. A writer makes each record
// durable before it appends the next, so that only the last one can be torn.
// docs/formats/manifest.md.
#ifndef VARVE_FORMAT_MANIFEST_H_
#define VARVE_FORMAT_MANIFEST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "format/version_edit.h"
#include "varve/status.h"

namespace varve {

inline constexpr size_t kManifestFileHeaderBytes = 32;
inline constexpr size_t kManifestRecordHeaderBytes = 12;

// Writes kManifestFileHeaderBytes.
void EncodeManifestFileHeader(uint64_t file_number, char* to);
// kCorruption when damaged or of another file, kNotSupported when of a newer version.
Status CheckManifestFileHeader(std::string_view image, uint64_t file_number);

// Appends to `*out` the record that holds `edit`, to be written at `offset` of manifest
// `file_number`.
void AppendManifestRecord(const VersionEdit& edit, uint64_t file_number, uint64_t offset,
                          std::string* out);

enum class ManifestReadResult {
  kEdit,
  kEnd,    // the file ends after the last record
  kTorn,   // the last record is not whole: it never took effect. Cut the file at offset() to go on
  kError,  // see status()
};

// Reads the edits of a manifest in order, from an image of the whole file. Thread-compatible.
class ManifestReader {
 public:
  // `image` must outlive the reader. REQUIRES: CheckManifestFileHeader was OK.
  ManifestReader(std::string_view image, uint64_t file_number);

  // After anything but kEdit, every further call returns the same.
  ManifestReadResult Next(VersionEdit* edit);

  // Where the next record would be.
  uint64_t offset() const { return offset_; }
  // After kError: kCorruption when a record before the last is damaged or an intact one makes no
  // sense, kNotSupported when it is of a newer version; naming file and offset. OK otherwise.
  const Status& status() const { return status_; }

 private:
  ManifestReadResult JudgeEnd();
  bool LaterRecordIsValid() const;
  ManifestReadResult Fail(Status status);

  const std::string_view image_;
  const uint64_t file_number_;
  uint64_t offset_ = kManifestFileHeaderBytes;
  ManifestReadResult result_ = ManifestReadResult::kEdit;
  Status status_;
};

}  // namespace varve

#endif  // VARVE_FORMAT_MANIFEST_H_
