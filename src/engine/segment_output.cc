#include "engine/segment_output.h"

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "format/filename.h"
#include "format/stored_key.h"
#include "format/value_log.h"

namespace varve {

SegmentOutput::~SegmentOutput() {
  if (builder_ != nullptr) builder_->Abandon();
  builder_.reset();
  file_.reset();
  // Best effort: what stays behind is removed when the store is opened next.
  for (const std::string& path : paths_) (void)options_.env->RemoveFile(path);
}

Status SegmentOutput::Begin() {
  file_number_ = options_.next_file_number();
  const std::string path = JoinPath(options_.dir, SegmentFileName(file_number_));
  VARVE_ASSIGN_OR_RETURN(file_,
                         options_.env->OpenWritable(path, Env::OpenMode::kCreateOrTruncate));
  paths_.push_back(path);
  SegmentBuilderOptions builder;
  builder.file_number = file_number_;
  builder.compression = options_.compression;
  builder.hash_salt = options_.hash_salt;
  builder.now_millis = options_.now_millis;
  if (options_.collects_expiry_places) {
    expiry_places_ = std::make_unique<ExpiryPlaces>(options_.now_millis);
    builder.expiry_places = expiry_places_.get();
  }
  builder_ = std::make_unique<SegmentBuilder>(file_.get(), builder);
  value_refs_.clear();
  space_.clear();
  return Status::Ok();
}

Status SegmentOutput::EnterNamespaceOf(std::string_view key) {
  const std::string_view prefix = key.substr(0, kNamespacePrefixBytes);
  if (prefix == space_ || !options_.compression_of) return Status::Ok();
  space_ = prefix;
  return builder_->SetCompression(options_.compression_of(key));
}

Status SegmentOutput::Add(const Entry& entry) {
  if (builder_ != nullptr && IsFull() && entry.key != last_key_) VARVE_RETURN_IF_ERROR(Finish());
  if (builder_ == nullptr) VARVE_RETURN_IF_ERROR(Begin());
  // The default namespace comes first, and needs no look.
  if (IsBeyondDefaultNamespace(entry.key)) VARVE_RETURN_IF_ERROR(EnterNamespaceOf(entry.key));
  last_key_.assign(entry.key);
  if (HasPointer(entry.kind)) {
    ValuePointer pointer;
    if (!DecodePointerOf(entry.kind, entry.value, &pointer)) {
      return Status::Corruption("a value pointer of " + std::to_string(entry.value.size()) +
                                " bytes");
    }
    value_refs_[pointer.file_number] += ValueLogRecordBytes(pointer);
  }
  return builder_->Add(entry);
}

Status SegmentOutput::Finish() {
  if (builder_ == nullptr) return Status::Ok();
  VARVE_ASSIGN_OR_RETURN(SegmentProperties properties, builder_->Finish());
  if (!VARVE_PLANTED_BUG("segment.not_synced")) VARVE_RETURN_IF_ERROR(file_->Sync());
  VARVE_RETURN_IF_ERROR(file_->Close());
  SegmentMeta meta;
  meta.run_id = options_.run_id;
  meta.file_number = file_number_;
  meta.file_bytes = builder_->file_bytes();
  meta.smallest_key = properties.smallest_key;
  meta.largest_key = properties.largest_key;
  meta.smallest_sequence = properties.smallest_sequence;
  meta.largest_sequence = properties.largest_sequence;
  meta.entry_count = properties.entry_count;
  meta.tombstone_count = properties.tombstone_count;
  meta.logical_bytes = properties.logical_bytes;
  meta.filtered_sequence = options_.filtered_sequence;
  meta.expiry = std::move(properties.expiry);
  if (expiry_places_ != nullptr && !meta.expiry.empty()) {
    expiry_places_->Sort();
    meta.expiry_places = std::make_shared<ExpiryPlacesBox>(std::move(expiry_places_));
  }
  for (const auto& [number, bytes] : value_refs_) meta.value_refs.push_back({number, bytes});
  written_bytes_ += meta.file_bytes;
  finished_.push_back(std::move(meta));
  builder_.reset();
  file_.reset();
  return Status::Ok();
}

std::vector<SegmentMeta> SegmentOutput::Release() {
  paths_.clear();
  return std::move(finished_);
}

}  // namespace varve
