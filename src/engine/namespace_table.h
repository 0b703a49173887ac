// NamespaceTable: which namespaces the open store has. The durable form is in the store itself
// (format/namespace_record.h); this is its image in memory.
#ifndef VARVE_ENGINE_NAMESPACE_TABLE_H_
#define VARVE_ENGINE_NAMESPACE_TABLE_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "format/internal_key.h"
#include "format/namespace_record.h"
#include "format/stored_key.h"

namespace varve {

// One namespace, for as long as somebody has a handle on it.
struct NamespaceState {
  NamespaceState(std::string its_name, const NamespaceRecord& record)
      : name(std::move(its_name)), id(record.id), keyspace(Keyspace::Named(record.id)) {
    SetOptions(record);
  }

  // Thread-safe. The options change one after another.
  void SetOptions(const NamespaceRecord& record) {
    durability_.store(record.durability ? static_cast<int>(*record.durability) : kUnset,
                      std::memory_order_relaxed);
    compression_.store(record.compression ? static_cast<int>(*record.compression) : kUnset,
                       std::memory_order_relaxed);
    default_ttl_millis_.store(record.default_ttl ? record.default_ttl->count() : 0,
                              std::memory_order_relaxed);
  }
  // nullopt: what is put stays.
  std::optional<std::chrono::milliseconds> default_ttl() const {
    const int64_t millis = default_ttl_millis_.load(std::memory_order_relaxed);
    if (millis == 0) return std::nullopt;
    return std::chrono::milliseconds(millis);
  }
  NamespaceRecord record() const {
    NamespaceRecord record{id, {}, {}, default_ttl()};
    const int durability = durability_.load(std::memory_order_relaxed);
    const int compression = compression_.load(std::memory_order_relaxed);
    if (durability != kUnset) record.durability = static_cast<Durability>(durability);
    if (compression != kUnset) record.compression = static_cast<Compression>(compression);
    return record;
  }

  const std::string name;
  const uint32_t id;
  const Keyspace keyspace;
  // Under the commit lock: nothing may be written any more.
  bool is_dropped = false;
  SequenceNumber drop_sequence = 0;
  // 0 until the drop is visible; then its sequence number. Release/acquire: who sees it sees the drop.
  std::atomic<SequenceNumber> dropped_at{0};

 private:
  static constexpr int kUnset = -1;
  std::atomic<int> durability_{kUnset};
  std::atomic<int> compression_{kUnset};
  std::atomic<int64_t> default_ttl_millis_{0};
};

// Thread-safe.
class NamespaceTable {
 public:
  using Ref = std::shared_ptr<NamespaceState>;

  // nullptr when there is none.
  Ref Find(std::string_view name) const VARVE_EXCLUDES(mu_);
  Ref Find(uint32_t id) const VARVE_EXCLUDES(mu_);
  // In the order of names.
  std::vector<Ref> List() const VARVE_EXCLUDES(mu_);

  void Add(Ref state) VARVE_EXCLUDES(mu_);
  void Remove(const NamespaceState& state) VARVE_EXCLUDES(mu_);

 private:
  mutable Mutex mu_;
  std::map<std::string, Ref, std::less<>> by_name_ VARVE_GUARDED_BY(mu_);
  std::unordered_map<uint32_t, Ref> by_id_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve

#endif  // VARVE_ENGINE_NAMESPACE_TABLE_H_
