// BITFIELD: a string as an array of integers of any width.
#include <algorithm>

#include "base/status_macros.h"
#include "resp/number.h"
#include "server/bits.h"
#include "server/call.h"

namespace varve::server {
namespace {

enum class Overflow : uint8_t { kWrap, kSaturate, kFail };

struct Operation {
  enum Kind : uint8_t { kGet, kSet, kAdd } kind = kGet;
  bool is_signed = false;
  int width = 0;
  uint64_t offset = 0;
  int64_t operand = 0;
  Overflow overflow = Overflow::kWrap;
};

// "i1" to "i64", "u1" to "u63". False after replying an error.
bool TakeType(Call& call, size_t i, Operation* operation) {
  const std::string_view text = call.arg(i);
  const char kind = text.empty() ? '\0' : text[0];
  const std::optional<int64_t> width = text.empty() ? std::nullopt : resp::ParseInteger(text.substr(1));
  operation->is_signed = kind == 'i';
  if ((kind == 'i' || kind == 'u') && width && *width >= 1 && *width <= (kind == 'i' ? 64 : 63)) {
    operation->width = static_cast<int>(*width);
    return true;
  }
  static_cast<void>(
      call.Error("Invalid bitfield type. Use something like i16 u8. "
                 "Note that u64 is not supported but i64 is."));
  return false;
}

bool TakeOverflow(Call& call, size_t i, Overflow* overflow) {
  if (call.Is(i, "wrap")) {
    *overflow = Overflow::kWrap;
  } else if (call.Is(i, "sat")) {
    *overflow = Overflow::kSaturate;
  } else if (call.Is(i, "fail")) {
    *overflow = Overflow::kFail;
  } else {
    static_cast<void>(call.Error("Invalid OVERFLOW type specified"));
    return false;
  }
  return true;
}

bool ParseOperations(Call& call, std::vector<Operation>* operations) {
  Overflow overflow = Overflow::kWrap;
  for (size_t i = 2; i < call.count();) {
    const size_t left = call.count() - i - 1;
    Operation operation;
    if (call.Is(i, "get") && left >= 2) {
      operation.kind = Operation::kGet;
    } else if (call.Is(i, "set") && left >= 3) {
      operation.kind = Operation::kSet;
    } else if (call.Is(i, "incrby") && left >= 3) {
      operation.kind = Operation::kAdd;
    } else if (call.Is(i, "overflow") && left >= 1) {
      if (!TakeOverflow(call, i + 1, &overflow)) return false;
      i += 2;
      continue;
    } else {
      static_cast<void>(call.SyntaxError());
      return false;
    }
    if (!TakeType(call, i + 1, &operation)) return false;
    if (!TakeBitOffset(call, i + 2, operation.width, &operation.offset)) return false;
    const bool has_operand = operation.kind != Operation::kGet;
    if (has_operand && !call.TakeInteger(i + 3, &operation.operand)) return false;
    operation.overflow = overflow;
    operations->push_back(operation);
    i += has_operand ? 4 : 3;
  }
  return true;
}

uint64_t Read(std::string_view bytes, const Operation& field) {
  uint64_t bits = 0;
  for (int i = 0; i < field.width; ++i) {
    bits = bits << 1 | (BitAt(bytes, field.offset + static_cast<uint64_t>(i)) ? 1 : 0);
  }
  return bits;
}

void Write(std::string* bytes, const Operation& field, uint64_t bits) {
  for (int i = 0; i < field.width; ++i) {
    SetBitAt(bytes, field.offset + static_cast<uint64_t>(i), (bits >> (field.width - 1 - i) & 1) != 0);
  }
}

// The number that the lowest bits are.
__int128 Extend(uint64_t bits, const Operation& field) {
  if (field.width < 64) bits &= (uint64_t{1} << field.width) - 1;
  if (field.is_signed && (bits >> (field.width - 1) & 1) != 0) {
    return static_cast<__int128>(bits) - (static_cast<__int128>(1) << field.width);
  }
  return static_cast<__int128>(bits);
}

// `exact` as the field can hold it. False: it cannot, and nothing is to be written.
bool Fit(const Operation& field, __int128 exact, __int128* value) {
  const __int128 max =
      (static_cast<__int128>(1) << (field.is_signed ? field.width - 1 : field.width)) - 1;
  const __int128 min = field.is_signed ? -max - 1 : 0;
  *value = exact;
  if (exact >= min && exact <= max) return true;
  if (field.overflow == Overflow::kFail) return false;
  *value = field.overflow == Overflow::kSaturate ? (exact > max ? max : min)
                                                 : Extend(static_cast<uint64_t>(exact), field);
  return true;
}

void Perform(Call& call, const Operation& operation, std::string* bytes) {
  const __int128 before = Extend(Read(*bytes, operation), operation);
  if (operation.kind == Operation::kGet) {
    return call.reply.Integer(static_cast<int64_t>(before));
  }
  // What is set in a field without sign counts as a number without sign.
  const __int128 operand = operation.kind == Operation::kSet && !operation.is_signed
                               ? static_cast<__int128>(static_cast<uint64_t>(operation.operand))
                               : static_cast<__int128>(operation.operand);
  __int128 after = 0;
  if (!Fit(operation, operation.kind == Operation::kAdd ? before + operand : operand, &after)) {
    return call.reply.Null();
  }
  Write(bytes, operation, static_cast<uint64_t>(after));
  call.reply.Integer(static_cast<int64_t>(operation.kind == Operation::kAdd ? after : before));
}

Status Bitfield(Call& call, bool is_readonly) {
  std::vector<Operation> operations;
  if (!ParseOperations(call, &operations)) return Status::Ok();
  uint64_t last_bit = 0;
  bool writes = false;
  for (const Operation& operation : operations) {
    if (operation.kind == Operation::kGet) continue;
    writes = true;
    last_bit = std::max(last_bit, operation.offset + static_cast<uint64_t>(operation.width) - 1);
  }
  if (writes && is_readonly) return call.Error("BITFIELD_RO only supports the GET subcommand");
  if (writes && call.transaction == nullptr) return call.NeedTransaction();
  VARVE_ASSIGN_OR_RETURN(std::optional<Entry> entry, call.Find(call.arg(1)));
  const std::string before = entry ? entry->value : std::string();
  const bool is_new = !entry;
  if (is_new) entry.emplace();
  if (writes) GrowToBit(&entry->value, last_bit);
  call.reply.Array(operations.size());
  for (const Operation& operation : operations) Perform(call, operation, &entry->value);
  const bool changes = writes && (is_new || entry->value != before);
  if (!changes) return Status::Ok();
  call.Notify(kEventString, "setbit", call.arg(1));
  return call.Put(call.arg(1), entry->value, entry->expire_at);
}

Status BitfieldAny(Call& call) { return Bitfield(call, false); }
Status BitfieldRo(Call& call) { return Bitfield(call, true); }

}  // namespace

std::vector<CommandSpec> BitfieldCommands() {
  return {
      {"bitfield", -2, "write denyoom", "bitmap", "RW access update variable_flags@1:0,1", "",
       "3.2.0", "bitmap", "Reads and changes integers of any width within a value", BitfieldAny},
      {"bitfield_ro", -2, "readonly fast", "bitmap", "RO access@1:0,1", "", "6.0.0", "bitmap",
       "Reads integers of any width within a value", BitfieldRo},
  };
}

}  // namespace varve::server
