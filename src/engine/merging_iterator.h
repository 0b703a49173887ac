// MergingIterator: several internal iterators as one, in order.
#ifndef VARVE_ENGINE_MERGING_ITERATOR_H_
#define VARVE_ENGINE_MERGING_ITERATOR_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/internal_iterator.h"

namespace varve {

// Owns its sources. Equal (key, sequence) pairs must not occur in two sources; entries with equal keys
// and sequence 0 (see compaction_job.h) order by source, earlier source first. An error of any source
// ends the iteration. Moving costs O(log sources), O(1) while one source stays in front.
class MergingIterator : public InternalIterator {
 public:
  explicit MergingIterator(std::vector<std::unique_ptr<InternalIterator>> sources);

  // Starts from where the sources stand, going forward.
  void BeginForward();
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key, SequenceNumber sequence) override;
  void SeekForPrev(std::string_view key, SequenceNumber sequence) override;
  void Next() override;
  void Prev() override;
  void SkipForward(std::string_view end, SequenceNumber sequence) override;
  void SkipBackward(std::string_view begin, SequenceNumber sequence) override;
  Status status() const override;

 private:
  // A heap element: the source's position with the head of its key, so that most comparisons touch no
  // key.
  struct Node {
    uint64_t head;
    uint32_t source;
  };

  enum class Direction { kForward, kReverse };

  // True when a's entry comes before b's in the direction of travel.
  bool Before(const Node& a, const Node& b) const;
  Node NodeOf(uint32_t source) const;
  void BuildHeap(Direction direction);
  void SiftDown(size_t position);
  // The top source has moved: restore the heap and publish the new top.
  void TopMoved();
  void Publish();
  void Turn(Direction direction);

  std::vector<std::unique_ptr<InternalIterator>> sources_;
  std::vector<Node> heap_;  // top first
  Direction direction_ = Direction::kForward;
};

// One iterator over all of `sources`; a single source is returned as it is.
std::unique_ptr<InternalIterator> NewMergingIterator(
    std::vector<std::unique_ptr<InternalIterator>> sources);

}  // namespace varve

#endif  // VARVE_ENGINE_MERGING_ITERATOR_H_
