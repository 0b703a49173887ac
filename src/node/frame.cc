#include "node/frame.h"

#include "base/check.h"
#include "base/coding.h"
#include "base/hash.h"
#include "base/planted_bug.h"

namespace varve::node {

namespace {

constexpr size_t kChecksumAt = 8;

uint64_t Checksum(uint64_t head, std::string_view body, uint64_t seed, uint64_t number) {
  if (VARVE_PLANTED_BUG("frame.place_not_checked")) number = 0;
  return Hash64Long(body, PlaceSeed(seed ^ head, number));
}

}  // namespace

void AppendFrame(FrameType type, std::string_view head, std::string_view body, uint64_t seed, uint64_t number,
                 std::string* to) {
  const size_t size = head.size() + body.size();
  VARVE_CHECK(size <= kMaxFrameBody);
  const uint64_t first = size | uint64_t{static_cast<uint8_t>(type)} << 32;
  const size_t begin = to->size();
  AppendFixed(to, first);
  AppendFixed(to, uint64_t{0});
  to->append(head);
  to->append(body);
  const std::string_view all = std::string_view(*to).substr(begin + kFrameHeaderBytes);
  StoreFixed(to->data() + begin + kChecksumAt, Checksum(first, all, seed, number));
}

FrameOutcome DecodeFrame(std::string_view input, uint64_t seed, uint64_t number, Frame* frame) {
  // What is wrong with the first bytes is wrong whatever follows.
  if (input.size() < kChecksumAt) return FrameOutcome::kNeedMore;
  const uint64_t first = LoadFixed<uint64_t>(input.data());
  const uint64_t size = first & 0xffffffff;
  const uint64_t type = first >> 32;
  if (size > kMaxFrameBody || type < static_cast<uint64_t>(FrameType::kHello) ||
      type > static_cast<uint64_t>(FrameType::kPong)) {
    return FrameOutcome::kBad;
  }
  if (input.size() < kFrameHeaderBytes + size) return FrameOutcome::kNeedMore;
  frame->type = static_cast<FrameType>(type);
  frame->body = input.substr(kFrameHeaderBytes, size);
  frame->size = kFrameHeaderBytes + size;
  const bool is_right =
      LoadFixed<uint64_t>(input.data() + kChecksumAt) == Checksum(first, frame->body, seed, number);
  return is_right || VARVE_PLANTED_BUG("frame.checksum_not_compared") ? FrameOutcome::kFrame : FrameOutcome::kBad;
}

}  // namespace varve::node
