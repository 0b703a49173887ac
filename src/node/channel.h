// Channel: one end of one connection between nodes: TLS, hellos, frames and messages, as bytes in memory.
// Knows no sockets, threads or clocks.
//
// The dialer says hello, the acceptor answers with its own or a refusal; then the dialer may send messages
// and pings, and the acceptor answers pings. The dialer's first frame after the hellos proves that it has
// seen the acceptor's nonce: until then the acceptor takes nobody for connected.
#ifndef VARVE_NODE_CHANNEL_H_
#define VARVE_NODE_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/connection.h"
#include "node/frame.h"
#include "node/hello.h"
#include "node/outbox.h"
#include "tls/session.h"
#include "varve/status.h"

namespace varve::node {

// A message that has come.
struct Delivery {
  NodeId from = cluster::kNoNode;
  uint64_t incarnation = 0;  // of the sender
  uint64_t features = 0;     // that both have
  Nanos deadline = 0;        // by the receiver's clock; 0: none
  std::string_view bytes;    // during the call only
};

// Bytes of messages that have come in part, of all channels that share it. Thread-compatible.
struct AssemblyBudget {
  size_t limit = size_t{1} << 30;
  size_t used = 0;
  uint64_t dropped = 0;  // messages for which there was no room, or that were larger than allowed
};

// Thread-compatible.
class Channel {
 public:
  enum class Side { kDials, kAccepts };
  enum class State {
    kGreets,   // until the hellos are done
    kOpen,     // dialer: messages may be sent; acceptor: they come
    kRefused,  // acceptor: has output that says why; everything that comes is ignored
    kBroken,
  };
  // What the channel asks and tells. Called within Receive.
  class Owner {
   public:
    virtual ~Owner() = default;
    // Whether the other side may be who it says it is; not OK: the reason, which it is told if it dials.
    // `tls`: nullptr without.
    virtual Status Approve(const Hello& theirs, const tls::Session* tls) = 0;
    virtual void OnOpen() = 0;
    virtual void OnMessage(const Delivery& delivery) = 0;
    virtual void OnPong(uint64_t number) = 0;
  };
  struct Limits {
    size_t max_message_bytes = QueueLimits{}.max_message_bytes;
    // Answers that an acceptor keeps for a dialer that does not read them.
    size_t max_answer_bytes = 64 * 1024;
  };

  // `mine`, with a nonce of its own, is said to the other side. `tls`: nullptr for none, else a session of
  // the same side. Borrows `owner` and `budget`.
  Channel(Side side, Hello mine, std::unique_ptr<tls::Session> tls, const Limits& limits, Owner* owner,
          AssemblyBudget* budget);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Once, for the dialer.
  void Begin();
  // Takes all of `bytes`. Not OK: the connection is over; what is left of output() is worth sending.
  // kInvalidArgument: one side has refused the other.
  Status Receive(std::string_view bytes, Nanos now);

  // --- For the dialer; REQUIRES: kOpen.
  void SendMessage(std::string_view bytes, Nanos deadline, Nanos now);
  // The first, and then the other pieces of a message. REQUIRES: no other has begun and not ended.
  void SendFirstPiece(std::string_view bytes, uint64_t total, Nanos deadline, Nanos now);
  void SendPiece(std::string_view bytes);
  void SendAbandon();
  void SendPing(uint64_t number);

  // Encrypts what waits for it. Not OK: the connection is over.
  Status Seal();
  // What is to be sent, after Seal; the sender says how much it has taken.
  std::string_view output() const { return std::string_view(wire_).substr(taken_); }
  void Taken(size_t size);
  size_t pending_bytes() const { return wire_.size() - taken_ + clear_.size(); }

  State state() const { return state_; }
  // After the other's hello.
  const Hello& theirs() const { return theirs_; }
  const Agreement& agreement() const { return agreement_; }

 private:
  void Append(FrameType type, std::string_view head, std::string_view body);
  std::string* clear() { return tls_ ? &clear_ : &wire_; }
  void SayHello();
  Status TakeClear(std::string_view bytes, Nanos now);
  Status TakeFrames(std::string_view input, Nanos now, size_t* consumed);
  Status TakeFrame(const Frame& frame, Nanos now);
  Status TakeHello(const Frame& frame);
  Status TakeAfterHello(const Frame& frame, Nanos now);
  Status TakeMessage(std::string_view body, Nanos now);
  Status TakeFirstPiece(std::string_view body, Nanos now);
  Status TakePiece(std::string_view bytes);
  void AddPiece(std::string_view bytes);
  Status TakePing(const Frame& frame);
  void EndAssembly();
  void Deliver(std::string_view bytes, Nanos deadline);
  Status Refuse(const Status& reason);
  Status Broken(const std::string& why);

  const Side side_;
  const Hello mine_;
  const std::unique_ptr<tls::Session> tls_;
  const Limits limits_;
  Owner* const owner_;
  AssemblyBudget* const budget_;
  State state_ = State::kGreets;
  bool has_said_hello_ = false;
  bool has_heard_hello_ = false;
  Hello theirs_;
  Agreement agreement_;
  uint64_t send_seed_ = kHelloSeed;
  uint64_t receive_seed_ = kHelloSeed;
  uint64_t send_number_ = 0;
  uint64_t receive_number_ = 0;
  net::InputBuffer input_;
  std::string clear_;  // with TLS: what is not encrypted yet
  std::string wire_;
  size_t taken_ = 0;  // of it

  // The message that comes in pieces.
  net::InputBuffer assembly_;
  uint64_t total_ = 0;     // 0: none comes
  uint64_t received_ = 0;  // of it
  bool is_discarded_ = false;
  Nanos assembly_deadline_ = 0;
  size_t accounted_ = 0;
};

}  // namespace varve::node

#endif  // VARVE_NODE_CHANNEL_H_
