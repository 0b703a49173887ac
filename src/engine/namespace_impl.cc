#include "engine/namespace_impl.h"

#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/db_iterator.h"
#include "engine/failed_iterator.h"

namespace varve {

namespace {

// Memory of this thread for the stored key of one call.
std::string& KeyBuffer() {
  thread_local std::string buffer;
  return buffer;
}

}  // namespace

NamespaceImpl::NamespaceImpl(DbImpl* db, std::shared_ptr<NamespaceState> state)
    : Namespace(static_cast<const Db*>(db), state->id), db_(db), state_(std::move(state)) {}

Status NamespaceImpl::CheckReadable(const Snapshot* snapshot) const {
  const SequenceNumber dropped_at = state_->dropped_at.load(std::memory_order_acquire);
  if (dropped_at == 0 || (snapshot != nullptr && snapshot->sequence() < dropped_at)) {
    return Status::Ok();
  }
  return DbImpl::NamespaceWasDropped(*state_);
}

WriteOptions NamespaceImpl::WithDefaults(const WriteOptions& options) const {
  WriteOptions complete = options;
  if (!complete.durability) complete.durability = state_->record().durability;
  return complete;
}

Status NamespaceImpl::Put(std::string_view key, std::string_view value,
                          const WriteOptions& options) {
  const std::string_view stored = state_->keyspace.ToStored(key, &KeyBuffer());
  return db_->WriteOne({static_cast<uint8_t>(EntryKind::kValue), stored, value, 0},
                       WithDefaults(options), state_.get());
}

Status NamespaceImpl::Delete(std::string_view key, const WriteOptions& options) {
  const std::string_view stored = state_->keyspace.ToStored(key, &KeyBuffer());
  return db_->WriteOne({static_cast<uint8_t>(EntryKind::kDelete), stored, {}, 0},
                       WithDefaults(options), state_.get());
}

Status NamespaceImpl::DeleteRange(std::string_view begin, std::string_view end,
                                  const WriteOptions& options) {
  return db_->WriteOne({kDeleteRangeOp, state_->keyspace.ToStored(begin, &KeyBuffer()),
                        state_->keyspace.ToStored(end), 0},
                       WithDefaults(options), state_.get());
}

Status NamespaceImpl::Clear(const WriteOptions& options) {
  const std::string begin = state_->keyspace.begin();
  const std::string end = state_->keyspace.end();
  return db_->WriteOne({kDeleteRangeOp, begin, end, 0}, WithDefaults(options), state_.get());
}

Status NamespaceImpl::ReadModifyWrite(std::string_view key, const Modifier& modify,
                                      const WriteOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckReadable(nullptr));
  // Not the thread's buffer: the operation holds the key for long.
  std::string buffer;
  return db_->ModifyStored(state_->keyspace.ToStored(key, &buffer), modify, WithDefaults(options),
                           state_.get());
}

Result<std::optional<std::chrono::milliseconds>> NamespaceImpl::TimeToLive(
    std::string_view key, const ReadOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckReadable(options.snapshot));
  return db_->TimeToLiveStored(state_->keyspace.ToStored(key, &KeyBuffer()), options);
}

Status NamespaceImpl::Get(std::string_view key, std::string* value, const ReadOptions& options) {
  Status status = CheckReadable(options.snapshot);
  if (status.ok()) {
    return db_->GetStored(state_->keyspace.ToStored(key, &KeyBuffer()), value, options);
  }
  value->clear();
  return status;
}

Result<std::string> NamespaceImpl::Get(std::string_view key, const ReadOptions& options) {
  std::string value;
  VARVE_RETURN_IF_ERROR(Get(key, &value, options));
  return value;
}

Result<PinnedValue> NamespaceImpl::GetPinned(std::string_view key, const ReadOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckReadable(options.snapshot));
  return db_->GetPinnedStored(state_->keyspace.ToStored(key, &KeyBuffer()), options);
}

Result<Explanation> NamespaceImpl::Explain(std::string_view key, const ReadOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckReadable(options.snapshot));
  return db_->ExplainStored(state_->keyspace.ToStored(key, &KeyBuffer()), options);
}

std::vector<Result<std::string>> NamespaceImpl::MultiGet(const std::vector<std::string_view>& keys,
                                                         const ReadOptions& options) {
  if (Status status = CheckReadable(options.snapshot); !status.ok()) {
    return std::vector<Result<std::string>>(keys.size(), status);
  }
  std::vector<std::string> stored;
  stored.reserve(keys.size());
  for (std::string_view key : keys) stored.push_back(state_->keyspace.ToStored(key));
  return db_->MultiGetStored({stored.begin(), stored.end()}, options);
}

void NamespaceImpl::Prefetch(std::span<const std::string_view> keys, Access access) {
  db_->PrefetchIn(state_->keyspace, keys, access);
}

Async<Result<std::string>> NamespaceImpl::GetAsync(std::string_view key, const ReadOptions& options,
                                                   std::stop_token stop) {
  if (Status status = CheckReadable(options.snapshot); !status.ok()) {
    return Async<Result<std::string>>::Ready(std::move(status));
  }
  return db_->GetStoredAsync(state_->keyspace.ToStored(key, &KeyBuffer()), options, std::move(stop));
}

Async<std::vector<Result<std::string>>> NamespaceImpl::MultiGetAsync(
    const std::vector<std::string_view>& keys, const ReadOptions& options, std::stop_token stop) {
  using Values = std::vector<Result<std::string>>;
  if (Status status = CheckReadable(options.snapshot); !status.ok()) {
    return Async<Values>::Ready(Values(keys.size(), status));
  }
  std::vector<std::string> stored;
  stored.reserve(keys.size());
  for (std::string_view key : keys) stored.push_back(state_->keyspace.ToStored(key));
  return db_->MultiGetStoredAsync({stored.begin(), stored.end()}, options, std::move(stop));
}

Async<Status> NamespaceImpl::PutAsync(std::string_view key, std::string_view value,
                                      const WriteOptions& options, std::stop_token stop) {
  const std::string_view stored = state_->keyspace.ToStored(key, &KeyBuffer());
  return db_->WriteOneAsync({static_cast<uint8_t>(EntryKind::kValue), stored, value, 0},
                            WithDefaults(options), state_.get(), stop);
}

Async<Status> NamespaceImpl::DeleteAsync(std::string_view key, const WriteOptions& options,
                                         std::stop_token stop) {
  const std::string_view stored = state_->keyspace.ToStored(key, &KeyBuffer());
  return db_->WriteOneAsync({static_cast<uint8_t>(EntryKind::kDelete), stored, {}, 0},
                            WithDefaults(options), state_.get(), stop);
}

std::unique_ptr<Iterator> NamespaceImpl::NewIterator(const IteratorOptions& options) {
  if (Status status = CheckReadable(options.snapshot); !status.ok()) {
    return std::make_unique<FailedIterator>(std::move(status));
  }
  return db_->NewIteratorIn(state_->keyspace, options);
}

}  // namespace varve
