#include "varve/write_batch.h"

#include <algorithm>

#include "engine/deadline.h"
#include "format/wal.h"

namespace varve {

void WriteBatch::Put(std::string_view key, std::string_view value) {
  AppendWalOp({static_cast<uint8_t>(EntryKind::kValue), key, value}, &rep_);
  ++count_;
}

void WriteBatch::PutExpiring(std::string_view key, std::string_view value, uint64_t word) {
  WalOp op{static_cast<uint8_t>(EntryKind::kExpiringValue), key, value};
  const size_t start = rep_.size();
  rep_.resize(start + WalOpBytes(op.kind, key.size(), value.size() + kDeadlineBytes));
  StoreExpiringWalOp(word, &op, rep_.data() + start);
  ++count_;
}

void WriteBatch::Put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) {
  PutExpiring(key, value, kDeadlineRelativeFlag | DeadlineAfter(0, ttl));
}

void WriteBatch::Put(std::string_view key, std::string_view value,
                     std::chrono::system_clock::time_point expire_at) {
  PutExpiring(key, value, DeadlineAt(expire_at));
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
