#include "varve/write_batch.h"

#include "format/wal.h"

namespace varve {

void WriteBatch::Put(std::string_view key, std::string_view value) {
  AppendWalOp({static_cast<uint8_t>(EntryKind::kValue), key, value}, &rep_);
  ++count_;
}

void WriteBatch::Delete(std::string_view key) {
  AppendWalOp({static_cast<uint8_t>(EntryKind::kDelete), key, {}}, &rep_);
  ++count_;
}

void WriteBatch::DeleteRange(std::string_view begin, std::string_view end) {
  AppendWalOp({kDeleteRangeOp, begin, end}, &rep_);
  ++count_;
}

void WriteBatch::Clear() {
  rep_.clear();
  count_ = 0;
}

}  // namespace varve
