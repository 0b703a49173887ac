#include "format/manifest.h"

#include "base/check.h"
#include "base/coding.h"
#include "base/hash.h"
#include "base/planted_bug.h"
#include "format/newer_format.h"
#include "varve/version.h"

namespace varve {

namespace {

constexpr std::string_view kManifestMagic = "VARVEMAN";

// What the search for a record after a bad one may hash.
constexpr uint64_t kHashBudget = uint64_t{256} << 20;

std::string Name(uint64_t file_number) { return "manifest " + std::to_string(file_number); }

uint64_t RecordChecksum(std::string_view payload, uint64_t file_number, uint64_t offset) {
  return Hash64(payload, PlaceSeed(file_number, offset) ^ payload.size());
}

// The payload of the record at `offset`. False when there is no valid record.
bool ReadRecord(std::string_view image, uint64_t file_number, uint64_t offset,
                std::string_view* payload) {
  if (offset > image.size() || image.size() - offset < kManifestRecordHeaderBytes) return false;
  const char* from = image.data() + offset;
  const uint64_t size = LoadFixed<uint32_t>(from);
  if (size > image.size() - offset - kManifestRecordHeaderBytes) return false;
  *payload = image.substr(offset + kManifestRecordHeaderBytes, size);
  return LoadFixed<uint64_t>(from + 4) == RecordChecksum(*payload, file_number, offset);
}

}  // namespace

void EncodeManifestFileHeader(uint64_t file_number, char* to) {
  std::memcpy(to, kManifestMagic.data(), kManifestMagic.size());
  StoreFixed(to + 8, kFormatVersion);
  StoreFixed(to + 12, uint32_t{0});
  StoreFixed(to + 16, file_number);
  StoreFixed(to + 24, Hash64({to, 24}, PlaceSeed(file_number, 0)));
}

Status CheckManifestFileHeader(std::string_view image, uint64_t file_number) {
  if (image.size() < kManifestFileHeaderBytes || image.substr(0, kManifestMagic.size()) != kManifestMagic) {
    return Status::Corruption(Name(file_number) + ": does not begin like a manifest");
  }
  if (LoadFixed<uint64_t>(image.data() + 16) != file_number ||
      LoadFixed<uint64_t>(image.data() + 24) !=
          Hash64(image.substr(0, 24), PlaceSeed(file_number, 0))) {
    return Status::Corruption(Name(file_number) + ": file header is damaged, or of another file");
  }
  const uint32_t version = LoadFixed<uint32_t>(image.data() + 8);
  if (version > kFormatVersion && !VARVE_PLANTED_BUG("manifest.newer_version_accepted")) {
    return NewerFormat(Name(file_number), version);
  }
  return Status::Ok();
}

void AppendManifestRecord(const VersionEdit& edit, uint64_t file_number, uint64_t offset,
                          std::string* out) {
  const std::string payload = EncodeVersionEdit(edit);
  VARVE_CHECK(payload.size() <= ~uint32_t{0});
  AppendFixed(out, static_cast<uint32_t>(payload.size()));
  AppendFixed(out, RecordChecksum(payload, file_number, offset));
  out->append(payload);
}

ManifestReader::ManifestReader(std::string_view image, uint64_t file_number)
    : image_(image), file_number_(file_number) {
  VARVE_CHECK(image.size() >= kManifestFileHeaderBytes);
}

ManifestReadResult ManifestReader::Next(VersionEdit* edit) {
  if (result_ != ManifestReadResult::kEdit) return result_;
  std::string_view payload;
  if (!ReadRecord(image_, file_number_, offset_, &payload)) return JudgeEnd();
  Result<VersionEdit> decoded = DecodeVersionEdit(payload);
  if (!decoded.ok()) {
    return Fail(decoded.status().WithContext(Name(file_number_) + ": record at offset " +
                                             std::to_string(offset_)));
  }
  *edit = *std::move(decoded);
  offset_ += kManifestRecordHeaderBytes + payload.size();
  return ManifestReadResult::kEdit;
}

ManifestReadResult ManifestReader::JudgeEnd() {
  if (offset_ == image_.size()) {
    result_ = ManifestReadResult::kEnd;
  } else if (LaterRecordIsValid() && !VARVE_PLANTED_BUG("manifest.damage_taken_for_the_end")) {
    return Fail(Status::Corruption(Name(file_number_) + ": damaged record at offset " +
                                   std::to_string(offset_) + ", before the last"));
  } else {
    result_ = ManifestReadResult::kTorn;
  }
  return result_;
}

bool ManifestReader::LaterRecordIsValid() const {
  uint64_t budget = kHashBudget;
  std::string_view payload;
  for (uint64_t at = offset_ + 1; at + kManifestRecordHeaderBytes <= image_.size(); ++at) {
    const uint64_t size = LoadFixed<uint32_t>(image_.data() + at);
    if (size > image_.size() - at - kManifestRecordHeaderBytes || size > budget) continue;
    budget -= size;
    if (ReadRecord(image_, file_number_, at, &payload)) return true;
  }
  return false;
}

ManifestReadResult ManifestReader::Fail(Status status) {
  status_ = std::move(status);
  result_ = ManifestReadResult::kError;
  return result_;
}

}  // namespace varve
