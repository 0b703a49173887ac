#include "varve/write_batch.h"

#include "engine/deadline.h"
#include "format/stored_key.h"
#include "format/wal.h"
#include "varve/namespace.h"

namespace varve {

namespace {

Keyspace KeyspaceOf(uint32_t id) { return id == 0 ? Keyspace() : Keyspace::Named(id); }

void AppendPut(const Keyspace& keyspace, std::string_view key, std::string_view value,
               std::string* rep) {
  std::string buffer;
  AppendWalOp(
      {static_cast<uint8_t>(EntryKind::kValue), keyspace.ToStored(key, &buffer), value}, rep);
}

uint64_t WordOf(std::chrono::milliseconds ttl) {
  return kDeadlineRelativeFlag | DeadlineAfter(0, ttl);
}

void AppendExpiringPut(const Keyspace& keyspace, std::string_view key, std::string_view value,
                       uint64_t word, std::string* rep) {
  std::string buffer;
  WalOp op{static_cast<uint8_t>(EntryKind::kExpiringValue), keyspace.ToStored(key, &buffer), value};
  const size_t start = rep->size();
  rep->resize(start + WalOpBytes(op.kind, op.key.size(), value.size() + kDeadlineBytes));
  StoreExpiringWalOp(word, &op, rep->data() + start);
}

void AppendDelete(const Keyspace& keyspace, std::string_view key, std::string* rep) {
  std::string buffer;
  AppendWalOp({static_cast<uint8_t>(EntryKind::kDelete), keyspace.ToStored(key, &buffer), {}}, rep);
}

void AppendDeleteRange(const Keyspace& keyspace, std::string_view begin, std::string_view end,
                       std::string* rep) {
  std::string begin_buffer, end_buffer;
  AppendWalOp({kDeleteRangeOp, keyspace.ToStored(begin, &begin_buffer),
               keyspace.ToStored(end, &end_buffer)},
              rep);
}

}  // namespace

void WriteBatch::Put(std::string_view key, std::string_view value) {
  AppendPut(Keyspace(), key, value, &rep_);
  ++count_;
}

void WriteBatch::Put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) {
  AppendExpiringPut(Keyspace(), key, value, WordOf(ttl), &rep_);
  ++count_;
}

void WriteBatch::Put(std::string_view key, std::string_view value,
                     std::chrono::system_clock::time_point expire_at) {
  AppendExpiringPut(Keyspace(), key, value, DeadlineAt(expire_at), &rep_);
  ++count_;
}

void WriteBatch::Delete(std::string_view key) {
  AppendDelete(Keyspace(), key, &rep_);
  ++count_;
}

void WriteBatch::DeleteRange(std::string_view begin, std::string_view end) {
  AppendDeleteRange(Keyspace(), begin, end, &rep_);
  ++count_;
}

void WriteBatch::Put(const Namespace& space, std::string_view key, std::string_view value) {
  NoteStore(space);
  AppendPut(KeyspaceOf(space.id()), key, value, &rep_);
  ++count_;
}

void WriteBatch::Put(const Namespace& space, std::string_view key, std::string_view value,
                     std::chrono::milliseconds ttl) {
  NoteStore(space);
  AppendExpiringPut(KeyspaceOf(space.id()), key, value, WordOf(ttl), &rep_);
  ++count_;
}

void WriteBatch::Put(const Namespace& space, std::string_view key, std::string_view value,
                     std::chrono::system_clock::time_point expire_at) {
  NoteStore(space);
  AppendExpiringPut(KeyspaceOf(space.id()), key, value, DeadlineAt(expire_at), &rep_);
  ++count_;
}

void WriteBatch::Delete(const Namespace& space, std::string_view key) {
  NoteStore(space);
  AppendDelete(KeyspaceOf(space.id()), key, &rep_);
  ++count_;
}

void WriteBatch::DeleteRange(const Namespace& space, std::string_view begin,
                             std::string_view end) {
  NoteStore(space);
  AppendDeleteRange(KeyspaceOf(space.id()), begin, end, &rep_);
  ++count_;
}

void WriteBatch::DeleteAll(const Namespace& space) {
  NoteStore(space);
  const Keyspace keyspace = KeyspaceOf(space.id());
  const std::string begin = keyspace.begin();
  const std::string end = keyspace.end();
  AppendWalOp({kDeleteRangeOp, begin, end}, &rep_);
  ++count_;
}

void WriteBatch::NoteStore(const Namespace& space) {
  is_mixed_ |= store_ != nullptr && store_ != space.store_;
  store_ = space.store_;
}

void WriteBatch::Clear() {
  rep_.clear();
  count_ = 0;
  store_ = nullptr;
  is_mixed_ = false;
}

}  // namespace varve
