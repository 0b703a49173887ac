#include "node/channel.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve::node {

namespace {

constexpr uint64_t kNanosPerMilli = 1'000'000;
constexpr size_t kMaxReasonBytes = 1024;
// An idle connection holds no more than this.
constexpr size_t kMaxKeptOutput = 512 * 1024;

// For the wire: milliseconds until `deadline`, at least 1; 0: none.
uint32_t MillisLeft(Nanos deadline, Nanos now) {
  if (deadline == 0) return 0;
  const uint64_t millis = deadline <= now ? 0 : (deadline - now) / kNanosPerMilli;
  return static_cast<uint32_t>(std::clamp<uint64_t>(millis, 1, ~uint32_t{0}));
}

Nanos DeadlineOf(uint32_t millis, Nanos now) { return millis == 0 ? 0 : now + millis * kNanosPerMilli; }

}  // namespace

Channel::Channel(Side side, Hello mine, std::unique_ptr<tls::Session> tls, const Limits& limits, Owner* owner,
                 AssemblyBudget* budget)
    : side_(side),
      mine_(std::move(mine)),
      tls_(std::move(tls)),
      limits_(limits),
      owner_(owner),
      budget_(budget) {}

Channel::~Channel() { EndAssembly(); }

Status Channel::Broken(const std::string& why) {
  state_ = State::kBroken;
  return Status::Corruption(why);
}

// --- What is sent.

void Channel::Append(FrameType type, std::string_view head, std::string_view body) {
  AppendFrame(type, head, body, send_seed_, send_number_++, clear());
}

void Channel::SayHello() {
  has_said_hello_ = true;
  Append(FrameType::kHello, "", EncodeHello(mine_));
}

void Channel::Begin() {
  VARVE_CHECK(side_ == Side::kDials);
  if (tls_ == nullptr) return SayHello();
  // Nothing can be wrong before the other side has said anything.
  static_cast<void>(Receive("", 0));
}

void Channel::SendMessage(std::string_view bytes, Nanos deadline, Nanos now) {
  char head[sizeof(uint32_t)];
  StoreFixed(head, MillisLeft(deadline, now));
  Append(FrameType::kMessage, {head, sizeof(head)}, bytes);
}

void Channel::SendFirstPiece(std::string_view bytes, uint64_t total, Nanos deadline, Nanos now) {
  char head[sizeof(uint32_t) + sizeof(uint64_t)];
  StoreFixed(head, MillisLeft(deadline, now));
  StoreFixed(head + sizeof(uint32_t), total);
  Append(FrameType::kFirstPiece, {head, sizeof(head)}, bytes);
}

void Channel::SendPiece(std::string_view bytes) { Append(FrameType::kPiece, "", bytes); }

void Channel::SendAbandon() { Append(FrameType::kAbandon, "", ""); }

void Channel::SendPing(uint64_t number) {
  char body[sizeof(number)];
  StoreFixed(body, number);
  Append(FrameType::kPing, "", {body, sizeof(body)});
}

Status Channel::Seal() {
  if (tls_ == nullptr || clear_.empty() || !tls_->is_established()) return Status::Ok();
  const Status status = tls_->Send(clear_, &wire_);
  clear_.clear();
  if (!status.ok()) state_ = State::kBroken;
  return status;
}

void Channel::Taken(size_t size) {
  taken_ += size;
  if (taken_ < wire_.size()) {
    if (taken_ > wire_.size() / 2) wire_.erase(0, std::exchange(taken_, 0));
    return;
  }
  taken_ = 0;
  wire_.clear();
  if (wire_.capacity() > kMaxKeptOutput) std::string().swap(wire_);
}

// --- What comes.

Status Channel::Receive(std::string_view bytes, Nanos now) {
  if (state_ == State::kRefused) return Status::Ok();
  if (state_ == State::kBroken) return Status::Corruption("the connection is over");
  if (tls_ == nullptr) return TakeClear(bytes, now);
  std::string clear;
  const Status status = tls_->Receive(bytes, &clear, &wire_);
  if (!status.ok()) {
    state_ = State::kBroken;
    return status;
  }
  if (side_ == Side::kDials && tls_->is_established() && !has_said_hello_) SayHello();
  VARVE_RETURN_IF_ERROR(TakeClear(clear, now));
  if (tls_->has_ended()) return Broken("the other end has closed");
  return Status::Ok();
}

Status Channel::TakeClear(std::string_view bytes, Nanos now) {
  size_t consumed = 0;
  if (input_.size() == 0) {
    VARVE_RETURN_IF_ERROR(TakeFrames(bytes, now, &consumed));
    bytes.remove_prefix(consumed);
  }
  // What is left of a frame, and so never more than one.
  while (!bytes.empty()) {
    const std::span<char> room = input_.Room(0);
    const size_t size = bytes.copy(room.data(), room.size());
    input_.Added(size);
    bytes.remove_prefix(size);
    VARVE_RETURN_IF_ERROR(TakeFrames(input_.view(), now, &consumed));
    if (consumed > 0) input_.Consume(consumed);
  }
  return Status::Ok();
}

Status Channel::TakeFrames(std::string_view input, Nanos now, size_t* consumed) {
  *consumed = 0;
  while (*consumed < input.size() && state_ != State::kRefused) {
    Frame frame;
    const std::string_view rest = input.substr(*consumed);
    const FrameOutcome outcome = DecodeFrame(rest, receive_seed_, receive_number_, &frame);
    if (outcome == FrameOutcome::kNeedMore) return Status::Ok();
    if (outcome == FrameOutcome::kBad) {
      return Broken(has_heard_hello_ ? "a frame that was changed, or is not the next" : "does not speak to nodes");
    }
    *consumed += frame.size;
    ++receive_number_;
    VARVE_RETURN_IF_ERROR(TakeFrame(frame, now));
  }
  if (state_ == State::kRefused) *consumed = input.size();
  return Status::Ok();
}

Status Channel::TakeFrame(const Frame& frame, Nanos now) {
  if (!has_heard_hello_) return TakeHello(frame);
  if (side_ == Side::kAccepts && state_ == State::kGreets) {
    state_ = State::kOpen;
    owner_->OnOpen();
  }
  return TakeAfterHello(frame, now);
}

Status Channel::Refuse(const Status& reason) {
  if (side_ == Side::kDials) {
    state_ = State::kBroken;
    return reason;
  }
  Append(FrameType::kRefusal, "", reason.message().substr(0, kMaxReasonBytes));
  state_ = State::kRefused;
  return reason;
}

Status Channel::TakeHello(const Frame& frame) {
  if (frame.type == FrameType::kRefusal && side_ == Side::kDials) {
    state_ = State::kBroken;
    std::string reason(frame.body.substr(0, kMaxReasonBytes));
    // It goes to a log.
    for (char& c : reason) c = c >= ' ' && c <= '~' ? c : '?';
    return Status::InvalidArgument("refused by the other end: " + reason);
  }
  if (frame.type != FrameType::kHello) return Broken("no hello");
  Result<Hello> hello = DecodeHello(frame.body);
  if (!hello.ok()) return Broken(std::string(hello.status().message()));
  const Result<Agreement> agreement = Agree(mine_, *hello);
  if (!agreement.ok()) return Refuse(agreement.status());
  const Status approved = owner_->Approve(*hello, tls_.get());
  if (!approved.ok()) return Refuse(approved);
  theirs_ = *std::move(hello);
  agreement_ = *agreement;
  has_heard_hello_ = true;
  const bool dials = side_ == Side::kDials;
  if (!dials) SayHello();
  const uint64_t dialers = dials ? mine_.nonce : theirs_.nonce;
  const uint64_t acceptors = dials ? theirs_.nonce : mine_.nonce;
  send_seed_ = FrameSeed(dialers, acceptors, dials);
  receive_seed_ = FrameSeed(dialers, acceptors, !dials);
  send_number_ = receive_number_ = 0;
  if (dials) {
    state_ = State::kOpen;
    owner_->OnOpen();
  }
  return Status::Ok();
}

Status Channel::TakeAfterHello(const Frame& frame, Nanos now) {
  if (side_ == Side::kDials) {
    if (frame.type != FrameType::kPong || frame.body.size() != sizeof(uint64_t)) return Broken("not a pong");
    owner_->OnPong(LoadFixed<uint64_t>(frame.body.data()));
    return Status::Ok();
  }
  switch (frame.type) {
    case FrameType::kMessage: return TakeMessage(frame.body, now);
    case FrameType::kFirstPiece: return TakeFirstPiece(frame.body, now);
    case FrameType::kPiece: return TakePiece(frame.body);
    case FrameType::kPing: return TakePing(frame);
    case FrameType::kAbandon:
      if (total_ == 0 || !frame.body.empty()) return Broken("nothing to abandon");
      EndAssembly();
      return Status::Ok();
    default: return Broken("a frame that does not belong here");
  }
}

Status Channel::TakePing(const Frame& frame) {
  if (frame.body.size() != sizeof(uint64_t)) return Broken("a ping of the wrong size");
  if (pending_bytes() > limits_.max_answer_bytes && !VARVE_PLANTED_BUG("channel.answers_without_bound")) {
    return Broken("does not read the answers");
  }
  Append(FrameType::kPong, "", frame.body);
  return Status::Ok();
}

void Channel::Deliver(std::string_view bytes, Nanos deadline) {
  owner_->OnMessage({.from = theirs_.identity.node,
                     .incarnation = theirs_.identity.incarnation,
                     .features = agreement_.features,
                     .deadline = deadline,
                     .bytes = bytes});
}

Status Channel::TakeMessage(std::string_view body, Nanos now) {
  uint32_t millis = 0;
  if (!ConsumeFixed(&body, &millis)) return Broken("a message of the wrong size");
  Deliver(body, DeadlineOf(millis, now));
  return Status::Ok();
}

// --- Messages in pieces.

Status Channel::TakeFirstPiece(std::string_view body, Nanos now) {
  uint32_t millis = 0;
  uint64_t total = 0;
  if (total_ != 0 || !ConsumeFixed(&body, &millis) || !ConsumeFixed(&body, &total) || total <= body.size()) {
    return Broken("a message in pieces that begins wrongly");
  }
  total_ = total;
  received_ = 0;
  assembly_deadline_ = DeadlineOf(millis, now);
  is_discarded_ = total > limits_.max_message_bytes;
  if (is_discarded_) ++budget_->dropped;
  return TakePiece(body);
}

Status Channel::TakePiece(std::string_view bytes) {
  if (total_ == 0 || bytes.empty() || bytes.size() > total_ - received_) return Broken("a piece of no message");
  received_ += bytes.size();
  if (!is_discarded_) AddPiece(bytes);
  if (received_ < total_) return Status::Ok();
  const Nanos deadline = assembly_deadline_;
  if (!is_discarded_) Deliver(assembly_.view(), deadline);
  EndAssembly();
  return Status::Ok();
}

// Memory grows with what has come. When there is none left the rest of the message is read and thrown away: the
// connection, and small messages on it, go on.
void Channel::AddPiece(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> room = assembly_.Room(total_);
    const size_t size = bytes.copy(room.data(), room.size());
    assembly_.Added(size);
    bytes.remove_prefix(size);
  }
  budget_->used += assembly_.capacity() - accounted_;
  accounted_ = assembly_.capacity();
  if (budget_->used <= budget_->limit || VARVE_PLANTED_BUG("channel.assembly_without_bound")) return;
  const uint64_t received = received_;
  const uint64_t total = total_;
  EndAssembly();
  total_ = total;
  received_ = received;
  is_discarded_ = true;
  ++budget_->dropped;
}

void Channel::EndAssembly() {
  assembly_.Consume(assembly_.size());
  budget_->used -= accounted_;
  accounted_ = 0;
  total_ = received_ = 0;
  is_discarded_ = false;
}

}  // namespace varve::node
