// Integers as bytes: fixed little-endian and varint (LEB128). Part of every file format.
#ifndef VARVE_BASE_CODING_H_
#define VARVE_BASE_CODING_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace varve {

static_assert(std::endian::native == std::endian::little, "formats are little-endian");

template <typename T>
inline void StoreFixed(char* to, T value) {
  std::memcpy(to, &value, sizeof(value));
}
template <typename T>
inline T LoadFixed(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
template <typename T>
inline void AppendFixed(std::string* to, T value) {
  to->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Copies `bytes`, which may be an empty view of nothing: memcpy takes no null pointer.
inline void CopyBytes(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

inline constexpr int kMaxVarint64Bytes = 10;
inline constexpr int kMaxVarint32Bytes = 5;

// Writes `value` and returns the end of what was written. REQUIRES: kMaxVarint64Bytes of room.
inline char* StoreVarint(char* to, uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}
inline void AppendVarint(std::string* to, uint64_t value) {
  char buffer[kMaxVarint64Bytes];
  to->append(buffer, static_cast<size_t>(StoreVarint(buffer, value) - buffer));
}
inline int VarintLength(uint64_t value) {
  return value == 0 ? 1 : (std::bit_width(value) + 6) / 7;
}

// Reads a varint from [from, limit). Returns the byte after it, or nullptr when it is cut off, longer
// than ten bytes, or over 64 bits.
inline const char* LoadVarint(const char* from, const char* limit, uint64_t* value) {
  uint64_t result = 0;
  for (int shift = 0; shift <= 63 && from < limit; shift += 7) {
    const uint64_t byte = static_cast<unsigned char>(*from++);
    if (shift == 63 && byte > 1) return nullptr;
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      return from;
    }
  }
  return nullptr;
}

// Consume from the front of `*input`; false (and `*input` unspecified) when it is malformed.
inline bool ConsumeVarint(std::string_view* input, uint64_t* value) {
  const char* limit = input->data() + input->size();
  const char* next = LoadVarint(input->data(), limit, value);
  if (next == nullptr) return false;
  *input = std::string_view(next, static_cast<size_t>(limit - next));
  return true;
}
inline bool ConsumeBytes(std::string_view* input, uint64_t size, std::string_view* bytes) {
  if (size > input->size()) return false;
  *bytes = input->substr(0, size);
  input->remove_prefix(size);
  return true;
}
inline bool ConsumeLengthPrefixed(std::string_view* input, std::string_view* bytes) {
  uint64_t size;
  return ConsumeVarint(input, &size) && ConsumeBytes(input, size, bytes);
}
inline void AppendLengthPrefixed(std::string* to, std::string_view bytes) {
  AppendVarint(to, bytes.size());
  to->append(bytes);
}
template <typename T>
inline bool ConsumeFixed(std::string_view* input, T* value) {
  if (input->size() < sizeof(T)) return false;
  *value = LoadFixed<T>(input->data());
  input->remove_prefix(sizeof(T));
  return true;
}

// The first eight bytes of `key` as a number that orders like them (shorter keys padded with zeros).
// Equal heads say nothing; different heads decide the order of the keys.
inline uint64_t KeyHead(std::string_view key) {
  uint64_t head = 0;
  std::memcpy(&head, key.data(), key.size() < 8 ? key.size() : 8);
  return __builtin_bswap64(head);
}

// The number of values below `value` among `values`, `count` in ascending order. O(log count), without
// a branch that depends on them.
inline size_t LowerBoundOf(const uint64_t* values, size_t count, uint64_t value) {
  const uint64_t* first = values;
  for (size_t left = count; left > 0;) {
    const size_t half = left / 2;
    const bool below = first[half] < value;
    first = below ? first + half + 1 : first;
    left = below ? left - half - 1 : half;
  }
  return static_cast<size_t>(first - values);
}

}  // namespace varve

#endif  // VARVE_BASE_CODING_H_
