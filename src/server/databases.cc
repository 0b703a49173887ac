#include "server/databases.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "resp/number.h"
#include "server/command.h"

namespace varve::server {

namespace {
constexpr char kSlotsKey[] = "databases";
}  // namespace

Databases::Databases(Db* db, int count, int loop_count)
    : db_(db), slots_(static_cast<size_t>(count)), spaces_(static_cast<size_t>(count)) {
  for (size_t i = 0; i < slots_.size(); ++i) slots_[i] = i;
  for (int i = 0; i < loop_count; ++i) locks_.push_back(std::make_unique<Mutex>());
  spaces_[0].store(db, std::memory_order_release);
}

// "1,0,2": database 0 is slot 1. Databases that the list does not reach are where they were.
Status Databases::Load() {
  Result<std::shared_ptr<Namespace>> space =
      db_->OpenNamespace(kServerNamespace, {.create_if_missing = false});
  if (!space.ok()) return space.status().IsNotFound() ? Status::Ok() : space.status();
  const Result<std::string> list = (*space)->Get(kSlotsKey);
  if (!list.ok()) return list.status().IsNotFound() ? Status::Ok() : list.status();
  std::vector<size_t> slots;
  for (const std::string_view word : Words(*list, ',')) {
    const std::optional<int64_t> slot = resp::ParseInteger(word);
    if (!slot || *slot < 0) return Status::Corruption("the order of databases: " + *list);
    slots.push_back(static_cast<size_t>(*slot));
  }
  std::vector<size_t> sorted = slots;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != i) return Status::Corruption("the order of databases: " + *list);
  }
  if (slots.size() > slots_.size()) {
    return Status::InvalidArgument("databases have been swapped: there must be " +
                                   std::to_string(slots.size()) + " of them");
  }
  std::copy(slots.begin(), slots.end(), slots_.begin());
  return Status::Ok();
}

Result<Namespace*> Databases::Open(size_t slot, bool creates) {
  if (Namespace* space = spaces_[slot].load(std::memory_order_acquire)) return space;
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<Namespace> handle,
                         db_->OpenNamespace(NameOf(slot), {.create_if_missing = creates}));
  MutexLock lock(&mu_);
  Namespace* const space = handle.get();
  handles_.push_back(std::move(handle));
  spaces_[slot].store(space, std::memory_order_release);
  return space;
}

Result<Namespace*> Databases::Get(int index) {
  return Open(slots_[static_cast<size_t>(index)], /*creates=*/true);
}

Result<Namespace*> Databases::Find(int index) {
  Result<Namespace*> space = Open(slots_[static_cast<size_t>(index)], /*creates=*/false);
  if (!space.ok() && space.status().IsNotFound()) return nullptr;
  return space;
}

std::optional<int> Databases::IndexOf(std::string_view space_name) {
  MutexLock lock(loop_lock(0));
  for (size_t i = 0; i < slots_.size(); ++i) {
    const bool is_it = slots_[i] == 0 ? space_name.empty() : space_name == NameOf(slots_[i]);
    if (is_it) return static_cast<int>(i);
  }
  return std::nullopt;
}

Result<Namespace*> Databases::ServerSpace() {
  MutexLock lock(&mu_);
  if (server_space_ == nullptr) {
    VARVE_ASSIGN_OR_RETURN(std::shared_ptr<Namespace> handle, db_->OpenNamespace(kServerNamespace));
    server_space_ = handle.get();
    handles_.push_back(std::move(handle));
  }
  return server_space_;
}

void Databases::AwaitOtherLoops(int loop) {
  loop_lock(loop)->Unlock();
  for (const auto& lock : locks_) {
    lock->Lock();
    lock->Unlock();
  }
  loop_lock(loop)->Lock();
}

Status Databases::Swap(int loop, int a, int b) {
  VARVE_ASSIGN_OR_RETURN(Namespace* const space, ServerSpace());
  loop_lock(loop)->Unlock();
  for (const auto& lock : locks_) lock->Lock();
  std::vector<size_t> slots = slots_;
  std::swap(slots[static_cast<size_t>(a)], slots[static_cast<size_t>(b)]);
  std::string list;
  for (const size_t slot : slots) list.append(list.empty() ? "" : ",").append(std::to_string(slot));
  Status status = space->Put(kSlotsKey, list);
  if (status.ok()) slots_ = std::move(slots);
  for (const auto& lock : locks_) lock->Unlock();
  loop_lock(loop)->Lock();
  return status;
}

}  // namespace varve::server
