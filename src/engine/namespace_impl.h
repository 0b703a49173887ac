// NamespaceImpl: a handle on a named namespace. It maps keys to stored keys and leaves the rest to DbImpl.
#ifndef VARVE_ENGINE_NAMESPACE_IMPL_H_
#define VARVE_ENGINE_NAMESPACE_IMPL_H_

#include <memory>
#include <string>
#include <vector>

#include "engine/namespace_table.h"
#include "varve/namespace.h"

namespace varve {

class DbImpl;

// Thread-safe. Borrows the store.
class NamespaceImpl final : public Namespace {
 public:
  NamespaceImpl(DbImpl* db, std::shared_ptr<NamespaceState> state);

  std::string_view name() const override { return state_->name; }

  Status Put(std::string_view key, std::string_view value, const WriteOptions& options) override;
  Status Delete(std::string_view key, const WriteOptions& options) override;
  Status DeleteRange(std::string_view begin, std::string_view end,
                     const WriteOptions& options) override;
  Status Clear(const WriteOptions& options) override;

  Result<std::optional<std::chrono::milliseconds>> TimeToLive(std::string_view key,
                                                              const ReadOptions& options) override;
  Result<std::string> Get(std::string_view key, const ReadOptions& options) override;
  Status Get(std::string_view key, std::string* value, const ReadOptions& options) override;
  Result<PinnedValue> GetPinned(std::string_view key, const ReadOptions& options) override;
  Result<Explanation> Explain(std::string_view key, const ReadOptions& options) override;
  std::vector<Result<std::string>> MultiGet(const std::vector<std::string_view>& keys,
                                            const ReadOptions& options) override;
  void Prefetch(std::span<const std::string_view> keys, Access access) override;
  Async<Result<std::string>> GetAsync(std::string_view key, const ReadOptions& options,
                                      std::stop_token stop) override;
  Async<std::vector<Result<std::string>>> MultiGetAsync(const std::vector<std::string_view>& keys,
                                                        const ReadOptions& options,
                                                        std::stop_token stop) override;
  Async<Status> PutAsync(std::string_view key, std::string_view value, const WriteOptions& options,
                         std::stop_token stop) override;
  Async<Status> DeleteAsync(std::string_view key, const WriteOptions& options,
                            std::stop_token stop) override;
  std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options) override;

  // For the engine.
  const Keyspace& keyspace() const { return state_->keyspace; }
  // kNotFound when it was dropped before `snapshot`; nullptr: before now.
  Status CheckReadable(const Snapshot* snapshot) const;

 protected:
  Status ReadModifyWrite(std::string_view key, const Modifier& modify,
                         const WriteOptions& options) override;

 private:
  // `options`, with the defaults of the namespace where nothing is said.
  WriteOptions WithDefaults(const WriteOptions& options) const;

  DbImpl* const db_;
  const std::shared_ptr<NamespaceState> state_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_NAMESPACE_IMPL_H_
