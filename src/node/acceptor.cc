#include "node/acceptor.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve::node {

namespace {

constexpr int kBacklog = 128;
constexpr int kMaxAccepts = 64;
constexpr Nanos kPauseNanos = 100 * kMilli;
// How long one that was refused may take to read why.
constexpr Nanos kRefusalNanos = 1 * kSecond;

}  // namespace

class Acceptor::Guest : public Channel::Owner {
 public:
  Guest(Acceptor* acceptor, std::string from) : acceptor_(acceptor), address(std::move(from)) {}

  Status Approve(const Hello& theirs, const tls::Session* tls) override { return acceptor_->Approve(theirs, tls); }
  void OnOpen() override { acceptor_->OnOpen(this); }
  void OnMessage(const Delivery& delivery) override {
    acceptor_->context_.counters->received.fetch_add(1, std::memory_order_relaxed);
    acceptor_->context_.deliver(delivery);
  }
  void OnPong(uint64_t) override {}

  Channel* channel() { return connection->channel(); }
  const Channel* channel() const { return connection->channel(); }

 private:
  Acceptor* const acceptor_;

 public:
  const std::string address;
  std::unique_ptr<PeerConnection> connection;
  Nanos greets_until = 0;  // or reads why it was refused
};

Acceptor::Acceptor(Context context) : context_(std::move(context)) { budget_.limit = context_.options->assembly_bytes; }

Acceptor::~Acceptor() = default;

Status Acceptor::Listen() {
  Status failure = Status::InvalidArgument("no host to listen at");
  port_ = context_.options->port;
  for (const std::string& host : context_.options->hosts) {
    Result<std::vector<net::Listener>> found = net::ListenTcp(host, port_, kBacklog);
    if (!found.ok()) {
      failure = found.status();
      continue;
    }
    for (net::Listener& listener : *found) {
      // A port that the system chose for the first is asked for by the others.
      port_ = listener.port;
      const uint64_t key = context_.next_key();
      VARVE_RETURN_IF_ERROR(context_.poller->Add(listener.descriptor.get(), key, false));
      listeners_.emplace(key, std::move(listener));
    }
  }
  return listeners_.empty() ? failure : Status::Ok();
}

bool Acceptor::Handle(const net::Poller::Event& event, std::span<char> scratch, Nanos now) {
  const auto listener = listeners_.find(event.key);
  if (listener != listeners_.end()) {
    AcceptAll(listener->second, now);
    return true;
  }
  const auto found = guests_.find(event.key);
  if (found == guests_.end()) return false;
  Guest* const guest = found->second.get();
  const bool was_refused = guest->channel()->state() == Channel::State::kRefused;
  Status status;
  if (event.can_read) status = guest->connection->Read(scratch, now);
  const bool is_refused = guest->channel()->state() == Channel::State::kRefused;
  if (is_refused && !was_refused) {
    context_.counters->refused.fetch_add(1, std::memory_order_relaxed);
    context_.log("refused " + guest->address + ": " + std::string(status.message()));
    guest->greets_until = now + kRefusalNanos;
    next_timer_ = 0;
    status = Status::Ok();
  }
  const Status flushed = guest->connection->Flush();
  context_.counters->dropped_parts.fetch_add(budget_.dropped - std::exchange(counted_drops_, budget_.dropped),
                                             std::memory_order_relaxed);
  if (status.ok()) status = flushed;
  if (!status.ok()) End(event.key, is_refused ? "" : status.ToString());
  for (const uint64_t key : std::exchange(replaced_, {})) End(key, "");
  return true;
}

void Acceptor::AcceptAll(const net::Listener& listener, Nanos now) {
  for (int i = 0; i < kMaxAccepts; ++i) {
    Result<net::Descriptor> descriptor = net::Accept(listener);
    if (!descriptor.ok() && descriptor.status().IsNotFound()) return;
    if (!descriptor.ok() || !descriptor->is_open()) return PauseListening(now);
    net::Peer peer;
    net::Prepare(listener, *descriptor, &peer);
    Take(StreamSocket(descriptor->Release()), peer.address, now);
  }
}

// Out of descriptors or memory: who greets gives way. The listeners would be ready all the time.
void Acceptor::PauseListening(Nanos now) {
  MakeRoom();
  for (const auto& [key, listener] : listeners_) context_.poller->Remove(listener.descriptor.get());
  listen_again_at_ = now + kPauseNanos;
  next_timer_ = 0;
}

void Acceptor::ResumeListening() {
  listen_again_at_ = 0;
  for (const auto& [key, listener] : listeners_) {
    const Status status = context_.poller->Add(listener.descriptor.get(), key, false);
    if (!status.ok()) context_.log(status.ToString());
  }
}

// Ends the connection that has greeted longest.
void Acceptor::MakeRoom() {
  for (const auto& [key, guest] : guests_) {
    if (guest->channel()->state() == Channel::State::kOpen) continue;
    return End(key, "too many connections");
  }
}

void Acceptor::Take(StreamSocket socket, std::string address, Nanos now) {
  if (guests_.size() >= context_.options->max_incoming && !VARVE_PLANTED_BUG("acceptor.without_bound")) {
    MakeRoom();
    if (guests_.size() >= context_.options->max_incoming) return context_.log("too many connections: " + address);
  }
  std::unique_ptr<tls::Session> session;
  if (std::shared_ptr<const tls::Context> tls = context_.tls(); tls != nullptr) {
    session = tls::Session::Create(std::move(tls));
    if (session == nullptr) return;  // no memory
  }
  auto guest = std::make_unique<Guest>(this, std::move(address));
  auto channel = std::make_unique<Channel>(
      Channel::Side::kAccepts, Hello{.nonce = context_.random->Next(), .identity = context_.options->identity},
      std::move(session), Channel::Limits{.max_message_bytes = context_.options->queues.max_message_bytes}, guest.get(),
      &budget_);
  const uint64_t key = context_.next_key();
  guest->connection =
      std::make_unique<PeerConnection>(key, std::move(socket), std::move(channel), context_.poller, context_.counters);
  if (!guest->connection->Watch().ok()) return;
  guest->greets_until = now + context_.options->greeting_timeout;
  next_timer_ = 0;
  guests_.emplace(key, std::move(guest));
}

Status Acceptor::Approve(const Hello& theirs, const tls::Session* tls) const {
  const NodeId node = theirs.identity.node;
  if (node == context_.options->identity.node) return Status::InvalidArgument("I am " + NameOf(node) + " myself");
  if (tls != nullptr && context_.options->name_of && !tls->IsPeer(context_.options->name_of(node)) &&
      !VARVE_PLANTED_BUG("acceptor.name_not_checked")) {
    return Status::InvalidArgument("the certificate is not for " + context_.options->name_of(node));
  }
  const auto latest = incarnations_.find(node);
  if (latest != incarnations_.end() && theirs.identity.incarnation < latest->second &&
      !VARVE_PLANTED_BUG("acceptor.older_incarnation_accepted")) {
    return Status::InvalidArgument(NameOf(node) + " was here with a later incarnation");
  }
  return Status::Ok();
}

void Acceptor::OnOpen(Guest* guest) {
  const Identity& identity = guest->channel()->theirs().identity;
  context_.counters->accepted.fetch_add(1, std::memory_order_relaxed);
  next_timer_ = 0;  // it may be silent for another time than it might greet
  uint64_t& incarnation = incarnations_[identity.node];
  incarnation = std::max(incarnation, identity.incarnation);
  const uint64_t key = guest->connection->key();
  const auto [found, is_new] = open_.try_emplace(identity.node, key);
  if (!is_new) replaced_.push_back(std::exchange(found->second, key));
}

void Acceptor::End(uint64_t key, const std::string& why) {
  const auto found = guests_.find(key);
  if (found == guests_.end()) return;
  const Guest& guest = *found->second;
  const NodeId node = guest.channel()->theirs().identity.node;
  const auto open = open_.find(node);
  if (open != open_.end() && open->second == key) open_.erase(open);
  if (!why.empty()) {
    context_.counters->broken.fetch_add(1, std::memory_order_relaxed);
    context_.log("from " + (node == cluster::kNoNode ? guest.address : NameOf(node)) + ": " + why);
  }
  guests_.erase(found);
}

Nanos Acceptor::DueOf(const Guest& guest) const {
  if (guest.channel()->state() != Channel::State::kOpen) return guest.greets_until;
  return guest.connection->last_heard() + context_.options->idle_timeout;
}

Nanos Acceptor::RunTimers(Nanos now) {
  if (now < next_timer_) return next_timer_;
  if (listen_again_at_ != 0 && listen_again_at_ <= now) ResumeListening();
  next_timer_ = listen_again_at_ != 0 ? listen_again_at_ : kNever;
  std::vector<uint64_t> due;
  for (const auto& [key, guest] : guests_) {
    const Nanos until = DueOf(*guest);
    if (until <= now) {
      due.push_back(key);
    } else {
      next_timer_ = std::min(next_timer_, until);
    }
  }
  for (const uint64_t key : due) {
    if (VARVE_PLANTED_BUG("acceptor.waits_for_ever")) continue;
    const Channel::State state = guests_.find(key)->second->channel()->state();
    End(key, state == Channel::State::kRefused ? "" : "says nothing");
  }
  return next_timer_;
}

}  // namespace varve::node
