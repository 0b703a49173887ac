// A WriteBatch collects changes that Db::Write applies all together or not at all, for readers and for
// recovery after a crash.
#ifndef VARVE_WRITE_BATCH_H_
#define VARVE_WRITE_BATCH_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace varve {

class Namespace;

// Thread-compatible. Changes apply in the order in which they were added: the last one to a key wins.
// Keys and values are copied on the call. Limits (Options::max_key_bytes, max_value_bytes) are checked
// by Db::Write, which refuses the whole batch.
class WriteBatch {
 public:
  void Put(std::string_view key, std::string_view value);
  // A value that is gone `ttl` after the batch is written, or at `expire_at`; as in WriteOptions.
  void Put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl);
  void Put(std::string_view key, std::string_view value,
           std::chrono::system_clock::time_point expire_at);
  void Delete(std::string_view key);
  // Deletes every key in [begin, end). An empty or inverted range changes nothing.
  void DeleteRange(std::string_view begin, std::string_view end);

  // The same in a namespace. All namespaces of a batch must belong to one store. The handle may go
  // before the batch is written.
  void Put(const Namespace& space, std::string_view key, std::string_view value);
  void Put(const Namespace& space, std::string_view key, std::string_view value,
           std::chrono::milliseconds ttl);
  void Put(const Namespace& space, std::string_view key, std::string_view value,
           std::chrono::system_clock::time_point expire_at);
  void Delete(const Namespace& space, std::string_view key);
  void DeleteRange(const Namespace& space, std::string_view begin, std::string_view end);
  // Deletes all keys of the namespace.
  void DeleteAll(const Namespace& space);

  void Clear();
  // Number of changes.
  uint32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  // Memory that the changes take, in bytes; close to what the log record will take.
  size_t byte_size() const { return rep_.size(); }

  // The changes one after another, as docs/formats/wal.md describes a record's payload, values in
  // place and keys as they are stored; deadlines may be relative. For the engine.
  std::string_view rep() const { return rep_; }
  // Whether every namespace named so far belongs to `store`. For the engine.
  bool IsFor(const void* store) const { return !is_mixed_ && (store_ == nullptr || store_ == store); }

 private:
  void NoteStore(const Namespace& space);

  std::string rep_;
  uint32_t count_ = 0;
  const void* store_ = nullptr;  // of the namespaces named
  bool is_mixed_ = false;
};

}  // namespace varve

#endif  // VARVE_WRITE_BATCH_H_
