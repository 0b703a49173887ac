// TypedDb: a store of keys and values of C++ types.
//
//   struct User { std::string name; uint32_t age; };
//   varve::TypedDb<uint64_t, User> users(db.get(), "user/");
//   users.Put(7, {"Ann", 41});
//   varve::Result<User> ann = users.Get(7);
//
// Over a transaction or a namespace it is the same:
//
//   db->Transact([&](varve::Transaction& t) {
//     varve::TypedDb<uint64_t, User, varve::Transaction> users(&t, "user/");
//     return users.Put(7, {"Ann", 42});
//   });
//
// Two functions do the same for single values under plain keys: varve::Put(*db, "ann", User{...}) and
// varve::Get<User>(*db, "ann").
#ifndef VARVE_TYPED_DB_H_
#define VARVE_TYPED_DB_H_

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "varve/codec.h"
#include "varve/db.h"
#include "varve/iterator.h"
#include "varve/key_codec.h"
#include "varve/namespace.h"
#include "varve/options.h"
#include "varve/pinned_value.h"
#include "varve/status.h"
#include "varve/transaction.h"

namespace varve {

// A Db, or what reads and writes like one: a Namespace, a Transaction, a NamespaceInTransaction. What else TypedDb forwards (options, iterators, ranges)
// must exist only where it is called.
template <typename Store>
concept StoreLike = requires(Store& store, std::string_view bytes) {
  { store.Put(bytes, bytes) } -> std::same_as<Status>;
  { store.Delete(bytes) } -> std::same_as<Status>;
  { store.Get(bytes) } -> std::same_as<Result<std::string>>;
};

// A namespace as a transaction sees it: the calls of the transaction that take the namespace, without
// it. For TypedDb<K, V, NamespaceInTransaction>. Borrows both.
class NamespaceInTransaction {
 public:
  NamespaceInTransaction(Transaction* transaction, const Namespace* space)
      : transaction_(transaction), space_(space) {}

  Status Put(std::string_view key, std::string_view value) {
    return transaction_->Put(*space_, key, value);
  }
  Status Delete(std::string_view key) { return transaction_->Delete(*space_, key); }
  Status DeleteRange(std::string_view begin, std::string_view end) {
    return transaction_->DeleteRange(*space_, begin, end);
  }
  Result<std::string> Get(std::string_view key) { return transaction_->Get(*space_, key); }
  Result<PinnedValue> GetPinned(std::string_view key) {
    return transaction_->GetPinned(*space_, key);
  }
  std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options = {}) {
    return transaction_->NewIterator(*space_, options);
  }

 private:
  Transaction* transaction_;
  const Namespace* space_;
};

// What a typed iterator covers: all keys that satisfy what is set.
template <typename K>
struct TypedIteratorOptions {
  // Only keys that begin so: TypedDb::Prefix(parts...); plain bytes when K is std::string.
  std::string prefix = {};
  // Only keys >= lower_bound, and < upper_bound.
  std::optional<K> lower_bound = std::nullopt;
  std::optional<K> upper_bound = std::nullopt;
  const Snapshot* snapshot = nullptr;
};

// An Iterator over keys and values of C++ types, in the order of the keys. A key or a value that is not
// of its type ends the iteration like any other error: check status() after the loop.
// Thread-compatible. Must be destroyed before its store.
template <typename K, typename V>
class TypedIterator {
 public:
  TypedIterator(std::unique_ptr<Iterator> iterator, std::string prefix)
      : iterator_(std::move(iterator)), prefix_(std::move(prefix)) {}

  bool Valid() const { return is_valid_; }
  void SeekToFirst() {
    iterator_->SeekToFirst();
    Load();
  }
  void SeekToLast() {
    iterator_->SeekToLast();
    Load();
  }
  // To the first key >= `target`.
  void Seek(const K& target) {
    iterator_->Seek(prefix_ + EncodeKey(target));
    Load();
  }
  // To the last key <= `target`.
  void SeekForPrev(const K& target) {
    iterator_->SeekForPrev(prefix_ + EncodeKey(target));
    Load();
  }
  // REQUIRES: Valid().
  void Next() {
    iterator_->Next();
    Load();
  }
  void Prev() {
    iterator_->Prev();
    Load();
  }

  // REQUIRES: Valid(). They live until the iterator moves.
  const K& key() const { return key_; }
  const V& value() const { return value_; }

  Status status() const { return status_.ok() ? iterator_->status() : status_; }

 private:
  void Load() {
    is_valid_ = false;
    status_ = Status::Ok();
    if (!iterator_->Valid()) return;
    Result<K> key = DecodeKey<K>(iterator_->key().substr(prefix_.size()));
    const std::string_view bytes = iterator_->value();
    if (!iterator_->status().ok()) return;
    Result<V> value = DecodeValue<V>(bytes);
    if (!key.ok() || !value.ok()) {
      status_ = key.ok() ? value.status() : key.status();
      return;
    }
    key_ = *std::move(key);
    value_ = *std::move(value);
    is_valid_ = true;
  }

  std::unique_ptr<Iterator> iterator_;
  std::string prefix_;
  bool is_valid_ = false;
  K key_{};
  V value_{};
  Status status_;
};

// The keys of a store that begin with `prefix`, as a map from K to V. A handle: cheap, copyable, and as
// thread-safe as its store, which is borrowed. Errors beside those of the store: kInvalidArgument for a
// value that cannot be encoded, and for a key or value in the store that is of another type.
template <typename K, typename V, StoreLike Store = Db>
class TypedDb {
 public:
  // Prefixes of several TypedDbs in one store must not begin one another.
  explicit TypedDb(Store* store, std::string prefix = {})
      : store_(store), prefix_(std::move(prefix)) {}

  Status Put(const K& key, const V& value) { return PutWith(key, value); }
  Status Put(const K& key, const V& value, const WriteOptions& options) {
    return PutWith(key, value, options);
  }
  // Deleting an absent key is not an error.
  Status Delete(const K& key) { return store_->Delete(RawKey(key)); }
  Status Delete(const K& key, const WriteOptions& options) {
    return store_->Delete(RawKey(key), options);
  }
  // Deletes all keys in [begin, end).
  Status DeleteRange(const K& begin, const K& end) {
    return store_->DeleteRange(RawKey(begin), RawKey(end));
  }
  Status DeleteRange(const K& begin, const K& end, const WriteOptions& options) {
    return store_->DeleteRange(RawKey(begin), RawKey(end), options);
  }

  // Sets `key` to `desired` if its value is `expected`; std::nullopt stands for an absent key on either
  // side. kConflict when the value is another. Values are compared by their encoding: 0.0 is not -0.0.
  Status CompareAndSet(const K& key, const std::optional<V>& expected,
                       const std::optional<V>& desired, const WriteOptions& options = {}) {
    const std::string raw_key = RawKey(key);
    std::string expected_bytes, desired_bytes;
    if (expected) {
      Status status = EncodeValueTo(*expected, &expected_bytes);
      if (!status.ok()) return status;
    }
    if (desired) {
      Status status = EncodeValueTo(*desired, &desired_bytes);
      if (!status.ok()) return status;
    }
    const auto swap = [&](const std::string& from) {
      using Bytes = std::optional<std::string_view>;
      return store_->CompareAndSet(raw_key, expected ? Bytes(from) : Bytes(),
                                   desired ? Bytes(desired_bytes) : Bytes(), options);
    };
    Status status = swap(expected_bytes);
    if constexpr (Upgradable<V>) {
      // The same value may still be stored in its earlier shape.
      if (status.code() == StatusCode::kConflict && expected) {
        Result<std::string> stored = store_->Get(raw_key);
        if (!stored.ok()) return stored.status().IsNotFound() ? status : stored.status();
        Result<V> value = DecodeValue<V>(*stored);
        std::string bytes;
        if (value.ok() && EncodeValueTo(*value, &bytes).ok() && bytes == expected_bytes) {
          return swap(*stored);
        }
      }
    }
    return status;
  }

  // kNotFound when the key is absent.
  Result<V> Get(const K& key) { return GetWith(key); }
  Result<V> Get(const K& key, const ReadOptions& options) { return GetWith(key, options); }
  // One result for each key, all as of one moment.
  std::vector<Result<V>> MultiGet(const std::vector<K>& keys, const ReadOptions& options = {}) {
    std::vector<std::string> raw_keys;
    for (const K& key : keys) raw_keys.push_back(RawKey(key));
    std::vector<Result<V>> values;
    for (const Result<std::string>& bytes :
         store_->MultiGet({raw_keys.begin(), raw_keys.end()}, options)) {
      values.push_back(bytes.ok() ? DecodeValue<V>(*bytes) : Result<V>(bytes.status()));
    }
    return values;
  }

  // Add a change to a batch, for Db::Write. One batch may hold changes of several TypedDbs, also of those
  // over different namespaces.
  template <typename Batch>
  Status BatchPut(Batch* batch, const K& key, const V& value) const {
    std::string bytes;
    Status status = EncodeValueTo(value, &bytes);
    if (!status.ok()) return status;
    if constexpr (kIsNamespace) {
      batch->Put(*store_, RawKey(key), bytes);
    } else {
      batch->Put(RawKey(key), bytes);
    }
    return status;
  }
  template <typename Batch>
  void BatchDelete(Batch* batch, const K& key) const {
    if constexpr (kIsNamespace) {
      batch->Delete(*store_, RawKey(key));
    } else {
      batch->Delete(RawKey(key));
    }
  }

  TypedIterator<K, V> NewIterator(const TypedIteratorOptions<K>& range = {}) {
    const std::string prefix = prefix_ + range.prefix;
    std::string lower, upper;
    IteratorOptions options = {.prefix = prefix, .snapshot = range.snapshot};
    if (range.lower_bound) options.lower_bound = lower = RawKey(*range.lower_bound);
    if (range.upper_bound) options.upper_bound = upper = RawKey(*range.upper_bound);
    return {store_->NewIterator(options), prefix_};
  }
  // For TypedIteratorOptions: what the keys begin with whose first parts are these.
  template <typename... Parts>
  static std::string Prefix(const Parts&... parts) {
    return EncodeKeyPrefix<K>(parts...);
  }

  // The key in the store.
  std::string RawKey(const K& key) const {
    std::string bytes = prefix_;
    EncodeKeyTo(key, &bytes);
    return bytes;
  }

 private:
  // Of a Db, a batch takes the changes without being told where they belong.
  static constexpr bool kIsNamespace =
      std::derived_from<Store, Namespace> && !std::derived_from<Store, Db>;

  template <typename... Options>
  Status PutWith(const K& key, const V& value, const Options&... options) {
    std::string bytes;
    Status status = EncodeValueTo(value, &bytes);
    return status.ok() ? store_->Put(RawKey(key), bytes, options...) : status;
  }
  template <typename... Options>
  Result<V> GetWith(const K& key, const Options&... options) {
    const std::string raw_key = RawKey(key);
    if constexpr (requires { store_->GetPinned(raw_key, options...); }) {
      const auto pinned = store_->GetPinned(raw_key, options...);
      return pinned.ok() ? DecodeValue<V>(pinned->view()) : Result<V>(pinned.status());
    } else {
      const Result<std::string> bytes = store_->Get(raw_key, options...);
      return bytes.ok() ? DecodeValue<V>(*bytes) : Result<V>(bytes.status());
    }
  }

  Store* store_;
  std::string prefix_;
};

// A value of a C++ type under a plain key.
template <typename T, StoreLike Store>
Status Put(Store& store, std::string_view key, const T& value) {
  return TypedDb<std::string, T, Store>(&store).Put(std::string(key), value);
}
template <typename T, StoreLike Store>
Result<T> Get(Store& store, std::string_view key) {
  return TypedDb<std::string, T, Store>(&store).Get(std::string(key));
}

}  // namespace varve

#endif  // VARVE_TYPED_DB_H_
