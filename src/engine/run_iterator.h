// RunIterator: the entries of one run in order, over its segments and their blocks.
#ifndef VARVE_ENGINE_RUN_ITERATOR_H_
#define VARVE_ENGINE_RUN_ITERATOR_H_

#include <memory>
#include <string>

#include "engine/internal_iterator.h"
#include "engine/version.h"
#include "format/block.h"

namespace varve {

enum class ReadMode {
  kCached,     // blocks come from and go to the block cache
  kStreaming,  // blocks are read past the cache in large pieces; for merges, which go forward only
};

// Holds the run, the block it stands on, and the one it stood on before the last movement, so that the
// entry left last stays readable until the next one. Prev and SeekForPrev and SeekToLast REQUIRE kCached.
class RunIterator : public InternalIterator {
 public:
  RunIterator(std::shared_ptr<const Run> run, ReadMode mode) : run_(std::move(run)), mode_(mode) {}
  ~RunIterator() override;

  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key, SequenceNumber sequence) override;
  void SeekForPrev(std::string_view key, SequenceNumber sequence) override;
  void Next() override;
  void Prev() override;
  Status status() const override { return status_; }

 private:
  static constexpr size_t kStreamBytes = size_t{512} << 10;
  // How many entries ahead of a walk forwards their memory is brought near.
  static constexpr int kPrefetchDistance = 8;

  const SegmentSlice& slice() const { return run_->slices()[slice_]; }
  // Each returns false at an error or the end, with valid_ false.
  bool EnterSlice(size_t slice_index);
  // `for_search`: what comes next is a search in the block.
  bool LoadBlock(size_t block, bool for_search = false);
  bool LoadStreamed(size_t block);
  bool LoadCached(size_t block, bool for_search);
  void KeepLeftFrame();
  bool DecodeAt(int slot);
  bool Fail(Status status);

  void ToSliceStart(size_t slice_index);
  void ToSliceEnd(size_t slice_index);
  void StepForward();
  void StepBack();
  void SeekInSlice(size_t slice_index, std::string_view key, SequenceNumber sequence);

  const std::shared_ptr<const Run> run_;
  const ReadMode mode_;
  size_t slice_ = 0;
  const SegmentIndex* index_ = nullptr;  // of slice_
  size_t block_ = 0;
  int slot_ = 0;
  BlockView view_;

  Frame* frame_ = nullptr;           // pinned; kCached
  Frame* previous_frame_ = nullptr;  // pinned
  bool left_is_kept_ = false;        // this movement has put the block it began in there
  SegmentReader::BlockBatch batch_;   // kStreaming: blocks [batch_first_, batch_first_ + raws)
  SegmentReader::BlockBatch previous_batch_;
  const SegmentReader* batch_segment_ = nullptr;
  size_t batch_first_ = 0;
  Status status_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_RUN_ITERATOR_H_
