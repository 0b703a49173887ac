#include "node/outbox.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"
#include "node/frame.h"

namespace varve::node {

const char* SendOutcomeName(SendOutcome outcome) {
  switch (outcome) {
    case SendOutcome::kQueued: return "queued";
    case SendOutcome::kFull: return "full";
    case SendOutcome::kTooLarge: return "too large";
    case SendOutcome::kExpired: return "expired";
    case SendOutcome::kUnknownPeer: return "unknown peer";
    case SendOutcome::kStopped: return "stopped";
  }
  return "?";
}

namespace {
bool IsExpired(const Message& message, Nanos now) { return message.deadline != 0 && message.deadline <= now; }
}  // namespace

bool SendQueue::HasRoom(size_t size) const {
  if (this->size() >= limits_->max_messages) return false;
  if (bytes_ + size + kOverhead <= limits_->max_bytes) return true;
  return size > kPieceBytes && large_.empty();
}

SendOutcome SendQueue::Push(std::string bytes, Nanos deadline, Nanos now) {
  const size_t size = bytes.size();
  if (size > limits_->max_message_bytes) return SendOutcome::kTooLarge;
  Message message{std::move(bytes), deadline};
  if (IsExpired(message, now)) return SendOutcome::kExpired;
  if (!HasRoom(size) && !VARVE_PLANTED_BUG("outbox.without_bound")) {
    DropExpired(now);
    if (!HasRoom(size)) return SendOutcome::kFull;
  }
  (size > kPieceBytes ? large_ : small_).push_back(std::move(message));
  bytes_ += size + kOverhead;
  if (deadline != 0) first_deadline_ = std::min(first_deadline_, deadline);
  return SendOutcome::kQueued;
}

bool SendQueue::TakeFirst(std::deque<Message>* from, Nanos now, Message* taken) {
  *taken = std::move(from->front());
  from->pop_front();
  bytes_ -= taken->bytes.size() + kOverhead;
  if (!IsExpired(*taken, now) || VARVE_PLANTED_BUG("outbox.sends_what_has_expired")) return true;
  ++expired_;
  return false;
}

void SendQueue::TakeSmall(Nanos now, size_t max_bytes, std::vector<Message>* taken) {
  size_t bytes = 0;
  Message message;
  while (!small_.empty() && bytes < max_bytes) {
    if (!TakeFirst(&small_, now, &message)) continue;
    bytes += message.bytes.size() + kFrameHeaderBytes;
    taken->push_back(std::move(message));
  }
}

std::optional<Message> SendQueue::TakeLarge(Nanos now) {
  Message message;
  while (!large_.empty()) {
    if (TakeFirst(&large_, now, &message)) return message;
  }
  return std::nullopt;
}

void SendQueue::DropExpired(Nanos now) {
  if (now < first_deadline_) return;
  first_deadline_ = ~Nanos{0};
  for (std::deque<Message>* queue : {&small_, &large_}) {
    std::erase_if(*queue, [&](const Message& message) {
      if (!IsExpired(message, now)) {
        if (message.deadline != 0) first_deadline_ = std::min(first_deadline_, message.deadline);
        return false;
      }
      bytes_ -= message.bytes.size() + kOverhead;
      ++expired_;
      return true;
    });
  }
}

void Outbox::AddPeer(NodeId peer) {
  MutexLock lock(&mu_);
  if (!is_stopped_) peers_.try_emplace(peer, &limits_);
}

void Outbox::RemovePeer(NodeId peer) {
  MutexLock lock(&mu_);
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  expired_of_gone_ += found->second.queue.expired();
  std::erase(ready_, peer);
  peers_.erase(found);
}

void Outbox::Stop() {
  MutexLock lock(&mu_);
  is_stopped_ = true;
  for (const auto& [id, peer] : peers_) expired_of_gone_ += peer.queue.expired();
  peers_.clear();
  ready_.clear();
}

SendOutcome Outbox::Send(NodeId to, std::string bytes, Nanos deadline, Nanos now, bool* must_wake) {
  *must_wake = false;
  MutexLock lock(&mu_);
  if (is_stopped_) return SendOutcome::kStopped;
  const auto found = peers_.find(to);
  if (found == peers_.end()) return SendOutcome::kUnknownPeer;
  Peer& peer = found->second;
  const SendOutcome outcome = peer.queue.Push(std::move(bytes), deadline, now);
  if (outcome != SendOutcome::kQueued || peer.is_ready) return outcome;
  peer.is_ready = true;
  ready_.push_back(to);
  *must_wake = std::exchange(is_asleep_, false);
  return outcome;
}

void Outbox::TakeReady(std::vector<NodeId>* peers) {
  peers->clear();
  MutexLock lock(&mu_);
  peers->swap(ready_);
  for (const NodeId id : *peers) {
    const auto found = peers_.find(id);
    if (found != peers_.end()) found->second.is_ready = false;
  }
  is_asleep_ = peers->empty();
}

void Outbox::NoteAwake() {
  MutexLock lock(&mu_);
  is_asleep_ = false;
}

void Outbox::TakeSmall(NodeId peer, Nanos now, size_t max_bytes, std::vector<Message>* taken) {
  MutexLock lock(&mu_);
  const auto found = peers_.find(peer);
  if (found != peers_.end()) found->second.queue.TakeSmall(now, max_bytes, taken);
}

std::optional<Message> Outbox::TakeLarge(NodeId peer, Nanos now) {
  MutexLock lock(&mu_);
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return std::nullopt;
  return found->second.queue.TakeLarge(now);
}

void Outbox::DropExpired(NodeId peer, Nanos now) {
  MutexLock lock(&mu_);
  const auto found = peers_.find(peer);
  if (found != peers_.end()) found->second.queue.DropExpired(now);
}

uint64_t Outbox::waiting() const {
  MutexLock lock(&mu_);
  uint64_t count = 0;
  for (const auto& [id, peer] : peers_) count += peer.queue.size();
  return count;
}

uint64_t Outbox::expired() const {
  MutexLock lock(&mu_);
  uint64_t count = expired_of_gone_;
  for (const auto& [id, peer] : peers_) count += peer.queue.expired();
  return count;
}

}  // namespace varve::node
