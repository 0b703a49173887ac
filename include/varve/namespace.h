// Namespace: a keyspace of its own within a store. The plain interface of Db is the default namespace.
#ifndef VARVE_NAMESPACE_H_
#define VARVE_NAMESPACE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "varve/async.h"
#include "varve/explain.h"
#include "varve/iterator.h"
#include "varve/options.h"
#include "varve/pinned_value.h"
#include "varve/snapshot.h"
#include "varve/status.h"

namespace varve {

// Thrown by Namespace::At, the one call that throws.
class KeyNotFound : public std::out_of_range {
 public:
  using std::out_of_range::out_of_range;
};

// How a namespace is opened. What is set here is kept with the namespace, for later openings too; what
// is unset stays as it is, and follows the store's options in a new namespace.
struct NamespaceOptions {
  // The default for writes that do not say otherwise.
  std::optional<Durability> durability = std::nullopt;
  // Of what is written to segments from now on.
  std::optional<Compression> compression = std::nullopt;
  // For what is put without a time to live of its own from now on. 0: such puts stay, as in a new
  // namespace. Negative: kInvalidArgument. docs/ttl.md.
  std::optional<std::chrono::milliseconds> default_ttl = std::nullopt;
  // Off: a missing namespace is kNotFound.
  bool create_if_missing = true;
};

// What Db::ListNamespaces tells of each.
struct NamespaceInfo {
  std::string name;
  uint32_t id = 0;  // from 1; never given to another namespace of the store, not even after a drop
  std::optional<Durability> durability;
  std::optional<Compression> compression;
  std::optional<std::chrono::milliseconds> default_ttl;
};

// Keys and values are any bytes; keys are ordered as unsigned bytes. The empty key and the empty value
// are legal, and an empty value is not a deleted key. All methods are thread-safe. Strongly consistent:
// when a write has returned, every later read in any thread sees it or something newer.
//
// A handle costs about a hundred bytes, and holds nothing open. It must not be used after its Db is gone,
// but may be destroyed later. Once the namespace has been dropped, every call returns kNotFound, except
// reads at a snapshot from before.
class Namespace {
 public:
  virtual ~Namespace() = default;
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  // Empty: the default namespace.
  virtual std::string_view name() const = 0;
  // 0: the default namespace.
  uint32_t id() const { return id_; }

  // --- Writes. kInvalidArgument names the limit that a key or value exceeds; nothing is written then.

  virtual Status Put(std::string_view key, std::string_view value, const WriteOptions& = {}) = 0;
  // Deleting an absent key is not an error.
  virtual Status Delete(std::string_view key, const WriteOptions& = {}) = 0;
  // Deletes all keys in [begin, end), in a time that does not depend on how many there are. An empty or
  // inverted range changes nothing.
  virtual Status DeleteRange(std::string_view begin, std::string_view end,
                             const WriteOptions& = {}) = 0;
  // Deletes all keys of this namespace, and of no other, in constant time.
  virtual Status Clear(const WriteOptions& = {}) = 0;

  // --- Conditional writes. Each reads a key and writes it in one atomic step. Under contention they
  // are tried again by themselves, and none starves. What has expired is absent for them. They put with
  // the time to live of their options, or none, as Put does; only Increment and Append, when the options
  // give none, leave that of a present key as it is.

  // Sets `key` to `desired` if its value is `expected`; std::nullopt stands for an absent key on
  // either side. kConflict when the value is another.
  Status CompareAndSet(std::string_view key, std::optional<std::string_view> expected,
                       std::optional<std::string_view> desired, const WriteOptions& = {});
  // kConflict when the key is present, whatever its value; it is left as it is.
  Status PutIfAbsent(std::string_view key, std::string_view value, const WriteOptions& = {});
  // Adds `delta` to the number that the value is, in decimal text as std::to_string writes it, and
  // returns the sum. An absent key counts as 0. kInvalidArgument when the value is no such number, or the
  // sum does not fit 64 bits with sign; the value is left as it is.
  Result<int64_t> Increment(std::string_view key, int64_t delta = 1, const WriteOptions& = {});
  // Puts `suffix` behind the value, an absent one being empty, and returns the size of the whole in bytes.
  // Costs as much as a put of the whole.
  Result<uint64_t> Append(std::string_view key, std::string_view suffix, const WriteOptions& = {});
  // Sets `key` to `desired`, std::nullopt: deletes it. Returns what it was, std::nullopt: absent.
  Result<std::optional<std::string>> GetAndSet(std::string_view key,
                                               std::optional<std::string_view> desired,
                                               const WriteOptions& = {});

  // --- Time to live. A put takes one in its options; a put without one makes the key stay, or has the
  // default_ttl of the namespace. From its deadline on a key is absent for every reader, also through older
  // snapshots. docs/ttl.md.

  // Sets when `key` expires, leaving its value alone; deletes it when `ttl` is not positive. kNotFound when
  // the key is absent. One atomic step. options.ttl and options.expire_at are not looked at.
  Status Expire(std::string_view key, std::chrono::milliseconds ttl, const WriteOptions& = {});
  Status ExpireAt(std::string_view key, std::chrono::system_clock::time_point when,
                  const WriteOptions& = {});
  // Makes `key` stay. kNotFound when it is absent; one that does not expire is no error.
  Status Persist(std::string_view key, const WriteOptions& = {});
  // What is left of the time to live of `key`, more than 0; std::nullopt when it does not expire.
  // kNotFound when it is absent.
  virtual Result<std::optional<std::chrono::milliseconds>> TimeToLive(std::string_view key,
                                                                      const ReadOptions& = {}) = 0;

  // --- Reads. kNotFound when the key is absent.

  virtual Result<std::string> Get(std::string_view key, const ReadOptions& = {}) = 0;
  // The same into `value`, whose memory is reused; it is cleared when the result is not OK.
  virtual Status Get(std::string_view key, std::string* value, const ReadOptions& = {}) = 0;
  // The same without a copy.
  virtual Result<PinnedValue> GetPinned(std::string_view key, const ReadOptions& = {}) = 0;
  // One result for each key, all as of one moment; faster than a loop of Get because the memory and
  // disk accesses of the keys overlap.
  virtual std::vector<Result<std::string>> MultiGet(const std::vector<std::string_view>& keys,
                                                    const ReadOptions& = {}) = 0;
  // Does what Get does, and tells how it went instead of the value. An absent key is an answer and no error; the
  // errors are those of Get otherwise. It brings into the cache what Get would, and counts as no get in
  // Statistics. Slower than Get: it allocates. kNotSupported where the store is another's, such as a server's.
  virtual Result<Explanation> Explain(std::string_view key, const ReadOptions& = {});
  // The value. Throws KeyNotFound when absent, std::runtime_error on any other failure.
  std::string At(std::string_view key);
  // Brings near in memory what calls for `keys` that follow at once will look at (kRead: Get and the like, kWrite:
  // Put), all keys together, so that their cache misses overlap; for some dozens of keys at a time. Only a hint:
  // it has no result and no effect but on time, and does not wait for the disk.
  enum class Access : uint8_t { kRead, kWrite };
  virtual void Prefetch(std::span<const std::string_view> /*keys*/, Access /*access*/) {}

  // --- The same without waiting (async.h, docs/async.md).

  virtual Async<Result<std::string>> GetAsync(std::string_view key, const ReadOptions& = {},
                                              std::stop_token = {});
  // All as of one moment.
  virtual Async<std::vector<Result<std::string>>> MultiGetAsync(
      const std::vector<std::string_view>& keys, const ReadOptions& = {}, std::stop_token = {});
  virtual Async<Status> PutAsync(std::string_view key, std::string_view value,
                                 const WriteOptions& = {}, std::stop_token = {});
  virtual Async<Status> DeleteAsync(std::string_view key, const WriteOptions& = {},
                                    std::stop_token = {});

  // --- Iterators.

  // Never null; a failure shows in its status(). Views in `options` need not outlive the call.
  virtual std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options = {}) = 0;

 protected:
  // What a read-modify-write writes.
  struct Modification {
    // kKeepValue: the key must be present; its value stays, its deadline is set.
    enum class Kind : uint8_t { kNothing, kPut, kDelete, kKeepValue };
    // The deadline of a value that is put or kept.
    enum class Deadline : uint8_t {
      kAsPut,  // what a put with these options gets
      kKept,   // the key's, if it is present and the options say nothing; else as kAsPut
      kNone,
    };
    Kind kind = Kind::kNothing;
    std::string_view value = {};  // lives until the modifier is called again, or the call returns
    bool is_constant = false;     // the same is put whatever the key held
    Deadline deadline = Deadline::kAsPut;
  };
  // Decides on the value that the key has (std::nullopt: absent, or expired). May be called several times, possibly
  // under a lock; the last call counts. Must not use the store. An error ends the operation, and is
  // what it returns.
  using Modifier = std::function<Result<Modification>(std::optional<std::string_view> current)>;

  // `store` identifies the Db.
  Namespace(const void* store, uint32_t id) : store_(store), id_(id) {}

  // Reads `key`, asks `modify`, and writes what it says, in one atomic step.
  virtual Status ReadModifyWrite(std::string_view key, const Modifier& modify,
                                 const WriteOptions& options) = 0;

 private:
  friend class Transaction;
  friend class WriteBatch;

  Status KeepValue(std::string_view key, Modification::Deadline deadline, const WriteOptions& options);

  const void* const store_;
  const uint32_t id_;
};

}  // namespace varve

#endif  // VARVE_NAMESPACE_H_
