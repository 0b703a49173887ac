// What a lookup tells about its way. The code of a lookup is a template over one of these: NoTrace for a get,
// which says nothing and costs nothing, LookupTrace for Explain. So an explanation is of the very code that gets
// run, and can not come to differ from them.
#ifndef VARVE_ENGINE_LOOKUP_TRACE_H_
#define VARVE_ENGINE_LOOKUP_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "varve/explain.h"

namespace varve {

struct NoTrace {
  static constexpr bool kIsOn = false;
  void EnterMemTable(bool, uint64_t, bool) {}
  void EnterSegment(size_t, uint64_t, uint64_t) {}
  void PassRun(size_t, uint64_t) {}
  void OpenedFile() {}
  void FilterSays(ExplainedPart::Filter) {}
  void FalsePositive() {}
  void Block(ExplainedBlock::Kind, uint64_t, uint64_t, bool) {}
  void Answered() {}
  void Covered(uint64_t) {}
};

// Writes down what it is told. Borrows the explanation. Thread-compatible.
class LookupTrace {
 public:
  static constexpr bool kIsOn = true;
  using Filter = ExplainedPart::Filter;

  explicit LookupTrace(Explanation* explanation) : explanation_(explanation) {}

  // The lookup comes to the next part; what follows is about that one.
  void EnterMemTable(bool is_active, uint64_t log_number, bool may_contain) {
    ExplainedPart& part = Add(is_active ? ExplainedPart::Kind::kActiveMemTable
                                        : ExplainedPart::Kind::kImmutableMemTable,
                              log_number);
    part.filter = may_contain ? Filter::kMaybe : Filter::kAbsent;
  }
  void EnterSegment(size_t level, uint64_t run_id, uint64_t file_number) {
    ExplainedPart& part = Add(ExplainedPart::Kind::kSegment, file_number);
    part.level = static_cast<uint32_t>(level);
    part.run_id = run_id;
  }
  // No segment of the run is for the key.
  void PassRun(size_t level, uint64_t run_id) {
    ExplainedPart& part = Add(ExplainedPart::Kind::kRun, run_id);
    part.level = static_cast<uint32_t>(level);
    part.run_id = run_id;
    part.filter = Filter::kOutOfRange;
  }

  void OpenedFile() { Last().was_opened = true; }
  void FilterSays(Filter filter) { Last().filter = filter; }
  void FalsePositive() { ++Last().false_positives; }
  void Block(ExplainedBlock::Kind kind, uint64_t offset, uint64_t bytes, bool was_read) {
    std::vector<ExplainedBlock>& blocks = Last().blocks;
    // The versions of a key are looked for in the block where the first of them was found.
    if (!blocks.empty() && blocks.back().kind == kind && blocks.back().offset == offset) return;
    blocks.push_back({kind, offset, bytes, was_read});
    if (was_read) explanation_->bytes_read += bytes;
  }
  // The part holds the newest entry of the key that the lookup may see.
  void Answered() { Last().has_answered = true; }
  // A range delete of this sequence hides it.
  void Covered(uint64_t sequence) { explanation_->range_tombstone_sequence = sequence; }

 private:
  ExplainedPart& Add(ExplainedPart::Kind kind, uint64_t number) {
    ExplainedPart& part = explanation_->parts.emplace_back();
    part.kind = kind;
    part.number = number;
    return part;
  }
  ExplainedPart& Last() { return explanation_->parts.back(); }

  Explanation* const explanation_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_LOOKUP_TRACE_H_
