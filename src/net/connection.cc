#include "net/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/planted_bug.h"

namespace varve::net {

namespace {
constexpr size_t kLeastRoom = 16 * 1024;
// Of output, that one call sends.
constexpr int kMaxPieces = 16;
constexpr uint64_t kHandshakeMillis = 10'000;
}  // namespace

InputBuffer::~InputBuffer() { std::free(data_); }

void InputBuffer::Reserve(size_t capacity) {
  if (begin_ > 0) {
    std::memmove(data_, data_ + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }
  if (capacity <= capacity_) return;
  void* const grown = std::realloc(data_, capacity);
  VARVE_CHECK(grown != nullptr);
  data_ = static_cast<char*>(grown);
  capacity_ = capacity;
}

void InputBuffer::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  if (capacity_ - end_ < bytes.size()) Reserve(size() + bytes.size());
  std::memcpy(data_ + end_, bytes.data(), bytes.size());
  end_ += bytes.size();
}

std::span<char> InputBuffer::Room(size_t wanted) {
  if (capacity_ - end_ < kLeastRoom && !(wanted > size() && capacity_ - begin_ >= wanted)) {
    size_t capacity = std::max(size() * 2, kLeastRoom * 2);
    if (wanted > size() && wanted < capacity) capacity = std::max(wanted, size() + kLeastRoom);
    Reserve(capacity);
  }
  if (capacity_ == end_) Reserve(capacity_ + (begin_ > 0 ? 0 : kLeastRoom));
  return {data_ + end_, capacity_ - end_};
}

void InputBuffer::Consume(size_t size) {
  begin_ += size;
  if (begin_ < end_) return;
  std::free(data_);
  data_ = nullptr;
  begin_ = end_ = capacity_ = 0;
}

Connection::Connection(uint64_t id, Descriptor descriptor,
                       std::unique_ptr<ConnectionHandler> handler, const ServerOptions& options,
                       Counters* counters, OutputPool* pool, std::unique_ptr<tls::Session> tls)
    : id_(id),
      descriptor_(std::move(descriptor)),
      handler_(std::move(handler)),
      options_(options),
      counters_(counters),
      tls_(std::move(tls)),
      output_(pool) {}

Connection::~Connection() {
  counters_->buffer_bytes.fetch_sub(accounted_, std::memory_order_relaxed);
}

// And whether it is paused from now on.
void Connection::Account() {
  is_paused_ = unsent_bytes() > (is_paused_ ? 0 : options_.pause_output_bytes) &&
               !VARVE_PLANTED_BUG("net.output_without_pause");
  output_.ReleaseRoom();
  size_t now = input_.capacity() + output_.capacity();
  if (clear_output_.capacity() > 15) now += clear_output_.capacity();
  // Modulo 2^64: the sum of all is right.
  counters_->buffer_bytes.fetch_add(now - accounted_, std::memory_order_relaxed);
  accounted_ = now;
}

bool Connection::ReadAndTurn(std::span<char> scratch) {
  const bool is_buffered = input_.size() > 0 && !tls_;
  const std::span<char> room = is_buffered ? input_.Room(wanted_) : scratch;
  const ssize_t count = ::recv(descriptor_.get(), room.data(), room.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    Drop();
    return false;
  }
  if (state_ != State::kOpen) return false;  // nobody listens any more
  const size_t size = static_cast<size_t>(count);
  counters_->input_bytes.fetch_add(size, std::memory_order_relaxed);
  if (tls_) {
    TakeEncrypted({room.data(), size});
  } else if (is_buffered) {
    input_.Added(size);
    TakeTurn(input_.view(), true, size);
  } else {
    TakeTurn({room.data(), size}, false, size);
  }
  return true;
}

uint64_t Connection::limit_millis() const {
  if (tls_ && !tls_->is_established()) return kHandshakeMillis;
  return handler_->lifetime_millis();
}

void Connection::TakeEncrypted(std::string_view bytes) {
  std::string clear;
  const Status status = tls_->Receive(bytes, &clear, output_.tail());
  const bool is_buffered = input_.size() > 0;
  if (!clear.empty() && is_buffered) {
    for (std::string_view rest = clear; !rest.empty();) {
      const std::span<char> room = input_.Room(wanted_);
      const size_t size = rest.copy(room.data(), room.size());
      input_.Added(size);
      rest.remove_prefix(size);
    }
    TakeTurn(input_.view(), true, bytes.size());
  } else if (!clear.empty()) {
    TakeTurn(clear, false, bytes.size());
  }
  // What it has asked for before the end is still answered; after an error the alert says why.
  if (!status.ok() || tls_->has_ended()) BeginClose();
}

void Connection::EncryptOutput() {
  if (!tls_ || state_ == State::kGone) return;
  if (!clear_output_.empty()) {
    const Status status = tls_->Send(clear_output_, output_.tail());
    std::string().swap(clear_output_);
    if (!status.ok()) return Drop();
  }
  if (state_ == State::kClosing) tls_->Close(output_.tail());
}

void Connection::TakeTurn(std::string_view input, bool is_buffered, size_t read) {
  if (state_ != State::kOpen) return;
  has_kept_ = is_paused_;
  is_new_ = false;
  turn_bytes_ = read;
  if (is_paused_) {
    if (!is_buffered) input_.Append(input);
    CheckInput();
    return Account();
  }
  std::string* const output = NextOutput();
  const size_t size_before = output->size();
  const Turn turn = handler_->OnInput(input, output);
  turn_bytes_ = std::max(turn.consumed, read) + output->size() - size_before;
  next_ = turn.next;
  wanted_ = turn.wanted;
  wait_millis_ = turn.wait_millis;
  if (is_buffered) {
    input_.Consume(turn.consumed);
  } else {
    input_.Append(input.substr(turn.consumed));
  }
  if (turn.next == Turn::Next::kClose) {
    Drop();
  } else if (turn.next == Turn::Next::kCloseAfterReplies) {
    BeginClose();
  } else {
    CheckInput();
  }
  Account();
}

void Connection::CheckInput() {
  if (input_.size() <= options_.max_input_bytes) return;
  counters_->cut_for_input.fetch_add(1, std::memory_order_relaxed);
  Drop();
}

void Connection::AllowMarked() {
  allowed_ = VARVE_PLANTED_BUG("net.unmarked_output_sent") ? output_.end() : marked_;
}

void Connection::Flush() {
  while (wants_write()) {
    const ssize_t count = SendPieces();
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return Drop();
    counters_->output_bytes.fetch_add(static_cast<uint64_t>(count), std::memory_order_relaxed);
    output_.Consume(static_cast<size_t>(count));
  }
  if (output_.size() == 0 && clear_output_.empty() && !is_turned) FinishSending();
  if (unsent_bytes() > options_.max_output_bytes && state_ != State::kGone &&
      !VARVE_PLANTED_BUG("net.slow_readers_not_cut")) {
    counters_->cut_for_output.fetch_add(1, std::memory_order_relaxed);
    Drop();
  }
  Account();
}

ssize_t Connection::SendPieces() {
  std::array<iovec, kMaxPieces> pieces;
  const int count = output_.Pieces(allowed_, pieces.data(), kMaxPieces);
  if (count == 1) return ::send(descriptor_.get(), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = static_cast<size_t>(count);
  return ::sendmsg(descriptor_.get(), &message, MSG_NOSIGNAL);
}

void Connection::FinishSending() {
  if (state_ != State::kClosing) return;
  state_ = ::shutdown(descriptor_.get(), SHUT_WR) == 0 ? State::kLingers : State::kGone;
}

}  // namespace varve::net
