#include "engine/repair_merge.h"

#include <algorithm>

namespace varve {

class RepairMerge::RunSource final : public Source {
 public:
  RunSource(RepairMerge* merge, std::vector<SegmentPlan> plans)
      : merge_(merge), plans_(std::move(plans)) {}

  void Start() override { Advance(); }
  bool Valid() const override { return salvage_ != nullptr && salvage_->Valid(); }
  const Entry& entry() const override { return salvage_->entry(); }
  void Next() override {
    salvage_->Next();
    if (!salvage_->Valid()) Advance();
  }
  uint64_t rank() const override { return rank_; }

 private:
  // To the next segment that holds something.
  void Advance() {
    while (!Valid() && next_ < plans_.size()) {
      if (salvage_ != nullptr) merge_->bytes_done_ += salvage_->bytes_read();
      rank_ = plans_[next_].file_number;
      salvage_ =
          std::make_unique<SegmentSalvage>(merge_->env_, std::move(plans_[next_++]), merge_->on_loss_);
      salvage_->Start();
    }
  }

  RepairMerge* const merge_;
  std::vector<SegmentPlan> plans_;
  size_t next_ = 0;
  uint64_t rank_ = 0;
  std::unique_ptr<SegmentSalvage> salvage_;
};

class RepairMerge::MemTableSource final : public Source {
 public:
  explicit MemTableSource(const MemTable* memtable) : cursor_(memtable) {}

  void Start() override {
    cursor_.SeekToFirst();
    Take();
  }
  bool Valid() const override { return cursor_.Valid(); }
  const Entry& entry() const override { return entry_; }
  void Next() override {
    cursor_.Next();
    Take();
  }
  uint64_t rank() const override { return ~uint64_t{0}; }

 private:
  void Take() {
    if (cursor_.Valid()) entry_ = cursor_.entry();
  }
  MemTable::Cursor cursor_;
  Entry entry_;
};

void RepairMerge::AddRun(std::vector<SegmentPlan> plans) {
  sources_.push_back(std::make_unique<RunSource>(this, std::move(plans)));
}

void RepairMerge::AddMemTable(const MemTable* memtable) {
  sources_.push_back(std::make_unique<MemTableSource>(memtable));
}

bool RepairMerge::ComesLater(const Source* a, const Source* b) {
  const int order = CompareInternal(a->entry().key, a->entry().sequence, b->entry().key,
                                    b->entry().sequence);
  return order != 0 ? order > 0 : a->rank() < b->rank();
}

void RepairMerge::Start() {
  for (const auto& source : sources_) {
    source->Start();
    if (source->Valid()) heap_.push_back(source.get());
  }
  std::make_heap(heap_.begin(), heap_.end(), ComesLater);
}

void RepairMerge::Next() {
  std::pop_heap(heap_.begin(), heap_.end(), ComesLater);
  Source* const moved = heap_.back();
  moved->Next();
  if (moved->Valid()) {
    std::push_heap(heap_.begin(), heap_.end(), ComesLater);
  } else {
    heap_.pop_back();
  }
}

}  // namespace varve
