// RemoteKeys: the operations on keys of varve/namespace.h over a RemoteSpace. Base is Db or Namespace.
#ifndef VARVE_CLIENT_REMOTE_KEYS_H_
#define VARVE_CLIENT_REMOTE_KEYS_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "client/remote_iterator.h"
#include "client/remote_space.h"
#include "varve/namespace.h"

namespace varve::client {

// What a server has no command for.
inline Status NotRemote(std::string_view what) {
  return Status::NotSupported("a server cannot be asked for " + std::string(what) +
                              "; it works on a store's directory");
}

template <typename Base>
class RemoteKeys : public Base {
 public:
  template <typename... Args>
  explicit RemoteKeys(RemoteSpace space, Args... args) : Base(args...), space_(space) {}

  const RemoteSpace& space() const { return space_; }

  Status Put(std::string_view key, std::string_view value, const WriteOptions& options) override {
    return space_.Put(key, value, options);
  }
  Status Delete(std::string_view key, const WriteOptions& options) override {
    return space_.Delete(key, options);
  }
  Status DeleteRange(std::string_view begin, std::string_view end, const WriteOptions& options) override {
    return space_.DeleteRange(begin, end, options);
  }
  Status Clear(const WriteOptions& options) override { return space_.Clear(options); }
  Result<std::optional<std::chrono::milliseconds>> TimeToLive(std::string_view key,
                                                              const ReadOptions&) override {
    return space_.TimeToLive(key);
  }
  Result<std::string> Get(std::string_view key, const ReadOptions&) override {
    return space_.Get(key);
  }
  Status Get(std::string_view key, std::string* value, const ReadOptions&) override {
    Result<std::string> got = space_.Get(key);
    *value = got.ok() ? *std::move(got) : std::string();
    return got.status();
  }
  Result<PinnedValue> GetPinned(std::string_view key, const ReadOptions&) override {
    VARVE_ASSIGN_OR_RETURN(std::string value, space_.Get(key));
    auto owner = std::make_unique<std::string>(std::move(value));
    const std::string_view view = *owner;
    return PinnedValue(view, owner.release(),
                       [](void* string) { delete static_cast<std::string*>(string); });
  }
  std::vector<Result<std::string>> MultiGet(const std::vector<std::string_view>& keys,
                                            const ReadOptions&) override {
    std::vector<Result<std::string>> results;
    auto values = space_.GetMany(keys);
    for (size_t i = 0; i < keys.size(); ++i) {
      if (!values.ok()) {
        results.emplace_back(values.status());
      } else if ((*values)[i]) {
        results.emplace_back(*std::move((*values)[i]));
      } else {
        results.emplace_back(Status::NotFound());
      }
    }
    return results;
  }
  std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options) override {
    return std::make_unique<RemoteIterator>(space_, options);
  }

 protected:
  using Modification = typename Base::Modification;
  using Modifier = typename Base::Modifier;

  // WATCH, GET, MULTI, the change, EXEC; again when somebody else was faster.
  Status ReadModifyWrite(std::string_view key, const Modifier& modify,
                         const WriteOptions& options) override {
    constexpr int kMostAttempts = 1000;
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
      VARVE_RETURN_IF_ERROR(space_.Call({"WATCH", key}).status());
      const Result<std::string> current = space_.Get(key);
      if (!current.ok() && !current.status().IsNotFound()) return current.status();
      const Result<Modification> change =
          modify(current.ok() ? std::optional<std::string_view>(*current) : std::nullopt);
      if (!change.ok() || change->kind == Modification::Kind::kNothing) {
        VARVE_RETURN_IF_ERROR(space_.Call({"UNWATCH"}).status());
        return change.status();
      }
      const Result<bool> done = Commit(key, *change, current.ok(), options);
      if (!done.ok()) return done.status();
      if (*done) return Status::Ok();
    }
    return Status::Conflict("others have always changed the key meanwhile");
  }

 private:
  // False: somebody else has changed the key since WATCH.
  Result<bool> Commit(std::string_view key, const Modification& change, bool is_present,
                      const WriteOptions& options) {
    RequestList list;
    list.Add({"MULTI"});
    const bool is_kept = change.deadline == Modification::Deadline::kKept && is_present;
    const std::optional<Expiry> expiry =
        change.deadline == Modification::Deadline::kNone ? std::nullopt
                                                         : ExpiryOf(options, *space_.connection()->clock);
    if (change.kind == Modification::Kind::kDelete) {
      list.Delete(key);
    } else if (change.kind == Modification::Kind::kKeepValue) {
      list.Expire(key, expiry);
    } else if (is_kept && !expiry) {
      list.Add({"SET", key, change.value, "KEEPTTL"});
    } else {
      list.Put(key, change.value, expiry);
    }
    list.Add({"EXEC"});
    return space_.ApplyTransaction(list.requests(), options);
  }

  RemoteSpace space_;
};

}  // namespace varve::client

#endif  // VARVE_CLIENT_REMOTE_KEYS_H_
