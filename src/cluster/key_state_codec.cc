// KeyState as bytes: a version, the context, the siblings.
#include <utility>

#include "base/planted_bug.h"
#include "cluster/key_state.h"
#include "cluster/wire.h"

namespace varve::cluster {
namespace {

constexpr char kStateVersion = 1;
// So many bytes have most contexts, and numbers beside a value.
constexpr size_t kRoomForContext = 64;
constexpr size_t kRoomForSibling = 32;
// Flags of a sibling.
constexpr uint64_t kStamped = 1;    // a stamp follows, which is not 0
constexpr uint64_t kTombstone = 2;  // no value follows

bool ConsumeSibling(std::string_view* input, Sibling* sibling) {
  uint64_t flags = 0;
  if (!ConsumeActor(input, &sibling->dot.actor)) return false;
  if (!ConsumeCanonicalVarint(input, &sibling->dot.counter)) return false;
  if (!ConsumeCanonicalVarint(input, &flags) || flags > (kStamped | kTombstone)) return false;
  if ((flags & kStamped) != 0) {
    if (!ConsumeCanonicalVarint(input, &sibling->stamp)) return false;
    if (sibling->stamp == 0 || sibling->stamp > kMaxStamp) return false;
  }
  sibling->tombstone = (flags & kTombstone) != 0;
  if (sibling->tombstone) return true;
  std::string_view value;
  if (!ConsumeCanonicalBytes(input, &value)) return false;
  sibling->value = value;
  return true;
}

Status Malformed(const char* what) {
  return Status::Corruption(std::string("state of a key: ") + what);
}

}  // namespace

std::string KeyState::Encode() const {
  std::string bytes;
  size_t room = kRoomForContext;
  for (const Sibling& sibling : siblings_) room += kRoomForSibling + sibling.value.size();
  bytes.reserve(room);
  AppendTo(&bytes);
  return bytes;
}

void KeyState::AppendTo(std::string* to) const {
  to->push_back(kStateVersion);
  context_.AppendTo(to);
  AppendVarint(to, siblings_.size());
  for (const Sibling& sibling : siblings_) {
    AppendVarint(to, Value(sibling.dot.actor));
    AppendVarint(to, sibling.dot.counter);
    AppendVarint(to, (sibling.stamp != 0 ? kStamped : 0) | (sibling.tombstone ? kTombstone : 0));
    if (sibling.stamp != 0) AppendVarint(to, sibling.stamp);
    if (!sibling.tombstone) AppendLengthPrefixed(to, sibling.value);
  }
}

Result<KeyState> KeyState::Decode(std::string_view bytes, const VersionVector& floor) {
  if (bytes.empty() || bytes[0] != kStateVersion) return Malformed("unknown version");
  bytes.remove_prefix(1);
  KeyState state;
  if (!CausalContext::Consume(&bytes, &state.context_)) return Malformed("its context");
  state.Fill(floor);
  uint64_t count = 0;
  constexpr size_t kLeastBytesOfSibling = 3;
  if (!ConsumeCanonicalVarint(&bytes, &count) || count > bytes.size() / kLeastBytesOfSibling) {
    return Malformed("its number of siblings");
  }
  Dot last;
  for (; count > 0; --count) {
    Sibling sibling;
    if (!ConsumeSibling(&bytes, &sibling)) return Malformed("a sibling");
    if (sibling.dot.counter == 0 || sibling.dot <= last) return Malformed("the order of its siblings");
    if (!state.context_.Covers(sibling.dot)) return Malformed("a sibling that its context does not know");
    last = sibling.dot;
    state.siblings_.push_back(std::move(sibling));
  }
  if (!bytes.empty() && !VARVE_PLANTED_BUG("kernel.trailing_bytes_accepted")) {
    return Malformed("bytes behind its end");
  }
  return state;
}

}  // namespace varve::cluster
