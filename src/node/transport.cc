#include "node/transport.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace varve::node {

namespace {
constexpr size_t kScratchBytes = 128 * 1024;
}  // namespace

Transport::Transport(TransportOptions options, Env* env, TransportHandler* handler)
    : options_(std::move(options)),
      env_(env),
      handler_(handler),
      outbox_(options_.queues),
      random_(options_.seed),
      log_(options_.log) {}

Transport::~Transport() { Stop(); }

Dialer::Context Transport::DialerContext() {
  return {.options = &options_,
          .env = env_,
          .poller = &poller_,
          .outbox = &outbox_,
          .counters = &counters_,
          .random = &random_,
          .post = [this](std::function<void()> task) { Post(std::move(task)); },
          .log = [this](const std::string& line) { log_.Write(line, Now()); },
          .next_key = [this] { return ++keys_; },
          .tls = [this] { return TlsOf(/*is_server=*/false); },
          .on_change =
              [this](NodeId id, bool is_reachable, Nanos since) {
                Note(id, is_reachable, since);
                handler_->OnPeerChange(id, is_reachable, since);
              }};
}

Acceptor::Context Transport::AcceptorContext() {
  return {.options = &options_,
          .poller = &poller_,
          .counters = &counters_,
          .random = &random_,
          .log = [this](const std::string& line) { log_.Write(line, Now()); },
          .next_key = [this] { return ++keys_; },
          .tls = [this] { return TlsOf(/*is_server=*/true); },
          .deliver = [this](const Delivery& delivery) { handler_->OnMessage(delivery); }};
}

Status Transport::Start() {
  const Identity& identity = options_.identity;
  if (identity.node == cluster::kNoNode || identity.cluster.empty() ||
      identity.cluster.size() > kMaxClusterNameBytes || (identity.required & ~identity.features) != 0) {
    return Status::InvalidArgument("a node needs a number, a cluster, and the features that it requires");
  }
  VARVE_RETURN_IF_ERROR(poller_.Open());
  acceptor_ = std::make_unique<Acceptor>(AcceptorContext());
  VARVE_RETURN_IF_ERROR(acceptor_->Listen());
  port_ = acceptor_->port();
  dialer_ = std::make_unique<Dialer>(DialerContext());
  thread_ = env_->StartThread("varve-node", [this] { Run(); });
  if (thread_ == nullptr) return Status::IoError("the system starts no thread");
  return Status::Ok();
}

void Transport::Stop() {
  is_stopping_.store(true, std::memory_order_release);
  outbox_.Stop();
  if (thread_ != nullptr) poller_.Wake();
  thread_.reset();  // joins
  dialer_.reset();
  acceptor_.reset();
}

void Transport::Post(std::function<void()> task) {
  {
    MutexLock lock(&mu_);
    posted_.push_back(std::move(task));
  }
  poller_.Wake();
}

void Transport::RunPosted() {
  std::vector<std::function<void()>> tasks;
  {
    MutexLock lock(&mu_);
    tasks.swap(posted_);
  }
  for (const auto& task : tasks) task();
}

void Transport::Run() {
  std::vector<char> scratch(kScratchBytes);
  std::vector<net::Poller::Event> events;
  std::vector<NodeId> ready;
  while (!is_stopping_.load(std::memory_order_acquire)) {
    RunPosted();
    Nanos now = Now();
    const Nanos next = std::min(dialer_->RunTimers(now), acceptor_->RunTimers(now));
    outbox_.TakeReady(&ready);
    for (const NodeId id : ready) dialer_->SendTo(id, now);
    // After it has sent there may be more at once.
    poller_.Wait(!ready.empty() || next <= now ? 0 : next - now, &events);
    outbox_.NoteAwake();
    // Before any timer: what has come while this process stood still counts as heard in time.
    now = Now();
    for (const net::Poller::Event& event : events) {
      if (!dialer_->Handle(event, scratch, now)) acceptor_->Handle(event, scratch, now);
    }
    if (!events.empty()) handler_->OnMessagesEnd();
  }
}

Status Transport::UseTls(const tls::Files& files) {
  if (files.authorities.empty() || files.certificate.empty() || files.key.empty()) {
    return Status::InvalidArgument("TLS: nodes need a certificate, its key, and the authorities of their peers");
  }
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<const tls::Context> server, tls::Context::ForServer(files));
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<const tls::Context> client, tls::Context::ForClient(files));
  MutexLock lock(&mu_);
  server_tls_ = std::move(server);
  client_tls_ = std::move(client);
  return Status::Ok();
}

std::shared_ptr<const tls::Context> Transport::TlsOf(bool is_server) {
  MutexLock lock(&mu_);
  return is_server ? server_tls_ : client_tls_;
}

void Transport::SetPeer(NodeId id, const PeerAddress& address) {
  outbox_.AddPeer(id);
  {
    MutexLock lock(&mu_);
    reach_.try_emplace(id, Reach{false, Now()});
  }
  Post([this, id, address] { dialer_->SetPeer(id, address, Now()); });
}

void Transport::RemovePeer(NodeId id) {
  outbox_.RemovePeer(id);
  {
    MutexLock lock(&mu_);
    reach_.erase(id);
  }
  Post([this, id] { dialer_->RemovePeer(id); });
}

SendOutcome Transport::Send(NodeId to, std::string bytes, Nanos deadline) {
  bool must_wake = false;
  const SendOutcome outcome = outbox_.Send(to, std::move(bytes), deadline, Now(), &must_wake);
  if (must_wake) poller_.Wake();
  return outcome;
}

void Transport::SendAll(std::vector<Outgoing>* messages) {
  const Nanos now = Now();
  bool must_wake = false;
  for (Outgoing& message : *messages) {
    bool wakes = false;
    static_cast<void>(outbox_.Send(message.to, std::move(message.bytes), message.deadline, now, &wakes));
    must_wake |= wakes;
  }
  messages->clear();
  if (must_wake) poller_.Wake();
}

void Transport::Note(NodeId id, bool is_reachable, Nanos since) {
  MutexLock lock(&mu_);
  const auto found = reach_.find(id);
  if (found != reach_.end()) found->second = {is_reachable, since};
}

std::optional<Nanos> Transport::UnreachableSince(NodeId id) const {
  MutexLock lock(&mu_);
  const auto found = reach_.find(id);
  if (found == reach_.end() || found->second.is_reachable) return std::nullopt;
  return found->second.since;
}

}  // namespace varve::node
