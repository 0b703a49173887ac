#include "server/session.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "resp/request_peek.h"

namespace varve::server {

namespace {

// Replies of one turn, and its time, before others get theirs.
constexpr size_t kTurnBytes = 1 << 20;
constexpr uint64_t kTurnNanos = 500'000;
// Requests of a pipeline whose keys are brought near together.
constexpr size_t kNearRequests = 16;
constexpr uint64_t kMaxAgeNanos = 20'000;
// Browsers that are made to speak to this port send these; no client does.
bool IsHttp(const std::vector<std::string_view>& args, bool is_inline) {
  if (EqualsIgnoreCase(args[0], "post") || EqualsIgnoreCase(args[0], "host:")) return true;
  return is_inline && args.size() == 3 && args[2].starts_with("HTTP/");
}

std::string DenialText(AclDenial::Reason reason, const Command& command) {
  const std::string text = "NOPERM this user has no permissions to ";
  switch (reason) {
    case AclDenial::Reason::kKey: return text + "access one of the keys used as arguments";
    case AclDenial::Reason::kChannel: return text + "access one of the channels used as arguments";
    default: return text + "run the '" + command.full_name + "' command";
  }
}

}  // namespace

std::string ErrorText(const Status& status) {
  switch (status.code()) {
    case StatusCode::kIoError:
    case StatusCode::kCorruption:
    case StatusCode::kUnavailable: return "MISCONF " + status.ToString();
    case StatusCode::kConflict: return "TRYAGAIN too many others write the same keys";
    default: return "ERR " + std::string(status.message().empty() ? StatusCodeName(status.code())
                                                                  : status.message());
  }
}

Session::Session(Service* service, LoopState* loop, const net::Peer& peer)
    : service_(service),
      loop_(loop),
      client_(std::make_shared<Client>()),
      parser_({.max_bulk_bytes = service->max_bulk_bytes()}),
      space_(service->db()),
      is_authenticated_(!service->acl().asks_for_password()),
      user_(service->acl().Find("default")) {
  client_->peer = peer;
  client_->connected_at = service->NowMillis();
  client_->active_at.store(client_->connected_at, std::memory_order_relaxed);
  service_->clients().Add(client_);
}

Session::~Session() {
  DropQueue();
  UnsubscribeAll();
  EndTracking();
  service_->clients().Remove(id());
}

// --- The way of a request.

net::Turn Session::OnInput(std::string_view input, std::string* output) {
  resp::ReplyWriter reply(output, protocol_, service_->max_reply_bytes());
  MutexLock lock(service_->databases().loop_lock(loop_index()));
  idle_since_ = service_->NowNanos();
  now_read_at_ = 0;
  const net::Turn turn = TakeRequests(input, &reply);
  CommitSetRun(&reply);
  return turn;
}

net::Turn Session::TakeRequests(std::string_view input, resp::ReplyWriter* reply) {
  net::Turn turn;
  const size_t begin = reply->size();
  const uint64_t begun = idle_since_;
  for (size_t near = 0;;) {
    if (client_->is_killed.load(std::memory_order_relaxed)) {
      turn.next = net::Turn::Next::kCloseAfterReplies;
      return turn;
    }
    const bool is_long = idle_since_ - begun > kTurnNanos && turn.consumed < input.size() &&
                         !VARVE_PLANTED_BUG("server.turns_take_any_time");
    if (is_long || reply->size() - begin > kTurnBytes) {
      turn.next = net::Turn::Next::kMore;
      return turn;
    }
    if (reply->size() > kMaxOutputBeforeAuth && !is_authenticated() &&
        !VARVE_PLANTED_BUG("server.strangers_get_much")) {
      turn.next = net::Turn::Next::kClose;
      return turn;
    }
    if (turn.consumed >= near) near = turn.consumed + BringNear(input.substr(turn.consumed));
    const auto outcome = parser_.Parse(input.substr(turn.consumed), is_authenticated());
    if (outcome == resp::RequestParser::Outcome::kError) {
      CommitSetRun(reply);
      reply->Error("ERR " + std::string(parser_.error()));
      turn.consumed = input.size();
      turn.next = net::Turn::Next::kCloseAfterReplies;
      return turn;
    }
    if (outcome == resp::RequestParser::Outcome::kNeedMore) {
      turn.consumed += parser_.consumed();
      turn.wanted = parser_.wanted();
      return turn;
    }
    has_more_input_ = input.size() - turn.consumed > parser_.consumed();
    if (!Handle(parser_.args(), reply, &turn)) {
      if (cluster_call_ != nullptr) BeginAhead(input.substr(turn.consumed + parser_.consumed()));
      return turn;
    }
    turn.consumed += parser_.consumed();
    if (closes_) {
      turn.next = net::Turn::Next::kCloseAfterReplies;
      return turn;
    }
  }
}

size_t Session::BringNear(std::string_view input) {
  using Access = Namespace::Access;
  std::array<resp::PeekedRequest, kNearRequests> requests;
  size_t size = 0;
  const size_t count = is_queueing_ || !is_authenticated() ? 0 : resp::PeekRequests(input, requests, &size);
  if (count < 2) return size + 1;
  std::array<std::string_view, kNearRequests> keys;
  const auto bring = [&](std::string_view name, Access access) {
    size_t found = 0;
    for (size_t i = 0; i < count; ++i) {
      if (EqualsIgnoreCase(requests[i].name, name)) keys[found++] = requests[i].argument;
    }
    if (found > 1) space_->Prefetch({keys.data(), found}, access);
  };
  bring("get", Access::kRead);
  bring("set", Access::kWrite);
  return size;
}

// The time of day is not read for every request of a pipeline: it may be a little behind.
uint64_t Session::NowMillis() {
  const bool is_old = idle_since_ - now_read_at_ > kMaxAgeNanos;
  if (now_read_at_ == 0 || is_old) {
    now_read_at_ = idle_since_;
    now_ = service_->NowMillis();
  }
  return now_;
}

bool Session::Handle(const std::vector<std::string_view>& args, resp::ReplyWriter* reply, net::Turn* turn) {
  if (IsHttp(args, parser_.is_inline())) {
    turn->next = net::Turn::Next::kClose;
    return false;
  }
  const size_t answered = reply->size();
  if (cluster_call_ == nullptr && !ahead_.empty() && TakeAhead(reply)) {
    MuteReply(answered, reply);
    return true;
  }
  if (cluster_call_ != nullptr) {
    if (!FinishOnCluster(args, reply, turn)) return false;
    MuteReply(answered, reply);
    return true;
  }
  const uint64_t now = NowMillis();
  client_->active_at.store(now, std::memory_order_relaxed);
  const Command* const command = FindCommand(args, &error_);
  const bool is_write = command != nullptr && ((command->flags & kFlagWrite) != 0 ||
                                               command->full_name == "exec");
  if (const uint64_t left = service_->PauseLeft(is_write, now); left > 0 && is_authenticated()) {
    turn->next = net::Turn::Next::kWait;
    turn->wait_millis = left;
    return false;
  }
  if (command != nullptr && JoinsSetRun(*command, args)) {
    JoinSetRun(*command, args, reply);
    return true;
  }
  if (!VARVE_PLANTED_BUG("server.runs_of_sets_wait_for_the_end")) CommitSetRun(reply);
  const size_t begin = reply->size();
  if (command == nullptr) {
    Reject(nullptr, error_, reply);
  } else {
    Process(*command, args, reply);
  }
  const bool is_client = command != nullptr && command->full_name.starts_with("client|");
  if (!is_queueing_ && !is_client) is_caching_set_ = false;
  if (cluster_call_ != nullptr) {
    AwaitCluster(turn);
    return false;
  }
  MuteReply(begin, reply);
  return true;
}

void Session::MuteReply(size_t begin, resp::ReplyWriter* reply) {
  if (replies_ == Replies::kOn) return;
  reply->Truncate(begin);
  if (replies_ == Replies::kSkipThis) replies_ = Replies::kOn;
  if (replies_ == Replies::kSkipNext) replies_ = Replies::kSkipThis;
}

// A command that is not even queued spoils the transaction. An EXEC that is refused ends it.
void Session::Reject(const Command* command, std::string_view error, resp::ReplyWriter* reply) {
  if (command != nullptr) service_->command_stats().loop(loop_index()).NoteRejected(*command);
  if (command != nullptr && command->full_name == "exec") {
    DropQueue();
    if (error.starts_with("ERR ")) error.remove_prefix(4);
    NoteError("-EXECABORT");
    return reply->Error("EXECABORT Transaction discarded because of: " + std::string(error));
  }
  if (is_queueing_) is_queue_bad_ = true;
  const size_t mark = reply->size();
  reply->Error(error);
  NoteError(reply->Since(mark));
}

void Session::NoteError(std::string_view reply) {
  totals().NoteError();
  service_->command_stats().NoteError(reply.substr(1));
  if (reply.starts_with("-MISCONF ")) service_->NoteStoreFailure(reply.substr(1, reply.find('\r') - 1));
}

void Session::NoteCall(const Command& command, const std::vector<std::string_view>& args,
                       uint64_t begin, std::string_view reply) {
  idle_since_ = service_->NowNanos();
  const uint64_t nanos = idle_since_ - begin;
  const bool failed = reply.starts_with('-');
  if (failed) NoteError(reply);
  service_->command_stats().loop(loop_index()).NoteCall(command, nanos, failed);
  service_->latency().Note((command.flags & kFlagFast) != 0 ? "fast-command" : "command", nanos, now_);
  if (service_->slowlog().IsSlow(nanos) && (command.flags & kFlagSkipSlowlog) == 0) {
    service_->slowlog().Add(*client_, args, now_, nanos);
  }
}

bool Session::MustQueue(const Command& command) const {
  if (!is_queueing_) return false;
  for (const std::string_view name : {"exec", "discard", "multi", "watch", "quit", "reset"}) {
    if (command.full_name == name) return false;
  }
  return true;
}

void Session::Process(const Command& command, const std::vector<std::string_view>& args,
                      resp::ReplyWriter* reply) {
  client_->last_command.store(&command, std::memory_order_relaxed);
  if (!command.IsArity(args.size())) {
    return Reject(&command, "ERR wrong number of arguments for '" + command.full_name + "' command", reply);
  }
  if (!is_authenticated() && (command.flags & kFlagNoAuth) == 0 &&
      !VARVE_PLANTED_BUG("server.password_not_asked")) {
    return Reject(&command, "NOAUTH Authentication required.", reply);
  }
  if (is_queueing_ && (command.flags & kFlagNoMulti) != 0) {
    return Reject(&command, "ERR Command not allowed inside a transaction", reply);
  }
  if (!RenewUser()) {
    closes_ = true;
    return;
  }
  if (!user_->allows_everything()) {
    if (const auto denial = Deny(command, args)) {
      return Reject(&command, DenialText(denial->reason, command), reply);
    }
  }
  if (protocol_ == 2 && is_subscribed() && !MayRunWhileSubscribed(command)) {
    return Reject(&command, "ERR Can't execute '" + command.full_name +
                                "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                                "allowed in this context", reply);
  }
  if (MustQueue(command)) return Enqueue(command, args, reply);
  totals().NoteCommand();
  if (!service_->monitors().empty() && IsShownToMonitors(command)) {
    service_->monitors().Feed(*client_, args, now_);
  }
  const size_t mark = reply->Begin();
  const uint64_t begin = idle_since_;
  if (service_->cluster() != nullptr && ProcessOnCluster(command, args, reply)) return;
  if (tracking_) RememberKeys(command, args);
  const Status status = Run(command, args, nullptr, reply);
  if (VARVE_PLANTED_BUG("pubsub.tells_of_what_failed")) PublishEvents();
  if (status.ok()) {
    PublishEvents();
  } else {
    events_.clear();
    reply->Truncate(mark);
    reply->Error(ErrorText(status));
  }
  NoteCall(command, args, begin, reply->Since(mark));
}

void Session::Enqueue(const Command& command, const std::vector<std::string_view>& args,
                      resp::ReplyWriter* reply) {
  size_t bytes = sizeof(Queued);
  for (const std::string_view arg : args) bytes += sizeof(std::string) + arg.size();
  if (!service_->Keep(bytes)) {
    return Reject(&command, "ERR there is no memory for more queued commands", reply);
  }
  queued_bytes_ += bytes;
  queue_.push_back({&command, {args.begin(), args.end()}});
  client_->queued.store(static_cast<int>(queue_.size()), std::memory_order_relaxed);
  reply->Simple("QUEUED");
}

Status Session::Run(const Command& command, const std::vector<std::string_view>& args,
                    Transaction* transaction, resp::ReplyWriter* reply) {
  VARVE_ASSIGN_OR_RETURN(space_, service_->databases().Get(database_));
  Call call(command, args, *reply, *this, *service_, space_);
  call.now = now_;
  call.transaction = transaction;
  return transaction != nullptr ? RunCall(&call) : RunAlone(&call, reply->size());
}

Status Session::RunCall(Call* call) {
  VARVE_RETURN_IF_ERROR(call->command.spec.run(*call));
  return call->reply.is_full() && !VARVE_PLANTED_BUG("server.large_replies_cut_short") ? call->TooLarge() : Status::Ok();
}

Status Session::RunAlone(Call* call, size_t mark) {
  const Command& command = call->command;
  if (!command.spec.is_transaction) {
    VARVE_RETURN_IF_ERROR(RunCall(call));
    if (!call->wants_transaction) return Status::Ok();
  }
  TransactionOptions options;
  options.read_only = (command.flags & kFlagReadonly) != 0;
  options.max_attempts = kMaxAttempts;
  options.write.durability = service_->write_durability();
  return service_->db()->Transact(
      [&](Transaction& transaction) {
        call->reply.Truncate(mark);
        events_.clear();
        call->transaction = &transaction;
        return RunCall(call);
      },
      options);
}

}  // namespace varve::server
