#include "node/dialer.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"

namespace varve::node {

namespace {
// Connecting waits, for names too, and so has threads of its own.
constexpr size_t kConnectThreads = 8;

}  // namespace

// The way to one peer.
class Dialer::Link : public Channel::Owner {
 public:
  enum class State { kWaits, kConnects, kGreets, kOpen };

  Link(NodeId peer, const TransportOptions& options) : id(peer), backoff(options.least_backoff, options.most_backoff) {}

  Status Approve(const Hello& theirs, const tls::Session*) override {
    // By TLS the certificate was checked for the name that the peer must have.
    if (theirs.identity.node != id) return Status::InvalidArgument("is " + NameOf(theirs.identity.node));
    return Status::Ok();
  }
  void OnOpen() override { state = State::kOpen; }
  void OnMessage(const Delivery&) override {}
  void OnPong(uint64_t number) override {
    if (number == pings) has_pong = true;
  }

  const NodeId id;
  PeerAddress address;
  Backoff backoff;
  State state = State::kWaits;
  Nanos due = 0;         // kWaits: when to connect; kGreets: until when it may
  uint64_t attempt = 0;  // kConnects: which
  std::unique_ptr<PeerConnection> connection;
  std::unique_ptr<Packer> packer;
  uint64_t counted = 0;  // of the packer's messages
  uint64_t pings = 0;
  bool has_pong = true;
  Nanos pinged_at = 0;
  bool is_reachable = false;
  bool is_told = false;  // whether it is reachable: at all
  Nanos last_heard = 0;  // when it was last known to be there, or was made known
  std::string last_reason;
};

Dialer::Dialer(Context context)
    : context_(std::move(context)),
      pool_(std::make_unique<WorkerPool>(context_.env, "varve-dial", kConnectThreads)) {}

Dialer::~Dialer() {
  is_ending_.store(true, std::memory_order_release);
  pool_.reset();
}

void Dialer::SetPeer(NodeId id, const PeerAddress& address, Nanos now) {
  std::unique_ptr<Link>& link = links_[id];
  if (link == nullptr) {
    link = std::make_unique<Link>(id, *context_.options);
    link->last_heard = now;
  } else if (link->address == address) {
    return;
  } else {
    Lose(link.get(), "is elsewhere now", now);
  }
  link->address = address;
  link->backoff.Reset();
  link->state = Link::State::kWaits;
  link->due = now;
  next_timer_ = 0;
}

void Dialer::RemovePeer(NodeId id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  Forget(found->second.get());
  links_.erase(found);
}

void Dialer::Connect(Link* link) {
  link->state = Link::State::kConnects;
  link->attempt = ++attempts_;
  pool_->Run([this, id = link->id, attempt = link->attempt, address = link->address] {
    if (is_ending_.load(std::memory_order_acquire)) return;
    auto socket = std::make_shared<Result<StreamSocket>>(
        StreamSocket::ConnectTcp(address.host, address.port, context_.options->connect_timeout));
    context_.post([this, id, attempt, socket] { OnConnected(id, attempt, std::move(*socket)); });
  });
}

Result<std::unique_ptr<tls::Session>> Dialer::NewSession(const Link& link) {
  std::shared_ptr<const tls::Context> tls = context_.tls();
  if (tls == nullptr) return std::unique_ptr<tls::Session>();
  const std::string name = context_.options->name_of ? context_.options->name_of(link.id) : link.address.host;
  std::unique_ptr<tls::Session> session = tls::Session::Create(std::move(tls), name);
  if (session == nullptr) return Status::InvalidArgument("TLS: '" + name + "' is no name, or there is no memory");
  return session;
}

void Dialer::OnConnected(NodeId id, uint64_t attempt, Result<StreamSocket> socket) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  Link* const link = found->second.get();
  if (link->state != Link::State::kConnects || link->attempt != attempt) return;
  const Nanos now = context_.env->clock()->MonotonicNanos();
  if (!socket.ok()) return Lose(link, socket.status().ToString(), now);
  Result<std::unique_ptr<tls::Session>> session = NewSession(*link);
  if (!session.ok()) return Lose(link, session.status().ToString(), now);
  auto channel = std::make_unique<Channel>(
      Channel::Side::kDials, Hello{.nonce = context_.random->Next(), .identity = context_.options->identity},
      std::move(*session), Channel::Limits{}, link, &no_budget_);
  channel->Begin();
  link->connection = std::make_unique<PeerConnection>(context_.next_key(), std::move(*socket), std::move(channel),
                                                      context_.poller, context_.counters);
  link->packer = std::make_unique<Packer>(id, context_.outbox);
  link->counted = 0;
  link->state = Link::State::kGreets;
  next_timer_ = 0;
  link->due = now + context_.options->greeting_timeout;
  by_key_[link->connection->key()] = link;
  Status status = link->connection->Watch();
  if (status.ok()) status = link->connection->Flush();
  if (!status.ok()) Lose(link, status.ToString(), now);
}

void Dialer::SendTo(NodeId id, Nanos now) {
  const auto found = links_.find(id);
  if (found != links_.end() && found->second->state == Link::State::kOpen) Fill(found->second.get(), now);
}

// Until the socket is full, or nothing waits.
void Dialer::Fill(Link* link, Nanos now) {
  bool has_more = true;
  Status status;
  while (has_more && status.ok()) {
    has_more = link->packer->Fill(now, link->connection->channel());
    status = link->connection->Flush();
    if (!link->connection->is_flushed()) break;
  }
  context_.counters->sent.fetch_add(link->packer->sent() - std::exchange(link->counted, link->packer->sent()),
                                    std::memory_order_relaxed);
  if (!status.ok()) Lose(link, status.ToString(), now);
}

bool Dialer::Handle(const net::Poller::Event& event, std::span<char> scratch, Nanos now) {
  const auto found = by_key_.find(event.key);
  if (found == by_key_.end()) return false;
  Link* const link = found->second;
  if (event.can_read) {
    const bool was_open = link->state == Link::State::kOpen;
    const Status status = link->connection->Read(scratch, now);
    if (!status.ok()) {
      static_cast<void>(link->connection->Flush());  // why, if TLS can say it
      Lose(link, status.ToString(), now);
      return true;
    }
    if (link->state == Link::State::kOpen && !was_open) {
      context_.counters->connected.fetch_add(1, std::memory_order_relaxed);
      link->has_pong = true;
      link->pinged_at = 0;  // the first ping is due
      next_timer_ = 0;
      RunTimersOf(link, now);
      if (link->connection == nullptr) return true;
    }
    if (link->has_pong && link->pings > 0) {
      link->last_heard = now;
      link->is_told = true;
      if (!std::exchange(link->is_reachable, true)) {
        link->backoff.Reset();
        link->last_reason.clear();
        context_.log(NameOf(link->id) + " is reachable");
        context_.on_change(link->id, true, now);
      }
    }
  }
  if (link->state == Link::State::kOpen) {
    Fill(link, now);
    return true;
  }
  const Status status = link->connection->Flush();
  if (!status.ok()) Lose(link, status.ToString(), now);
  return true;
}

void Dialer::Forget(Link* link) {
  if (link->connection != nullptr) by_key_.erase(link->connection->key());
  link->packer.reset();
  link->connection.reset();  // closes, and so leaves the poller
  link->pings = 0;
  link->has_pong = true;
}

void Dialer::Lose(Link* link, const std::string& why, Nanos now) {
  if (link->connection != nullptr) context_.counters->broken.fetch_add(1, std::memory_order_relaxed);
  Forget(link);
  next_timer_ = 0;
  link->state = Link::State::kWaits;
  link->due = now + (VARVE_PLANTED_BUG("dialer.no_backoff") ? 0 : link->backoff.Next(context_.random));
  // The same reason again and again is said once.
  if (link->last_reason != why) context_.log(NameOf(link->id) + " is unreachable: " + why);
  link->last_reason = why;
  const bool was_reachable = std::exchange(link->is_reachable, false);
  // Also of one that was never reached: who waits for it to speak up would send to it what others could take.
  const bool is_first = !std::exchange(link->is_told, true) && !VARVE_PLANTED_BUG("dialer.first_failure_untold");
  if (was_reachable || is_first) context_.on_change(link->id, false, link->last_heard);
}

void Dialer::RunTimersOf(Link* link, Nanos now) {
  const TransportOptions& options = *context_.options;
  context_.outbox->DropExpired(link->id, now);
  switch (link->state) {
    case Link::State::kWaits:
      if (now >= link->due) Connect(link);
      return;
    case Link::State::kConnects: return;
    case Link::State::kGreets:
      if (now >= link->due) Lose(link, "does not answer the hello", now);
      return;
    case Link::State::kOpen: break;
  }
  if (!link->has_pong && now - link->pinged_at >= options.suspect_after &&
      !VARVE_PLANTED_BUG("dialer.silence_unnoticed")) {
    return Lose(link, "is silent", now);
  }
  if (!link->has_pong || now - link->pinged_at < options.ping_interval) return;
  link->has_pong = false;
  link->pinged_at = now;
  link->connection->channel()->SendPing(++link->pings);
  const Status status = link->connection->Flush();
  if (!status.ok()) Lose(link, status.ToString(), now);
}

Nanos Dialer::NextOf(const Link& link) const {
  switch (link.state) {
    case Link::State::kConnects: return kNever;
    case Link::State::kOpen:
      return link.pinged_at + (link.has_pong ? context_.options->ping_interval : context_.options->suspect_after);
    default: return link.due;
  }
}

Nanos Dialer::RunTimers(Nanos now) {
  if (now < next_timer_) return next_timer_;
  next_timer_ = kNever;
  for (const auto& [id, link] : links_) {
    if (NextOf(*link) <= now) RunTimersOf(link.get(), now);
    next_timer_ = std::min(next_timer_, NextOf(*link));
  }
  return next_timer_;
}

}  // namespace varve::node
