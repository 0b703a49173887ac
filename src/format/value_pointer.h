// ValuePointer: where the value log holds a separated value. It is the value of a kValuePointer
// entry.
#ifndef VARVE_FORMAT_VALUE_POINTER_H_
#define VARVE_FORMAT_VALUE_POINTER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/coding.h"

namespace varve {

inline constexpr size_t kValuePointerBytes = 24;

struct ValuePointer {
  uint64_t file_number = 0;
  uint64_t offset = 0;  // of the record, header included
  uint32_t value_bytes = 0;
  uint32_t key_bytes = 0;

  friend bool operator==(const ValuePointer&, const ValuePointer&) = default;
};

// Writes kValuePointerBytes.
inline void EncodeValuePointer(const ValuePointer& pointer, char* to) {
  StoreFixed(to, pointer.file_number);
  StoreFixed(to + 8, pointer.offset);
  StoreFixed(to + 16, pointer.value_bytes);
  StoreFixed(to + 20, pointer.key_bytes);
}

// False when `bytes` is not exactly kValuePointerBytes long.
inline bool DecodeValuePointer(std::string_view bytes, ValuePointer* pointer) {
  if (bytes.size() != kValuePointerBytes) return false;
  pointer->file_number = LoadFixed<uint64_t>(bytes.data());
  pointer->offset = LoadFixed<uint64_t>(bytes.data() + 8);
  pointer->value_bytes = LoadFixed<uint32_t>(bytes.data() + 16);
  pointer->key_bytes = LoadFixed<uint32_t>(bytes.data() + 20);
  return true;
}

}  // namespace varve

#endif  // VARVE_FORMAT_VALUE_POINTER_H_
