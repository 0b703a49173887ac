// Bits: single ones, counts, searches, and operations on whole strings.
#include <algorithm>
#include <bit>

#include "base/status_macros.h"
#include "resp/number.h"
#include "server/bits.h"
#include "server/call.h"
#include "server/service.h"

namespace varve::server {

bool TakeBitOffset(Call& call, size_t i, int width, uint64_t* offset) {
  std::string_view text = call.arg(i);
  const bool is_field = width > 0 && text.starts_with('#');
  if (is_field) text.remove_prefix(1);
  const std::optional<int64_t> number = resp::ParseInteger(text);
  int64_t at = number.value_or(-1);
  const bool overflows = is_field && __builtin_mul_overflow(at, static_cast<int64_t>(width), &at);
  if (!number || overflows || at < 0 || (at >> 3) >= call.service.max_bulk_bytes()) {
    static_cast<void>(call.Error("bit offset is not an integer or out of range"));
    return false;
  }
  *offset = static_cast<uint64_t>(at);
  return true;
}

namespace {

Status SetBit(Call& call) {
  constexpr std::string_view kBadBit = "bit is not an integer or out of range";
  uint64_t at = 0;
  int64_t bit = 0;
  if (!TakeBitOffset(call, 2, 0, &at) || !call.TakeInteger(3, &bit, kBadBit)) return Status::Ok();
  if (bit != 0 && bit != 1) return call.Error(kBadBit);
  VARVE_ASSIGN_OR_RETURN(std::optional<Entry> entry, call.Find(call.arg(1)));
  const bool is_new = !entry;
  if (is_new) entry.emplace();
  const bool before = BitAt(entry->value, at);
  const size_t size = entry->value.size();
  GrowToBit(&entry->value, at);
  if (is_new || before != (bit == 1) || size != entry->value.size()) {
    SetBitAt(&entry->value, at, bit == 1);
    VARVE_RETURN_IF_ERROR(call.Put(call.arg(1), entry->value, entry->expire_at));
    call.Notify(kEventString, "setbit", call.arg(1));
  }
  return call.Integer(before ? 1 : 0);
}

Status GetBit(Call& call) {
  uint64_t at = 0;
  if (!TakeBitOffset(call, 2, 0, &at)) return Status::Ok();
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(1)));
  return call.Integer(value && BitAt(value->view(), at) ? 1 : 0);
}

// A range of bits, from the arguments of BITCOUNT and BITPOS.
struct BitRange {
  int64_t start = 0;
  int64_t end = -1;  // the last; before start: empty
  bool has_end = false;
};

// Negative numbers count from the end; what lies outside is cut off. In units of `unit` bits.
BitRange Clamp(int64_t start, int64_t end, int64_t byte_count, int64_t unit) {
  const int64_t total = byte_count * 8 / unit;
  if (start < 0) start = std::max<int64_t>(0, start + total);
  if (end < 0) end = std::max<int64_t>(0, end + total);
  end = std::min(end, total - 1);
  if (start > end) return {0, -1};
  return {start * unit, end * unit + unit - 1};
}

// BYTE or BIT. 0 after replying an error.
int64_t TakeUnit(Call& call, size_t i) {
  if (call.Is(i, "byte")) return 8;
  if (call.Is(i, "bit")) return 1;
  static_cast<void>(call.SyntaxError());
  return 0;
}

uint64_t CountBits(std::string_view bytes, const BitRange& range) {
  uint64_t count = 0;
  uint64_t at = static_cast<uint64_t>(range.start);
  const uint64_t end = static_cast<uint64_t>(range.end + 1);
  for (; at < end && at % 8 != 0; ++at) count += BitAt(bytes, at) ? 1 : 0;
  for (; at + 8 <= end; at += 8) {
    count += static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(bytes[at / 8])));
  }
  for (; at < end; ++at) count += BitAt(bytes, at) ? 1 : 0;
  return count;
}

Status BitCount(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(1)));
  if (!value) return call.Integer(0);
  const int64_t size = static_cast<int64_t>(value->size());
  BitRange range = Clamp(0, -1, size, 8);
  if (call.count() == 4 || call.count() == 5) {
    int64_t start = 0;
    int64_t end = 0;
    if (!call.TakeInteger(2, &start) || !call.TakeInteger(3, &end)) return Status::Ok();
    if (start < 0 && end < 0 && start > end) return call.Integer(0);
    const int64_t unit = call.count() == 5 ? TakeUnit(call, 4) : 8;
    if (unit == 0) return Status::Ok();
    range = Clamp(start, end, size, unit);
  } else if (call.count() != 2) {
    return call.SyntaxError();
  }
  if (range.start > range.end) return call.Integer(0);
  return call.Integer(static_cast<int64_t>(CountBits(value->view(), range)));
}

// The first bit of the range that is `bit`; -1: none.
int64_t FindBit(std::string_view bytes, const BitRange& range, bool bit) {
  const char nothing = static_cast<char>(bit ? 0x00 : 0xFF);
  for (int64_t at = range.start; at <= range.end;) {
    const uint64_t place = static_cast<uint64_t>(at);
    if (at % 8 == 0 && at + 7 <= range.end && bytes[place / 8] == nothing) {
      at += 8;
    } else if (BitAt(bytes, place) == bit) {
      return at;
    } else {
      ++at;
    }
  }
  return -1;
}

Status BitPos(Call& call) {
  int64_t bit = 0;
  if (!call.TakeInteger(2, &bit)) return Status::Ok();
  if (bit != 0 && bit != 1) return call.Error("The bit argument must be 1 or 0.");
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(1)));
  if (!value) return call.Integer(bit == 1 ? -1 : 0);
  const int64_t size = static_cast<int64_t>(value->size());
  BitRange range = Clamp(0, -1, size, 8);
  if (call.count() >= 4 && call.count() <= 6) {
    int64_t start = 0;
    int64_t end = -1;
    if (!call.TakeInteger(3, &start)) return Status::Ok();
    const int64_t unit = call.count() == 6 ? TakeUnit(call, 5) : 8;
    if (unit == 0) return Status::Ok();
    if (call.count() >= 5 && !call.TakeInteger(4, &end)) return Status::Ok();
    range = Clamp(start, end, size, unit);
    range.has_end = call.count() >= 5;
  } else if (call.count() != 3) {
    return call.SyntaxError();
  }
  if (range.start > range.end) return call.Integer(-1);
  const int64_t found = FindBit(value->view(), range, bit == 1);
  // Without an end there are zeros behind the string.
  if (found < 0 && bit == 0 && !range.has_end) return call.Integer(size * 8);
  return call.Integer(found);
}

Status BitOp(Call& call) {
  enum { kAnd, kOr, kXor, kNot } op;
  if (call.Is(1, "and")) {
    op = kAnd;
  } else if (call.Is(1, "or")) {
    op = kOr;
  } else if (call.Is(1, "xor")) {
    op = kXor;
  } else if (call.Is(1, "not")) {
    op = kNot;
  } else {
    return call.SyntaxError();
  }
  if (op == kNot && call.count() != 4) {
    return call.Error("BITOP NOT must be called with a single source key.");
  }
  std::string result;
  for (size_t i = 3; i < call.count(); ++i) {
    std::string source;
    VARVE_RETURN_IF_ERROR(call.Get(call.arg(i), &source).status());
    if (i == 3) {
      result = std::move(source);
      continue;
    }
    const size_t size = std::max(result.size(), source.size());
    result.resize(size);
    source.resize(size);
    for (size_t k = 0; k < size; ++k) {
      const char byte = source[k];
      result[k] = static_cast<char>(op == kAnd  ? result[k] & byte
                                    : op == kOr ? result[k] | byte
                                                : result[k] ^ byte);
    }
  }
  if (op == kNot) {
    for (char& byte : result) byte = static_cast<char>(~byte);
  }
  const std::string_view target = call.arg(2);
  if (!result.empty()) {
    VARVE_RETURN_IF_ERROR(call.Put(target, result));
    call.Notify(kEventString, "set", target);
  } else {
    VARVE_ASSIGN_OR_RETURN(const bool is_present, call.Exists(target));
    if (is_present) VARVE_RETURN_IF_ERROR(call.Delete(target));
    if (is_present) call.Notify(kEventGeneric, "del", target);
  }
  return call.Integer(static_cast<int64_t>(result.size()));
}

}  // namespace

std::vector<CommandSpec> BitCommands() {
  return {
      {"setbit", 4, "write denyoom", "bitmap", "RW access update@1:0,1", "", "2.2.0", "bitmap",
       "Sets or clears a bit and returns what it was", SetBit, true},
      {"getbit", 3, "readonly fast", "bitmap", "RO access@1:0,1", "", "2.2.0", "bitmap",
       "Returns a bit", GetBit},
      {"bitcount", -2, "readonly", "bitmap", "RO access@1:0,1", "", "2.6.0", "bitmap",
       "Counts the bits that are set", BitCount},
      {"bitpos", -3, "readonly", "bitmap", "RO access@1:0,1", "", "2.8.7", "bitmap",
       "Finds the first bit that is set or clear", BitPos},
      {"bitop", -4, "write denyoom", "bitmap", "OW update@2:0,1;RO access@3:-1,1", "", "2.6.0",
       "bitmap", "Combines values bit by bit", BitOp, true},
  };
}

}  // namespace varve::server
