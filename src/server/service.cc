#include "server/service.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "server/session.h"

namespace varve::server {

namespace {

constexpr char kUsersKey[] = "users";
// Written to see whether a store that has failed takes writes again.
constexpr char kProbeKey[] = "probe";
constexpr uint64_t kFailureNanos = 5 * kNanosPerSecond;

// 40 hexadecimal digits, as clients expect of a run id.
std::string MakeRunId(Env* env) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  while (id.size() < 40) {
    uint64_t bits = env->RandomSeed();
    for (int i = 0; i < 16 && id.size() < 40; ++i, bits >>= 4) id.push_back(kDigits[bits & 15]);
  }
  return id;
}

// Of who may not come: whatever it asks for is answered once, with what can be done about it.
class Denied final : public net::ConnectionHandler {
 public:
  net::Turn OnInput(std::string_view input, std::string* output) override {
    output->append(
        "-DENIED varve runs in protected mode: no password is set, and connections are taken from this machine alone. "
        "From there, set one with CONFIG SET requirepass or ACL SETUSER; or start the server with --requirepass, or, if "
        "everybody may use it, with --unprotected.\r\n");
    return {.consumed = input.size(), .next = net::Turn::Next::kCloseAfterReplies};
  }
  uint64_t lifetime_millis() const override { return kMillisToAuthenticate; }
};

class Loop final : public net::LoopHandler {
 public:
  Loop(Service* service, int index) : service_(service), state_{.index = index} {}
  std::unique_ptr<net::ConnectionHandler> OnConnect(const net::Peer& peer) override {
    const auto& admits = service_->options().admits_without_password;
    if (admits && !service_->acl().asks_for_password() && !admits(peer) &&
        !VARVE_PLANTED_BUG("server.protects_at_start_only")) {
      return std::make_unique<Denied>();
    }
    return std::make_unique<Session>(service_, &state_, peer);
  }
  bool BeforeSend() override {
    if (!MustSync()) return true;
    const uint64_t begin = service_->NowNanos();
    const bool is_synced = service_->db()->Sync().ok();
    NoteSync(begin);
    return is_synced;
  }
  bool SendsInParts() const override { return !state_.must_sync && !service_->options().syncs; }
  bool BeginBeforeSend(std::function<void(bool)> done) override {
    if (!MustSync()) return false;
    service_->syncer().Request([this, begin = service_->NowNanos(), done = std::move(done)](bool is_synced) {
      NoteSync(begin);
      done(is_synced);
    });
    return true;
  }

 private:
  bool MustSync() {
    const bool has_written = std::exchange(state_.has_written, false);
    const bool must_sync = std::exchange(state_.must_sync, false) && has_written;
    // The replies of those who have only read may hold what another loop has written.
    return must_sync || (service_->options().syncs && service_->db()->HasUnsynced());
  }
  void NoteSync(uint64_t begin) {
    service_->latency().Note("wal-sync", service_->NowNanos() - begin, service_->NowMillis());
  }

  Service* const service_;
  LoopState state_;
};

}  // namespace

Service::Service(Db* db, const Options& options, Env* env, std::function<void()> on_shutdown)
    : options_(options),
      env_(env),
      on_shutdown_(std::move(on_shutdown)),
      databases_(db, options.databases, std::max(1, options.net.loop_count)),
      scan_cursors_(env->RandomSeed()),
      started_at_(env->clock()->MonotonicNanos()),
      rates_(started_at_),
      run_id_(MakeRunId(env)),
      max_bulk_bytes_(options.max_bulk_bytes),
      totals_(std::max(1, options.net.loop_count)),
      command_stats_(std::max(1, options.net.loop_count)),
      backups_(db, env, options.backup_dir),
      syncer_(db, env) {
  SetPassword(options.password);
}

Service::~Service() {
  MutexLock lock(&events_mu_);
  if (hears_expiry_) static_cast<void>(db()->SetExpiryListener({}));
}

// The store is asked to tell of what expires when somebody first wants to know, and from then on.
Status Service::set_event_flags(uint32_t flags) {
  if ((flags & kEventExpired) != 0) VARVE_RETURN_IF_ERROR(HearExpiry());
  event_flags_.store(flags, std::memory_order_relaxed);
  return Status::Ok();
}

Status Service::HearExpiry() {
  MutexLock lock(&events_mu_);
  if (hears_expiry_) return Status::Ok();
  VARVE_RETURN_IF_ERROR(db()->SetExpiryListener([this](const ExpiredKey& expired) {
    if (!IsHeard(kEventExpired)) return;
    const std::optional<int> database = databases_.IndexOf(expired.name_space);
    if (database) Publish({{kEventExpired, "expired", std::string(expired.key), *database}}, /*changer=*/0);
  }));
  hears_expiry_ = true;
  return Status::Ok();
}

void Service::Publish(const std::vector<Event>& events, uint64_t changer) {
  std::set<std::string_view> keys;  // each is told of once, whatever happened to it
  for (const Event& event : events) {
    if (tracking_.is_active()) {
      if (event.flag == kEventOfMany) {
        tracking_.InvalidateAll();
      } else if (keys.insert(event.key).second) {
        tracking_.Invalidate(event.key, changer);
      }
    }
    if (HasListenersFor(event.flag)) PublishMessages(event);
  }
}

void Service::PublishMessages(const Event& event) {
  const std::string database = std::to_string(event.database) + "__:";
  if ((event_flags() & kEventKeyspace) != 0) {
    pubsub_.Publish(Subscription::kChannel, "__keyspace@" + database + event.key, event.name);
  }
  if ((event_flags() & kEventKeyevent) != 0) {
    pubsub_.Publish(Subscription::kChannel, "__keyevent@" + database + std::string(event.name), event.key);
  }
}

std::unique_ptr<net::LoopHandler> Service::NewLoop(int loop_index) {
  return std::make_unique<Loop>(this, loop_index);
}

Status Service::Load() {
  VARVE_RETURN_IF_ERROR(databases_.Load());
  VARVE_ASSIGN_OR_RETURN(const std::string error, LoadUsers());
  if (!error.empty()) return Status::Corruption("the users that are kept: " + error);
  // What the server was started with holds, whatever is kept.
  if (!options_.password.empty()) SetPassword(options_.password);
  return Status::Ok();
}

void Service::NoteStoreFailure(std::string_view reply) {
  MutexLock lock(&mu_);
  failure_ = reply;
  failed_at_ = NowNanos();
}

std::string Service::StoreFailure() {
  std::string failure = db()->Stats().background_error;
  if (!failure.empty()) return failure;
  uint64_t failed_at = 0;
  {
    MutexLock lock(&mu_);
    failed_at = failed_at_;
    if (failure_.empty() || NowNanos() - failed_at < kFailureNanos) return failure_;
  }
  const Result<Namespace*> space = databases_.ServerSpace();
  const Status status = space.ok() ? (*space)->Put(kProbeKey, {}) : space.status();
  if (!status.ok()) return status.ToString();
  MutexLock lock(&mu_);
  if (failed_at_ == failed_at) failure_.clear();  // or it has failed somebody else meanwhile
  return failure_;
}

Status Service::SaveUsers() {
  VARVE_ASSIGN_OR_RETURN(Namespace* const space, databases_.ServerSpace());
  return space->Put(kUsersKey, acl_.Write(), {.durability = Durability::kSync});
}

Result<std::string> Service::LoadUsers() {
  Result<std::shared_ptr<Namespace>> space =
      db()->OpenNamespace(kServerNamespace, {.create_if_missing = false});
  if (!space.ok() && space.status().IsNotFound()) return std::string();
  if (!space.ok()) return space.status();
  const Result<std::string> text = (*space)->Get(kUsersKey);
  if (!text.ok() && text.status().IsNotFound()) return std::string();
  if (!text.ok()) return text.status();
  return acl_.Read(*text);
}

void Service::CutClients(const std::function<bool(const Client&)>& is_one, Session& caller) {
  for (const auto& client : clients_.All()) {
    if (!is_one(*client)) continue;
    if (client->peer.id == caller.id()) {
      caller.CloseAfterReplies();
      continue;
    }
    client->is_killed.store(true, std::memory_order_relaxed);
    if (client->peer.close) client->peer.close();
  }
}

void Service::SetPassword(std::string_view password) {
  MutexLock lock(&mu_);
  password_ = password;
  acl_.SetDefaultPassword(password);
}

std::string Service::password() const {
  MutexLock lock(&mu_);
  return password_;
}

void Service::Pause(uint64_t until, bool only_writes) {
  pauses_only_writes_.store(only_writes, std::memory_order_relaxed);
  paused_until_.store(until, std::memory_order_release);
}

void Service::Unpause() {
  paused_until_.store(0, std::memory_order_release);
  for (const auto& client : clients_.All()) {
    if (client->peer.wake) client->peer.wake();
  }
}

uint64_t Service::PauseLeft(bool is_write, uint64_t now) const {
  const uint64_t until = paused_until_.load(std::memory_order_acquire);
  if (until <= now) return 0;
  if (!is_write && pauses_only_writes_.load(std::memory_order_relaxed)) return 0;
  return until - now;
}

}  // namespace varve::server
