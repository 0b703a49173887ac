// SegmentOutput: the segments that a flush or merge writes.
#ifndef VARVE_ENGINE_SEGMENT_OUTPUT_H_
#define VARVE_ENGINE_SEGMENT_OUTPUT_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/env.h"
#include "format/segment_builder.h"
#include "format/version_edit.h"

namespace varve {

struct SegmentOutputOptions {
  Env* env = nullptr;
  std::string dir;
  uint64_t run_id = 0;
  Compression compression = Compression::kNone;  // of the default namespace
  // Of the named namespace that a stored key belongs to. Empty: the same.
  std::function<Compression(std::string_view stored_key)> compression_of;
  uint64_t hash_salt = 0;
  uint64_t target_bytes = 0;
  SequenceNumber filtered_sequence = 0;
  uint64_t now_millis = 0;  // the store's time
  bool collects_expiry_places = false;
  std::function<uint64_t()> next_file_number;
};

// Thread-compatible. Files of a failed or abandoned output are removed by the destructor, unless Release
// was called.
class SegmentOutput {
 public:
  explicit SegmentOutput(SegmentOutputOptions options) : options_(std::move(options)) {}
  ~SegmentOutput();
  SegmentOutput(const SegmentOutput&) = delete;
  SegmentOutput& operator=(const SegmentOutput&) = delete;

  // Adds the next entry in internal order. A new segment begins between two keys once one is full.
  Status Add(const Entry& entry);
  // True when the next new key would begin another segment.
  bool IsFull() const { return builder_ != nullptr && builder_->IsFull(options_.target_bytes); }
  // Completes the segment under construction and makes it survive loss of power.
  Status Finish();

  // The completed segments, in order. They are the caller's from now on.
  std::vector<SegmentMeta> Release();
  uint64_t written_bytes() const { return written_bytes_; }

 private:
  Status Begin();
  // Sees to the compression of the namespace that `key` belongs to.
  Status EnterNamespaceOf(std::string_view key);

  const SegmentOutputOptions options_;
  std::unique_ptr<WritableFile> file_;
  std::unique_ptr<SegmentBuilder> builder_;
  uint64_t file_number_ = 0;
  std::string last_key_;
  std::string space_;  // the prefix of the named namespace being written; empty: the default one
  std::map<uint64_t, uint64_t> value_refs_;  // of the segment under construction
  std::unique_ptr<ExpiryPlaces> expiry_places_;  // of the same; null: not collected
  std::vector<SegmentMeta> finished_;
  std::vector<std::string> paths_;  // of all files created
  uint64_t written_bytes_ = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_SEGMENT_OUTPUT_H_
