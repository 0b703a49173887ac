// Frames: the unit of what nodes send to each other. Bytes and frames, without sockets.
//
//   u32 size of the body | u8 type | u8 0 | u16 0 | u64 checksum | body        all little-endian
//
// The checksum is XXH3 over the body, seeded by the rest of the header, the connection and direction
// (`seed`) and the number of the frame in it: a frame that was lost, repeated, moved or recorded elsewhere
// fails it as a changed one does. It guards against accidents; against attackers there is TLS.
#ifndef VARVE_NODE_FRAME_H_
#define VARVE_NODE_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace varve::node {

enum class FrameType : uint8_t {
  kHello = 1,       // hello.h; the first frame of each side
  kRefusal = 2,     // instead of a hello: why not, as text
  kMessage = 3,     // u32 milliseconds that are left (0: no deadline) | the message
  kFirstPiece = 4,  // u32 milliseconds | u64 size of the message | its first bytes
  kPiece = 5,       // the next bytes of the message that has begun
  kAbandon = 6,     // nothing: the message that has begun will not be finished
  kPing = 7,        // u64, any
  kPong = 8,        // what the ping had
};

inline constexpr size_t kFrameHeaderBytes = 16;
// Messages above this travel in pieces of this size, between which others may go.
inline constexpr size_t kPieceBytes = 64 * 1024;
inline constexpr size_t kMaxFrameBody = kPieceBytes + 12;
// Hellos and refusals have no other seed than this.
inline constexpr uint64_t kHelloSeed = 0x6f6c6c6568657672;

struct Frame {
  FrameType type = FrameType::kPing;
  std::string_view body;  // within what was decoded
  size_t size = 0;        // with its header
};

// `head` and right behind it `body` are the frame's. REQUIRES: together at most kMaxFrameBody.
void AppendFrame(FrameType type, std::string_view head, std::string_view body, uint64_t seed, uint64_t number,
                 std::string* to);

enum class FrameOutcome {
  kFrame,
  kNeedMore,  // a beginning of a frame, so far
  kBad,       // no frame, or not this one
};

// The frame at the beginning of `input`. Announced sizes above the limit are bad at once.
FrameOutcome DecodeFrame(std::string_view input, uint64_t seed, uint64_t number, Frame* frame);

}  // namespace varve::node

#endif  // VARVE_NODE_FRAME_H_
