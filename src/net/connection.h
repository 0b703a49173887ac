// Connection: one socket with its input and its output. Lives in one loop.
#ifndef VARVE_NET_CONNECTION_H_
#define VARVE_NET_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "net/handler.h"
#include "net/options.h"
#include "net/output_buffer.h"
#include "net/socket.h"
#include "tls/session.h"

namespace varve::net {

// Bytes that wait for the rest of their request. Grows with what comes, not with what is announced; holds
// nothing while it is empty.
class InputBuffer {
 public:
  InputBuffer() = default;
  ~InputBuffer();
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;

  std::string_view view() const { return {data_ + begin_, end_ - begin_}; }
  size_t size() const { return end_ - begin_; }
  size_t capacity() const { return capacity_; }
  void Append(std::string_view bytes);
  // Room behind the bytes, at least a little: as much again as there is, but not beyond `wanted` in all
  // when that is close. Fill it and call Added.
  std::span<char> Room(size_t wanted);
  void Added(size_t size) { end_ += size; }
  void Consume(size_t size);

 private:
  void Reserve(size_t capacity);

  char* data_ = nullptr;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
};

// Thread-compatible.
class Connection {
 public:
  enum class State {
    kOpen,
    kClosing,  // sends what is left, then lingers
    kLingers,  // has said all, and waits for the other end, so that nothing that was sent is lost
    kGone,
  };

  Connection(uint64_t id, Descriptor descriptor, std::unique_ptr<ConnectionHandler> handler,
             const ServerOptions& options, Counters* counters, OutputPool* pool,
             std::unique_ptr<tls::Session> tls = nullptr);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  uint64_t id() const { return id_; }
  int descriptor() const { return descriptor_.get(); }
  State state() const { return state_; }
  // Reads once, with `scratch` when nothing waits, and takes a turn. False when there was nothing to do.
  bool ReadAndTurn(std::span<char> scratch);
  // A turn over what waits.
  void TurnAgain() { TakeTurn(input_.view(), /*is_buffered=*/true, /*read=*/0); }
  Turn::Next next() const { return next_; }
  // Bytes that its last turn has read or taken, the more of both, and written.
  size_t turn_bytes() const { return turn_bytes_; }
  // Has not had a turn yet.
  bool is_new() const { return is_new_; }
  // Whether the other end had so much to read that nothing more is executed for it until it has read all.
  bool is_paused() const { return is_paused_; }
  // Whether there is something to execute, and it may be.
  bool wants_turn() const {
    return state_ == State::kOpen && (next_ == Turn::Next::kMore || has_kept_) && !is_paused_;
  }
  // How long after its begin the connection is cut, as it is now; 0: not at all.
  uint64_t limit_millis() const;
  uint64_t wait_millis() const { return wait_millis_; }
  void Write(std::string_view bytes) { NextOutput()->append(bytes); }
  // Lets what has been written so far be sent, at once or at the next AllowMarked.
  void AllowAll() {
    MarkOutput();
    AllowMarked();
  }
  void MarkOutput() {
    EncryptOutput();
    marked_ = output_.end();
  }
  void AllowMarked();
  // Sends what it can of what it may.
  void Flush();
  // Sends what is left, then closes.
  void BeginClose() {
    if (state_ == State::kOpen) state_ = State::kClosing;
  }
  void Drop() { state_ = State::kGone; }
  bool wants_read() const {
    // Paused, it reads all the same: who sends before reading would wait for ever.
    return state_ == State::kLingers ||
           (state_ == State::kOpen && (next_ == Turn::Next::kRead || (next_ == Turn::Next::kMore && is_paused())));
  }
  bool wants_write() const { return state_ != State::kGone && output_.begin() < allowed_; }
  size_t buffer_bytes() const { return accounted_; }

  // For the loop: what epoll has been told, and whether this is in its lists.
  uint32_t events = 0;
  bool has_unread = false;  // something came that it does not want yet
  bool is_turned = false;  // has written something that is not marked yet
  bool is_queued = false;
  uint64_t deadline = 0;  // of waiting or lingering; 0: none
  uint64_t listed_at = 0;  // where it stands among the deadlines, at or before its own; 0: nowhere

 private:
  // `read`: how much of the input has come for this turn.
  void TakeTurn(std::string_view input, bool is_buffered, size_t read);
  void CheckInput();
  size_t unsent_bytes() const { return output_.size() + clear_output_.size(); }
  std::string* NextOutput() { return tls_ ? &clear_output_ : output_.tail(); }
  void TakeEncrypted(std::string_view bytes);
  void EncryptOutput();
  ssize_t SendPieces();
  void FinishSending();
  void Account();

  const uint64_t id_;
  Descriptor descriptor_;
  const std::unique_ptr<ConnectionHandler> handler_;
  const ServerOptions& options_;
  Counters* const counters_;
  State state_ = State::kOpen;
  Turn::Next next_ = Turn::Next::kRead;
  bool is_paused_ = false;
  bool has_kept_ = false;  // something came while it was paused
  uint64_t wait_millis_ = 0;
  size_t wanted_ = 0;
  size_t turn_bytes_ = 0;
  bool is_new_ = true;
  InputBuffer input_;
  const std::unique_ptr<tls::Session> tls_;  // nullptr: bytes are as they are
  std::string clear_output_;  // with TLS: what is not encrypted yet
  OutputBuffer output_;       // for the socket
  uint64_t allowed_ = 0;  // output_.begin() <= allowed_ <= marked_ <= output_.end()
  uint64_t marked_ = 0;   // to be allowed when a flush that is under way is done
  size_t accounted_ = 0;
};

}  // namespace varve::net

#endif  // VARVE_NET_CONNECTION_H_
