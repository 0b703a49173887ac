// Damage: what is wrong in a file, and which stored keys that concerns. What verify, scrub and repair
// pass around before it is put into the words of the interface.
#ifndef VARVE_ENGINE_DAMAGE_H_
#define VARVE_ENGINE_DAMAGE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "format/stored_key.h"
#include "varve/key_range.h"

namespace varve {

// Stored keys from `begin` on, below `end` if that is set.
struct DamagedKeys {
  std::string begin;
  std::optional<std::string> end;
  friend bool operator==(const DamagedKeys&, const DamagedKeys&) = default;
};

struct Damage {
  std::string file;
  uint64_t offset = 0;
  std::string what;
  std::optional<DamagedKeys> keys;  // unset: none, or not known

  // "file at offset 4096: what".
  std::string ToString() const {
    return file + " at offset " + std::to_string(offset) + ": " + what;
  }
};

// The smallest stored key after `key`.
inline std::string AfterKey(std::string_view key) {
  std::string after(key);
  after.push_back('\0');
  return after;
}

using NamespaceNames = std::map<uint32_t, std::string>;

// The ranges of single namespaces that `keys` is made of: of the default one, of the table, and of those
// in `names`, which has all that hold data. A range without an end that begins with the first key is
// everything.
std::vector<KeyRange> ToKeyRanges(const DamagedKeys& keys, const NamespaceNames& names);

}  // namespace varve

#endif  // VARVE_ENGINE_DAMAGE_H_
