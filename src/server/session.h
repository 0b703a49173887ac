// Session: one connection's state, and the way of a request: parse, look up, check, queue or run.
#ifndef VARVE_SERVER_SESSION_H_
#define VARVE_SERVER_SESSION_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/handler.h"
#include "resp/reply_writer.h"
#include "resp/request_parser.h"
#include "server/call.h"
#include "server/cluster_call.h"
#include "server/clients.h"
#include "server/service.h"
#include "server/watch.h"
#include "varve/write_batch.h"

namespace varve::server {

// What the sessions of one loop share. In its thread.
struct LoopState {
  struct Set {
    std::string_view key, value;
  };

  int index = 0;
  bool has_written = false;  // since the last flush
  bool must_sync = false;    // somebody who has written asked for that
  // Of the session that has its turn: SETs that have been answered and are not written yet, and the memory of the
  // batch that they become. Empty between turns.
  std::vector<Set> sets;
  WriteBatch batch;
};

// Who has not authenticated by then is cut; and who does not read this many bytes of replies until then.
inline constexpr uint64_t kMillisToAuthenticate = 30'000;
inline constexpr size_t kMaxOutputBeforeAuth = 64 * 1024;

class Session final : public net::ConnectionHandler {
 public:
  Session(Service* service, LoopState* loop, const net::Peer& peer);
  ~Session() override;

  net::Turn OnInput(std::string_view input, std::string* output) override;
  uint64_t lifetime_millis() const override { return is_authenticated() ? 0 : kMillisToAuthenticate; }

  // --- For commands.

  Client& client() { return *client_; }
  int database() const { return database_; }
  Status SelectDatabase(int index);
  // The name of `peer` in replies and lists.
  uint64_t id() const { return client_->peer.id; }
  int loop_index() const { return loop_->index; }
  // Of its loop.
  LoopTotals& totals() { return service_->totals().loop(loop_index()); }
  void NoteWrite() {
    loop_->has_written = true;
    if (syncs_) loop_->must_sync = true;
  }
  // The log is flushed before this turn's replies are sent.
  void FlushBeforeReplies() { loop_->has_written = loop_->must_sync = true; }
  // Whether writes are answered when they survive loss of power.
  bool syncs() const { return syncs_ || service_->options().syncs; }
  void set_syncs(bool syncs) { syncs_ = syncs; }
  bool is_authenticated() const { return is_authenticated_ || !service_->acl().asks_for_password(); }
  const AclUser& user() const { return *user_; }
  // Whether the password is `password`; the session has authenticated then. If not, that is logged;
  // `object`: the word that said so.
  bool Authenticate(std::string_view user, std::string_view password, std::string_view object);
  void SetProtocol(int version, resp::ReplyWriter* reply);
  void CloseAfterReplies() { closes_ = true; }

  enum class Replies : uint8_t { kOn, kOff, kSkipNext, kSkipThis };
  void set_replies(Replies replies) { replies_ = replies; }
  void SkipNextReply() {
    if (replies_ == Replies::kOn) replies_ = Replies::kSkipNext;
  }

  // Publishing and subscribing.
  void Subscribe(Subscription kind, std::string_view name);
  void Unsubscribe(Subscription kind, std::string_view name);
  std::vector<std::string> Subscriptions(Subscription kind) const;
  // Channels and patterns count together, as replies show it.
  int64_t SubscriptionCount(Subscription kind) const;
  bool is_subscribed() const;
  void BeginMonitor();
  // Keeping copies (tracking.h). std::nullopt: it does not.
  const std::optional<TrackingOptions>& tracking() const { return tracking_; }
  // False: there is no memory for its prefixes, and nothing has changed.
  bool Track(TrackingOptions options);
  void EndTracking();
  // Of CLIENT CACHING, for the command that follows, or the transaction.
  bool is_caching_set() const { return is_caching_set_; }
  void SetCaching() { is_caching_set_ = true; }
  // Published when what the command writes is committed.
  void AddEvent(Event event) { events_.push_back(std::move(event)); }

  // MULTI and its family.
  bool is_queueing() const { return is_queueing_; }
  void BeginQueue() { is_queueing_ = true; client_->queued.store(0, std::memory_order_relaxed); }
  void DropQueue();
  Status Execute(resp::ReplyWriter* reply);
  // Lets EXEC do nothing when these have changed by then. kInvalidArgument: there is no memory for more.
  Status WatchKeys(Namespace* space, const std::vector<std::string_view>& keys);
  void Unwatch();
  void FollowCluster() { follows_cluster_ = true; }
  // As if it had just connected.
  void Reset(resp::ReplyWriter* reply);

 private:
  struct Queued {
    const Command* command;
    std::vector<std::string> args;
  };

  uint64_t NowMillis();
  void UnsubscribeAll();
  void BecomeUser(Acl::User user);
  // Looks at the user again if any has changed. False: it is no more.
  bool RenewUser();
  // Why the user may not run it, which is logged.
  std::optional<AclDenial> Deny(const Command& command, const std::vector<std::string_view>& args);
  void LogDenial(AclDenial::Reason reason, std::string_view object, std::string_view user);
  void PublishEvents();
  // If the client keeps copies of what the command reads.
  void RememberKeys(const Command& command, const std::vector<std::string_view>& args);
  bool MayRunWhileSubscribed(const Command& command) const;
  // Looks at the requests that follow, and has the store bring near what they will look at. Returns the bytes of
  // input that this was about.
  size_t BringNear(std::string_view input);
  // All requests of the input, but for the last run of SETs.
  net::Turn TakeRequests(std::string_view input, resp::ReplyWriter* reply);
  // One request. False when it must wait, and has not been executed.
  bool Handle(const std::vector<std::string_view>& args, resp::ReplyWriter* reply, net::Turn* turn);
  void Process(const Command& command, const std::vector<std::string_view>& args,
               resp::ReplyWriter* reply);
  // In a cluster (session_cluster.cc). True: this is not for the node alone, and has been refused or begun.
  bool ProcessOnCluster(const Command& command, const std::vector<std::string_view>& args, resp::ReplyWriter* reply);
  // Whether it has the reply of the request that the cluster carries out; else the turn waits for it.
  bool FinishOnCluster(const std::vector<std::string_view>& args, resp::ReplyWriter* reply, net::Turn* turn);
  void AwaitCluster(net::Turn* turn) const;
  // Runs of SETs (session_set_run.cc): whether the request may be one of a run, what makes it one, and what has to be
  // done before anything else is executed, replied, or the turn ends.
  bool JoinsSetRun(const Command& command, const std::vector<std::string_view>& args) const;
  void JoinSetRun(const Command& command, const std::vector<std::string_view>& args, resp::ReplyWriter* reply);
  void CommitSetRun(resp::ReplyWriter* reply);
  Status WriteSets(const std::vector<LoopState::Set>& sets);
  void NoteSets(const Command& command, const std::vector<LoopState::Set>& sets);
  // Begins requests of `input`, which follows on the one that waits for the cluster, as long as neither they nor their replies
  // depend on those before.
  void BeginAhead(std::string_view input);
  // False: it has to wait for its turn.
  bool BeginOneAhead(const std::vector<std::string_view>& args, size_t size);
  // The first of those that were begun ahead is now at the beginning of the input. True: it was refused, and that is its reply.
  bool TakeAhead(resp::ReplyWriter* reply);
  // Whether one of the keys of the command is of a request under way, and either of them writes it.
  bool MeetsOneUnderWay(const Command& command, const std::vector<std::string_view>& args) const;
  // Takes back the reply that began there, if the client wants none.
  void MuteReply(size_t begin, resp::ReplyWriter* reply);
  // Of a reply that begins with an error.
  void NoteError(std::string_view reply);
  // What it took since `begin`, in monotonic nanoseconds, and how it ended, for INFO, SLOWLOG and LATENCY.
  void NoteCall(const Command& command, const std::vector<std::string_view>& args, uint64_t begin,
                std::string_view reply);
  void Reject(const Command* command, std::string_view error, resp::ReplyWriter* reply);
  bool MustQueue(const Command& command) const;
  void Enqueue(const Command& command, const std::vector<std::string_view>& args, resp::ReplyWriter* reply);
  // Runs it, in `transaction` or as it needs, and replies whatever happens.
  Status Run(const Command& command, const std::vector<std::string_view>& args,
             Transaction* transaction, resp::ReplyWriter* reply);
  // kInvalidArgument when the reply is larger than a reply may be.
  Status RunCall(Call* call);
  Status RunAlone(Call* call, size_t mark);
  // The queued commands; replies their results.
  Status RunQueue(Transaction& transaction, size_t mark, resp::ReplyWriter* reply);
  Status ExecuteWatched(size_t mark, resp::ReplyWriter* reply, bool* is_touched);

  Service* const service_;
  LoopState* const loop_;
  const std::shared_ptr<Client> client_;
  resp::RequestParser parser_;
  uint64_t now_ = 0;         // milliseconds since 1970, at the beginning of the request or just before
  uint64_t now_read_at_ = 0;  // monotonic nanoseconds
  uint64_t idle_since_ = 0;  // within a turn: when the command before ended, monotonic nanoseconds
  int protocol_ = 2;
  int database_ = 0;
  Namespace* space_;  // of database_, while the lock of the loop is held
  bool is_authenticated_ = false;
  Acl::User user_;
  uint64_t user_version_ = 0;
  bool closes_ = false;
  bool syncs_ = false;
  Replies replies_ = Replies::kOn;
  bool is_queueing_ = false;
  bool is_queue_bad_ = false;
  std::vector<Queued> queue_;
  size_t queued_bytes_ = 0;
  Watch watch_;
  size_t watched_bytes_ = 0;
  std::array<std::set<std::string, std::less<>>, kSubscriptionKinds> subscriptions_;
  std::vector<Event> events_;
  std::optional<TrackingOptions> tracking_;
  size_t tracking_bytes_ = 0;
  bool is_caching_set_ = false;
  std::string error_;  // reused
  bool has_more_input_ = false;  // behind the request
  size_t set_run_mark_ = 0;      // where the replies of the run begin
  // A request behind the one at the beginning of the input. It stays in the input until its turn comes.
  struct Ahead {
    std::shared_ptr<ClusterCall> call;  // nullptr: it was refused
    std::string refusal;
    size_t size = 0;  // of the input
    bool is_write = false;
    std::vector<std::string> keys;
  };
  std::shared_ptr<ClusterCall> cluster_call_;  // of the request at the beginning of the input
  std::deque<Ahead> ahead_;
  size_t ahead_size_ = 0;       // of the input, together
  bool nothing_to_begin_ = false;  // behind them, until more input comes
  bool follows_cluster_ = false;  // has asked who has what, and so understands being sent there
};

// A transaction that meets so many conflicts in a row gives up.
inline constexpr int kMaxAttempts = 100;

// Not what has secrets in it, nor what only operates the server.
inline bool IsShownToMonitors(const Command& command) {
  return (command.flags & kFlagAdmin) == 0 && command.spec.name != "auth" && command.spec.name != "hello" &&
         command.spec.name != "exec";
}

// "ERR ..." for a failure of the store.
std::string ErrorText(const Status& status);

}  // namespace varve::server

#endif  // VARVE_SERVER_SESSION_H_
