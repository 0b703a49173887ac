// Namespaces: their table, which is part of the store itself, and their making and dropping.
#include <algorithm>

#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/db_iterator.h"
#include "engine/namespace_impl.h"

namespace varve {

namespace {

const Keyspace kTable = Keyspace::Named(kStoreNamespaceId);

std::string TableKeyOf(std::string_view name) {
  return kTable.ToStored(std::string(1, kNamespaceNameTag).append(name));
}
std::string NextIdKey() { return kTable.ToStored(std::string(1, kNextNamespaceIdTag)); }

Status CheckName(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxNamespaceNameBytes) return Status::Ok();
  return Status::InvalidArgument("the name of a namespace has 1 to " +
                                 std::to_string(kMaxNamespaceNameBytes) + " bytes, not " +
                                 std::to_string(name.size()));
}

Status NoSuchNamespace(std::string_view name) {
  return Status::NotFound("there is no namespace '" + std::string(name) + "'");
}

// What `options` say replaces what `record` says.
void ApplyOptions(const NamespaceOptions& options, NamespaceRecord* record) {
  if (options.durability) record->durability = options.durability;
  if (options.compression) record->compression = options.compression;
  if (!options.default_ttl) return;
  record->default_ttl.reset();
  const int64_t millis = options.default_ttl->count();
  if (millis > 0) {
    record->default_ttl = std::chrono::milliseconds(std::min(millis, static_cast<int64_t>(kMaxDeadline)));
  }
}

constexpr uint8_t kPut = static_cast<uint8_t>(EntryKind::kValue);
constexpr uint8_t kDelete = static_cast<uint8_t>(EntryKind::kDelete);

}  // namespace

Status DbImpl::NamespaceWasDropped(const NamespaceState& state) {
  return Status::NotFound("namespace '" + state.name + "' was dropped");
}

// --- Opening the store.

bool DbImpl::HasNamespaces() {
  EpochGuard guard;
  SuperVersion* super = CurrentSuper();
  const auto has = [](const MemTableSlot& slot) {
    MemTable::Cursor cursor(slot.memtable);
    cursor.Seek(kDefaultNamespaceEnd, kMaxSequence);
    return cursor.Valid();
  };
  if (has(*super->active)) return true;
  for (const auto& slot : super->immutables) {
    if (has(*slot)) return true;
  }
  const auto& runs = super->version->runs();
  return std::any_of(runs.begin(), runs.end(), [](const auto& run) {
    return !run->slices().empty() &&
           IsBeyondDefaultNamespace(run->slices().back().meta().largest_key);
  });
}

Status DbImpl::LoadNamespaces() {
  MutexLock lock(&namespace_mu_);
  next_namespace_id_ = 1;
  if (!HasNamespaces()) return Status::Ok();
  const std::unique_ptr<DbIterator> it = NewIteratorIn(kTable, {});
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::string_view value = it->value();
    VARVE_RETURN_IF_ERROR(it->status());
    if (it->key()[0] == kNextNamespaceIdTag) {
      VARVE_ASSIGN_OR_RETURN(next_namespace_id_, DecodeNextNamespaceId(value));
    } else if (it->key()[0] == kNamespaceNameTag) {
      VARVE_ASSIGN_OR_RETURN(const NamespaceRecord record, DecodeNamespaceRecord(value));
      namespaces_.Add(std::make_shared<NamespaceState>(std::string(it->key().substr(1)), record));
    } else {
      return Status::NotSupported("the table of namespaces was written by a newer version");
    }
  }
  return it->status();
}

// --- Changing the table.

Status DbImpl::CommitNamespaceChange(std::vector<Change>* changes, NamespaceState* dropped) {
  VARVE_RETURN_IF_ERROR(CheckWritable());
  CommitScope scope;
  scope.dropped = dropped;
  return CommitPrepared(changes, {}, &scope);
}

Result<NamespaceTable::Ref> DbImpl::CreateNamespace(std::string_view name,
                                                    const NamespaceOptions& options) {
  if (next_namespace_id_ == UINT32_MAX) {
    return Status::NotSupported("the store has had 4,294,967,294 namespaces, and can have no more");
  }
  NamespaceRecord record{next_namespace_id_, {}, {}};
  ApplyOptions(options, &record);
  auto state = std::make_shared<NamespaceState>(std::string(name), record);
  const std::string name_key = TableKeyOf(name);
  const std::string value = EncodeNamespaceRecord(record);
  const std::string counter_key = NextIdKey();
  const std::string next = EncodeNextNamespaceId(record.id + 1);
  std::vector<Change> changes = {{kPut, name_key, value, 0}, {kPut, counter_key, next, 0}};
  VARVE_RETURN_IF_ERROR(CommitNamespaceChange(&changes, nullptr));
  next_namespace_id_ = record.id + 1;
  namespaces_.Add(state);
  return state;
}

Status DbImpl::SetNamespaceOptions(NamespaceState* state, const NamespaceOptions& options) {
  NamespaceRecord record = state->record();
  ApplyOptions(options, &record);
  if (record == state->record()) return Status::Ok();
  const std::string name_key = TableKeyOf(state->name);
  const std::string value = EncodeNamespaceRecord(record);
  std::vector<Change> changes = {{kPut, name_key, value, 0}};
  VARVE_RETURN_IF_ERROR(CommitNamespaceChange(&changes, nullptr));
  state->SetOptions(record);
  return Status::Ok();
}

// --- The interface.

Result<std::shared_ptr<Namespace>> DbImpl::OpenNamespace(std::string_view name,
                                                         const NamespaceOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckName(name));
  if (options.default_ttl && options.default_ttl->count() < 0) {
    return Status::InvalidArgument("default_ttl is negative");
  }
  VARVE_RETURN_IF_ERROR(namespace_status_);
  MutexLock lock(&namespace_mu_);
  NamespaceTable::Ref state = namespaces_.Find(name);
  if (state != nullptr) {
    VARVE_RETURN_IF_ERROR(SetNamespaceOptions(state.get(), options));
  } else {
    if (!options.create_if_missing || options_.read_only) return NoSuchNamespace(name);
    VARVE_ASSIGN_OR_RETURN(state, CreateNamespace(name, options));
  }
  return std::shared_ptr<Namespace>(std::make_shared<NamespaceImpl>(this, std::move(state)));
}

Status DbImpl::DropNamespace(std::string_view name) {
  VARVE_RETURN_IF_ERROR(CheckName(name));
  VARVE_RETURN_IF_ERROR(namespace_status_);
  MutexLock lock(&namespace_mu_);
  const NamespaceTable::Ref state = namespaces_.Find(name);
  if (state == nullptr) return NoSuchNamespace(name);
  const std::string begin = state->keyspace.begin();
  const std::string end = state->keyspace.end();
  const std::string name_key = TableKeyOf(name);
  std::vector<Change> changes = {{kDeleteRangeOp, begin, end, 0}, {kDelete, name_key, {}, 0}};
  VARVE_RETURN_IF_ERROR(CommitNamespaceChange(&changes, state.get()));
  SequenceNumber sequence;
  {
    CommitLockHolder commit_lock(&commit_lock_);
    sequence = state->drop_sequence;
  }
  // Release: whoever sees the number reads at a state after the drop, if at none before.
  state->dropped_at.store(sequence, std::memory_order_release);
  namespaces_.Remove(*state);
  return Status::Ok();
}

Result<std::vector<NamespaceInfo>> DbImpl::ListNamespaces() {
  VARVE_RETURN_IF_ERROR(namespace_status_);
  std::vector<NamespaceInfo> infos;
  for (const NamespaceTable::Ref& state : namespaces_.List()) {
    const NamespaceRecord record = state->record();
    infos.push_back({state->name, record.id, record.durability, record.compression, record.default_ttl});
  }
  return infos;
}

// --- Batches.

Status DbImpl::FindNamespaces(const std::vector<Change>& changes,
                              std::vector<NamespaceTable::Ref>* found, bool* has_default) const {
  std::optional<uint32_t> last;
  *has_default = false;
  for (const Change& change : changes) {
    const std::optional<uint32_t> id = NamespaceIdOf(change.key);
    *has_default |= !id;
    if (!id || id == last) continue;
    last = id;
    const auto is_it = [&](const NamespaceTable::Ref& state) { return state->id == *id; };
    if (std::any_of(found->begin(), found->end(), is_it)) continue;
    NamespaceTable::Ref state = namespaces_.Find(*id);
    if (state == nullptr) {
      return Status::NotFound("a namespace that would change (number " + std::to_string(*id) +
                              ") was dropped");
    }
    found->push_back(std::move(state));
  }
  return Status::Ok();
}

// The strongest that one of the namespaces asks for.
Durability DbImpl::DurabilityOver(const std::vector<NamespaceTable::Ref>& spaces,
                                  bool has_default) const {
  const auto rank = [](Durability durability) {
    return durability == Durability::kNone ? 0 : durability == Durability::kProcess ? 1 : 2;
  };
  Durability strongest = has_default ? options_.durability : Durability::kNone;
  for (const NamespaceTable::Ref& space : spaces) {
    const Durability wanted = space->record().durability.value_or(options_.durability);
    if (rank(wanted) > rank(strongest)) strongest = wanted;
  }
  return strongest;
}

Compression DbImpl::CompressionOf(std::string_view stored_key) const {
  const std::optional<uint32_t> id = NamespaceIdOf(stored_key);
  const NamespaceTable::Ref state = id ? namespaces_.Find(*id) : nullptr;
  if (state == nullptr) return options_.compression;
  return state->record().compression.value_or(options_.compression);
}

}  // namespace varve
