// Stored keys: how the keys of all namespaces lie in one ordered keyspace.
//
//   default namespace   key                    as it is, unless it begins with FF:
//                       FF rest                FF 00 rest
//   namespace n         key                    FF 01 <n, 4 bytes, big-endian> key
//
// Number 0 is the store's own (namespace_record.h). Within a namespace stored keys have the order of the
// keys; the default namespace comes before all others, and each is one range without gaps. Everything
// below the interface works on stored keys.
#ifndef VARVE_FORMAT_STORED_KEY_H_
#define VARVE_FORMAT_STORED_KEY_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve {

inline constexpr size_t kMaxUserKeyBytes = 65535;
inline constexpr size_t kNamespacePrefixBytes = 6;
inline constexpr size_t kMaxStoredKeyBytes = kMaxUserKeyBytes + kNamespacePrefixBytes;
// The end of the default namespace, exclusive.
inline constexpr std::string_view kDefaultNamespaceEnd = "\xff\x01";
inline constexpr uint32_t kStoreNamespaceId = 0;

// True for stored keys, and bounds, beyond the default namespace.
inline bool IsBeyondDefaultNamespace(std::string_view stored) {
  return !stored.empty() && stored[0] == '\xff' && stored >= kDefaultNamespaceEnd;
}

// The number of the namespace that `stored` belongs to; nullopt: the default one (or no stored key).
inline std::optional<uint32_t> NamespaceIdOf(std::string_view stored) {
  if (!IsBeyondDefaultNamespace(stored) || stored.size() < kNamespacePrefixBytes || stored[1] != 1) {
    return std::nullopt;
  }
  uint32_t id = 0;
  for (size_t i = 2; i < kNamespacePrefixBytes; ++i) {
    id = id << 8 | static_cast<unsigned char>(stored[i]);
  }
  return id;
}

// How many bytes of a stored key, or of a bound, are not the user's.
inline size_t StoredKeyOverhead(std::string_view stored) {
  if (stored.empty() || stored[0] != '\xff') return 0;
  return IsBeyondDefaultNamespace(stored) ? std::min(stored.size(), kNamespacePrefixBytes) : 1;
}

// The smallest key that is greater than every key with `prefix`; nullopt when there is none.
inline std::optional<std::string> AfterKeysWithPrefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (end.empty()) return std::nullopt;
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

// The mapping of one namespace. A value; immutable.
class Keyspace {
 public:
  // The default namespace.
  Keyspace() = default;
  static Keyspace Named(uint32_t id) {
    Keyspace keyspace;
    keyspace.prefix_bytes_ = kNamespacePrefixBytes;
    keyspace.prefix_ = {'\xff',
                        '\x01',
                        static_cast<char>(id >> 24),
                        static_cast<char>(id >> 16),
                        static_cast<char>(id >> 8),
                        static_cast<char>(id)};
    return keyspace;
  }

  bool is_default() const { return prefix_bytes_ == 0; }
  // What all stored keys of the namespace begin with; empty for the default one.
  std::string_view prefix() const { return {prefix_.data(), prefix_bytes_}; }

  // The stored key of `key`: `key` itself, or bytes in `*buffer`. Also maps bounds: a key is below a
  // bound exactly when their stored keys are.
  std::string_view ToStored(std::string_view key, std::string* buffer) const {
    if (is_default() && (key.empty() || key[0] != '\xff')) return key;
    buffer->assign(is_default() ? std::string_view("\xff\0", 2) : prefix());
    buffer->append(is_default() ? key.substr(1) : key);
    return *buffer;
  }
  std::string ToStored(std::string_view key) const {
    std::string buffer;
    return std::string(ToStored(key, &buffer));
  }

  // The key of a stored key: a part of it, or bytes in `*buffer`. REQUIRES: Contains(stored).
  std::string_view ToUser(std::string_view stored, std::string* buffer) const {
    if (!is_default()) return stored.substr(kNamespacePrefixBytes);
    if (stored.empty() || stored[0] != '\xff') return stored;
    buffer->assign(1, '\xff');
    buffer->append(stored.substr(std::min<size_t>(2, stored.size())));
    return *buffer;
  }
  std::string ToUser(std::string_view stored) const {
    std::string buffer;
    return std::string(ToUser(stored, &buffer));
  }

  bool Contains(std::string_view stored) const {
    return is_default() ? !IsBeyondDefaultNamespace(stored) : stored.starts_with(prefix());
  }

  // All stored keys of the namespace lie in [begin(), end()), and no others.
  std::string begin() const { return std::string(prefix()); }
  std::string end() const {
    return is_default() ? std::string(kDefaultNamespaceEnd) : *AfterKeysWithPrefix(prefix());
  }

 private:
  std::array<char, kNamespacePrefixBytes> prefix_{};
  size_t prefix_bytes_ = 0;
};

// A range of stored keys: [lower, upper).
struct StoredRange {
  std::string lower;
  std::string upper;
};

// The stored keys of those keys that start with `prefix` and lie in [lower, upper), where given. Empty,
// with upper <= lower, when there can be none. Never leaves the namespace.
inline StoredRange StoredRangeOf(const Keyspace& keyspace, std::string_view prefix,
                                 std::optional<std::string_view> lower,
                                 std::optional<std::string_view> upper) {
  StoredRange range{keyspace.begin(), keyspace.end()};
  if (!prefix.empty()) {
    range.lower = keyspace.ToStored(prefix);
    // Keys with the prefix are stored with the stored prefix, and there is always something after it.
    range.upper = std::min(range.upper, *AfterKeysWithPrefix(range.lower));
  }
  if (lower) range.lower = std::max(range.lower, keyspace.ToStored(*lower));
  if (upper) range.upper = std::min(range.upper, keyspace.ToStored(*upper));
  return range;
}

}  // namespace varve

#endif  // VARVE_FORMAT_STORED_KEY_H_
