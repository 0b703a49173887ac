// FailedIterator: what NewIterator returns when there is nothing to iterate over.
#ifndef VARVE_ENGINE_FAILED_ITERATOR_H_
#define VARVE_ENGINE_FAILED_ITERATOR_H_

#include <string_view>
#include <utility>

#include "varve/iterator.h"
#include "varve/status.h"

namespace varve {

// Shows nothing, and says why.
class FailedIterator : public Iterator {
 public:
  explicit FailedIterator(Status status) : status_(std::move(status)) {}

  bool Valid() const override { return false; }
  void SeekToFirst() override {}
  void SeekToLast() override {}
  void Seek(std::string_view) override {}
  void SeekForPrev(std::string_view) override {}
  void Next() override {}
  void Prev() override {}
  std::string_view key() const override { return {}; }
  std::string_view value() override { return {}; }
  Status status() const override { return status_; }

 private:
  const Status status_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_FAILED_ITERATOR_H_
