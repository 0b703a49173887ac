// MapIterator: an Iterator over a std::map, FakeDb's own and the model of a real one.
#ifndef VARVE_TESTS_SUPPORT_MAP_ITERATOR_H_
#define VARVE_TESTS_SUPPORT_MAP_ITERATOR_H_

#include <memory>
#include <optional>
#include <string>

#include "tests/support/workload.h"
#include "varve/iterator.h"
#include "varve/options.h"

namespace varve::test {

// Thread-compatible.
class MapIterator : public Iterator {
 public:
  struct Bugs {
    bool prev_skips = false;
    bool seek_for_prev_is_seek = false;
  };

  MapIterator(std::shared_ptr<const Contents> contents, const IteratorOptions& options, Bugs bugs)
      : contents_(std::move(contents)), bugs_(bugs), prefix_(options.prefix) {
    if (options.lower_bound.has_value()) lower_ = std::string(*options.lower_bound);
    if (options.upper_bound.has_value()) upper_ = std::string(*options.upper_bound);
    at_ = contents_->end();
  }

  bool Valid() const override { return at_ != contents_->end(); }
  void SeekToFirst() override { SettleAt(contents_->begin()); }
  void SeekToLast() override { SettleBefore(contents_->end()); }
  void Seek(std::string_view target) override {
    SettleAt(contents_->lower_bound(std::string(target)));
  }
  void SeekForPrev(std::string_view target) override {
    const auto after = contents_->upper_bound(std::string(target));
    const bool is_absent = contents_->count(std::string(target)) == 0;
    if (bugs_.seek_for_prev_is_seek && is_absent) return SettleAt(after);
    SettleBefore(after);
  }
  void Next() override { SettleAt(std::next(at_)); }
  void Prev() override {
    SettleBefore(at_);
    if (bugs_.prev_skips && Valid() && at_->second.size() % 16 == 3) SettleBefore(at_);
  }
  std::string_view key() const override { return at_->first; }
  std::string_view value() override { return at_->second; }
  Status status() const override { return Status::Ok(); }

 private:
  using Position = Contents::const_iterator;

  bool IsInside(const std::string& key) const {
    return key.starts_with(prefix_) && (!lower_.has_value() || key >= *lower_) &&
           (!upper_.has_value() || key < *upper_);
  }
  // To the first key inside at or after `from`.
  void SettleAt(Position from) {
    while (from != contents_->end() && !IsInside(from->first)) ++from;
    at_ = from;
  }
  // To the last key inside before `end`.
  void SettleBefore(Position end) {
    while (end != contents_->begin()) {
      --end;
      if (IsInside(end->first)) {
        at_ = end;
        return;
      }
    }
    at_ = contents_->end();
  }

  const std::shared_ptr<const Contents> contents_;
  const Bugs bugs_;
  const std::string prefix_;
  std::optional<std::string> lower_;
  std::optional<std::string> upper_;
  Position at_;
};

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_MAP_ITERATOR_H_
