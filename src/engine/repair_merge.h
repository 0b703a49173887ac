// RepairMerge: what is left of all layers of a damaged store, as one stream in internal order.
#ifndef VARVE_ENGINE_REPAIR_MERGE_H_
#define VARVE_ENGINE_REPAIR_MERGE_H_

#include <memory>
#include <vector>

#include "engine/memtable.h"
#include "engine/segment_salvage.h"

namespace varve {

// Thread-compatible. Of entries with equal key and sequence number the one of the younger file comes
// first: a bottom run forgets its numbers (merge_filter.h), so two that look alike need not be.
class RepairMerge {
 public:
  RepairMerge(Env* env, SegmentSalvage::OnLoss on_loss) : env_(env), on_loss_(std::move(on_loss)) {}

  // Segments that do not overlap, in order of keys.
  void AddRun(std::vector<SegmentPlan> plans);
  // Borrowed.
  void AddMemTable(const MemTable* memtable);
  void Start();

  bool Valid() const { return !heap_.empty(); }
  // Lives until Next. REQUIRES: Valid().
  const Entry& entry() const { return heap_.front()->entry(); }
  void Next();
  uint64_t bytes_read() const { return bytes_done_; }

 private:
  // One layer: a list of segments, or a memtable.
  class Source {
   public:
    virtual ~Source() = default;
    virtual void Start() = 0;
    virtual bool Valid() const = 0;
    virtual const Entry& entry() const = 0;
    virtual void Next() = 0;
    virtual uint64_t rank() const = 0;  // greater: younger
  };
  class RunSource;
  class MemTableSource;
  static bool ComesLater(const Source* a, const Source* b);

  Env* const env_;
  const SegmentSalvage::OnLoss on_loss_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<Source*> heap_;
  uint64_t bytes_done_ = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_REPAIR_MERGE_H_
