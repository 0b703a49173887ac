#include "server/watch.h"

#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve::server {

namespace {

constexpr char kMarkKey[] = "exec";

Result<bool> IsPresent(Transaction* transaction, Namespace& space, std::string_view key) {
  const Result<PinnedValue> value = transaction->GetPinned(space, key);
  if (value.ok()) return true;
  if (value.status().IsNotFound()) return false;
  return value.status();
}

}  // namespace

Status Watch::Add(Db* db, Namespace* space, const std::vector<std::string_view>& keys) {
  Seen seen{db->Begin(), {}};
  for (const std::string_view key : keys) {
    if (!watched_.emplace(space, key).second || (VARVE_PLANTED_BUG("watch.second_watch_ignored") && !seen_.empty())) continue;
    VARVE_ASSIGN_OR_RETURN(const bool is_present, IsPresent(seen.transaction.get(), *space, key));
    seen.keys.push_back({space, std::string(key), is_present});
  }
  if (!seen.keys.empty()) seen_.push_back(std::move(seen));
  return Status::Ok();
}

Result<bool> Watch::Renew(Db* db, Namespace* mark, Transaction* transaction) {
  std::vector<Seen> renewed;
  bool is_same = true;
  for (Seen& seen : seen_) {
    Seen next{db->Begin(), std::move(seen.keys)};
    for (const Key& key : next.keys) {
      VARVE_RETURN_IF_ERROR(IsPresent(next.transaction.get(), *key.space, key.key).status());
      VARVE_ASSIGN_OR_RETURN(const bool is_present, IsPresent(transaction, *key.space, key.key));
      // One that has expired changes without being written.
      is_same = is_same && (is_present == key.was_present || VARVE_PLANTED_BUG("watch.expiry_unseen"));
    }
    VARVE_RETURN_IF_ERROR(seen.transaction->Put(*mark, kMarkKey, {}));
    const Status status = seen.transaction->Commit();
    if (status.code() == StatusCode::kConflict && !VARVE_PLANTED_BUG("server.watch_not_checked")) {
      is_same = false;
    } else if (!status.ok() && status.code() != StatusCode::kConflict) {
      return status;
    }
    renewed.push_back(std::move(next));
  }
  seen_ = std::move(renewed);
  return is_same;
}

}  // namespace varve::server
