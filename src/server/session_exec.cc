// EXEC: the queue of a session as one transaction.
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "server/session.h"

namespace varve::server {

namespace {

// What a watched key takes besides its bytes, and a transaction that watches.
constexpr size_t kWatchBytes = 256;

// Of a command that was queued when it was allowed.
std::string ExecDenialText(AclDenial::Reason reason) {
  const std::string text =
      "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This "
      "command is no longer allowed for the following reason: ";
  switch (reason) {
    case AclDenial::Reason::kKey: return text + "no permission to touch the specified keys";
    case AclDenial::Reason::kChannel:
      return text + "no permission to access one of the channels used as arguments";
    default: return text + "no permission to execute the command or subcommand";
  }
}

}  // namespace

Status Session::RunQueue(Transaction& transaction, size_t mark, resp::ReplyWriter* reply) {
  reply->Truncate(mark);
  events_.clear();
  reply->Array(queue_.size());
  std::vector<std::string_view> args;
  for (const Queued& queued : queue_) {
    args.assign(queued.args.begin(), queued.args.end());
    if (!RenewUser()) closes_ = true;
    if (const auto denial = Deny(*queued.command, args); denial && !VARVE_PLANTED_BUG("acl.queue_not_checked")) {
      service_->command_stats().loop(loop_index()).NoteRejected(*queued.command);
      const size_t denied_at = reply->size();
      reply->Error(ExecDenialText(denial->reason));
      NoteError(reply->Since(denied_at));
      continue;
    }
    totals().NoteCommand();
    if (tracking_) RememberKeys(*queued.command, args);
    const size_t begin = reply->size();
    Transaction* const run_in = VARVE_PLANTED_BUG("server.exec_is_no_transaction") ? nullptr : &transaction;
    VARVE_RETURN_IF_ERROR(Run(*queued.command, args, run_in, reply));
    NoteCall(*queued.command, args, idle_since_, reply->Since(begin));
  }
  return Status::Ok();
}

Status Session::Execute(resp::ReplyWriter* reply) {
  const size_t mark = reply->size();
  if (is_queue_bad_) {
    DropQueue();
    reply->Error("EXECABORT Transaction discarded because of previous errors.");
    return Status::Ok();
  }
  // What commands change in the session is undone before another attempt.
  const int database = database_;
  const int protocol = protocol_;
  is_queueing_ = false;
  if (!service_->monitors().empty()) {
    for (const Queued& queued : queue_) {
      if (!IsShownToMonitors(*queued.command)) continue;
      service_->monitors().Feed(*client_, {queued.args.begin(), queued.args.end()}, now_);
    }
  }
  bool is_touched = false;
  Status status;
  if (watch_.empty()) {
    TransactionOptions options;
    options.max_attempts = kMaxAttempts;
    options.write.durability = service_->write_durability();
    status = service_->db()->Transact(
        [&](Transaction& transaction) -> Status {
          VARVE_RETURN_IF_ERROR(SelectDatabase(database));
          SetProtocol(protocol, reply);
          return RunQueue(transaction, mark, reply);
        },
        options);
  } else {
    status = Status(StatusCode::kConflict);
    for (int i = 0; i < kMaxAttempts && status.code() == StatusCode::kConflict; ++i) {
      VARVE_RETURN_IF_ERROR(SelectDatabase(database));
      SetProtocol(protocol, reply);
      status = ExecuteWatched(mark, reply, &is_touched);
    }
  }
  DropQueue();
  if (is_touched && !VARVE_PLANTED_BUG("pubsub.tells_of_what_was_refused")) events_.clear();
  if (!is_touched) return status;
  reply->Truncate(mark);
  reply->NullArray();
  return Status::Ok();
}

Status Session::WatchKeys(Namespace* space, const std::vector<std::string_view>& keys) {
  size_t bytes = kWatchBytes;
  for (const std::string_view key : keys) bytes += kWatchBytes + key.size();
  if (!service_->Keep(bytes)) return Status::InvalidArgument("there is no memory for more watched keys");
  watched_bytes_ += bytes;
  VARVE_RETURN_IF_ERROR(watch_.Add(service_->db(), space, keys));
  client_->watches.store(true, std::memory_order_relaxed);
  return Status::Ok();
}

void Session::Unwatch() {
  watch_.Clear();
  service_->Release(std::exchange(watched_bytes_, 0));
  client_->watches.store(false, std::memory_order_relaxed);
}

// One attempt. kConflict: others were faster, perhaps with keys that are not watched.
Status Session::ExecuteWatched(size_t mark, resp::ReplyWriter* reply, bool* is_touched) {
  VARVE_ASSIGN_OR_RETURN(Namespace* const space, service_->databases().ServerSpace());
  TransactionOptions options;
  options.write.durability = service_->write_durability();
  const std::unique_ptr<Transaction> transaction = service_->db()->Begin(options);
  VARVE_ASSIGN_OR_RETURN(const bool is_same,
                         watch_.Renew(service_->db(), space, transaction.get()));
  if (!is_same) {
    *is_touched = true;
    return Status::Ok();
  }
  VARVE_RETURN_IF_ERROR(RunQueue(*transaction, mark, reply));
  return transaction->Commit();
}

}  // namespace varve::server
