// Codec<T> for containers. Include codec.h.
//
// The number of elements as a varint, then the elements. Those of std::set and std::map in the order of
// their keys; those of unordered containers, and of ordered ones with a comparison of their own, in
// the order of their encoded bytes. So equal containers are equal bytes, whatever happened to them.
#ifndef VARVE_CODEC_CONTAINERS_H_
#define VARVE_CODEC_CONTAINERS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "varve/codec_stream.h"
#include "varve/codec_types.h"

namespace varve {
namespace internal {

// Memory reserved on the word of a count that may be damaged, in bytes; what is read grows by itself.
inline constexpr size_t kMaxReservedBytes = size_t{1} << 20;

template <typename T>
inline constexpr bool kIsByte =
    std::is_same_v<T, char> || std::is_same_v<T, unsigned char> || std::is_same_v<T, signed char> ||
    std::is_same_v<T, char8_t> || std::is_same_v<T, std::byte>;

// std::vector and std::deque.
template <typename Sequence>
struct SequenceCodec {
  using T = typename Sequence::value_type;
  static constexpr uint64_t kFingerprint =
      ComposeFingerprint("list", uint64_t{Codec<T>::kFingerprint});
  // Bytes that lie in a row are copied in one go.
  static constexpr bool kIsBytes = kIsByte<T> && requires(Sequence& s) { s.data(); };

  static bool Encode(const Sequence& value, Encoder& out) {
    if constexpr (kIsBytes) {
      return out.WriteBytes({reinterpret_cast<const char*>(value.data()), value.size()});
    } else {
      out.WriteVarint(value.size());
      const size_t start = out.size();
      for (size_t i = 0; i < value.size(); ++i) {
        if (!out.Write<T>(value[i])) return false;
      }
      return out.size() - start >= value.size() || out.Fail("a Codec wrote nothing for an element");
    }
  }
  static bool Decode(Decoder& in, Sequence* value) {
    value->clear();
    if constexpr (kIsBytes) {
      std::string_view bytes;
      if (!in.ReadBytes(&bytes)) return false;
      const T* data = reinterpret_cast<const T*>(bytes.data());
      value->assign(data, data + bytes.size());
      return true;
    } else {
      uint64_t count = 0;
      if (!in.ReadCount(&count)) return false;
      if constexpr (requires { value->reserve(count); }) {
        value->reserve(std::min<uint64_t>(count, kMaxReservedBytes / sizeof(T)));
      }
      for (uint64_t i = 0; i < count; ++i) {
        T element{};
        if (!in.Read(&element)) return false;
        value->push_back(std::move(element));
      }
      return true;
    }
  }
};

// What sets and maps share. Entry: what an element consists of, the key first.
template <typename Container>
struct EntryOf {
  using Key = typename Container::key_type;
  using Type = Key;
  static const Key& KeyOf(const Type& entry) { return entry; }
};
template <typename Container>
  requires requires { typename Container::mapped_type; }
struct EntryOf<Container> {
  using Key = typename Container::key_type;
  using Type = std::pair<Key, typename Container::mapped_type>;
  static const Key& KeyOf(const std::pair<const Key, typename Container::mapped_type>& entry) {
    return entry.first;
  }
};

template <typename Entry>
[[nodiscard]] bool WriteEntry(const Entry& entry, Encoder& out) {
  if constexpr (requires { entry.second; }) {
    return out.Write(entry.first) && out.Write(entry.second);
  } else {
    return out.Write(entry);
  }
}
// Also tells where the encoded key ends.
template <typename Entry, bool is_map>
[[nodiscard]] bool ReadEntry(Decoder& in, Entry* entry, size_t* key_end) {
  if constexpr (is_map) {
    if (!in.Read(&entry->first)) return false;
    *key_end = in.position();
    return in.Read(&entry->second);
  } else {
    if (!in.Read(entry)) return false;
    *key_end = in.position();
    return true;
  }
}

// Ordered by `<` of the key type: std::set and std::map as they come.
template <typename Container>
concept NaturallyOrdered = requires { typename Container::key_compare; } &&
                           (std::is_same_v<typename Container::key_compare,
                                           std::less<typename Container::key_type>> ||
                            std::is_same_v<typename Container::key_compare, std::less<>>);

template <typename Container, typename... Parts>
struct AssociativeCodec {
  using Entry = EntryOf<Container>;
  using Key = typename Entry::Key;
  static constexpr bool kIsMap = sizeof...(Parts) == 2;
  static constexpr bool kIsOrdered = NaturallyOrdered<Container>;
  static constexpr uint64_t kFingerprint =
      ComposeFingerprint(kIsOrdered ? "sorted" : "hashed", uint64_t{Codec<Parts>::kFingerprint}...);

  static bool Encode(const Container& value, Encoder& out) {
    out.WriteVarint(value.size());
    if constexpr (kIsOrdered) {
      return EncodeInOrder(value, out);
    } else {
      return EncodeByBytes(value, out);
    }
  }

  static bool Decode(Decoder& in, Container* value) {
    value->clear();
    uint64_t count = 0;
    if (!in.ReadCount(&count)) return false;
    std::string_view last;  // the encoded key before
    for (uint64_t i = 0; i < count; ++i) {
      typename Entry::Type entry{};
      const size_t start = in.position();
      size_t key_end = start;
      if (!ReadEntry<typename Entry::Type, kIsMap>(in, &entry, &key_end)) return false;
      const std::string_view key = in.Since(start).substr(0, key_end - start);
      if (!kIsOrdered && i > 0 && !(last < key)) return in.Fail("keys are not in order");
      last = key;
      const size_t size = value->size();
      const auto place = value->insert(value->end(), std::move(entry));
      if (value->size() == size) return in.Fail("a key comes twice");
      if constexpr (kIsOrdered) {
        if (std::next(place) != value->end()) return in.Fail("keys are not in order");
      }
    }
    return true;
  }

 private:
  static bool EncodeInOrder(const Container& value, Encoder& out) {
    const size_t start = out.size();
    const Key* last = nullptr;
    for (const auto& entry : value) {
      // Not so when keys have no order among them, such as NaN.
      const Key& key = Entry::KeyOf(entry);
      if (last != nullptr && !value.key_comp()(*last, key)) return out.Fail("keys have no order");
      last = &key;
      if (!WriteEntry(entry, out)) return false;
    }
    return out.size() - start >= value.size() || out.Fail("a Codec wrote nothing for an element");
  }

  static bool EncodeByBytes(const Container& value, Encoder& out) {
    struct Encoded {
      std::string key;
      std::string mapped;
    };
    std::vector<Encoded> entries;
    entries.reserve(value.size());
    for (const auto& entry : value) {
      Encoded& to = entries.emplace_back();
      if (!out.WriteTo(Entry::KeyOf(entry), &to.key)) return false;
      if constexpr (kIsMap) {
        if (!out.WriteTo(entry.second, &to.mapped)) return false;
      }
    }
    std::sort(entries.begin(), entries.end(),
              [](const Encoded& a, const Encoded& b) { return a.key < b.key; });
    const size_t start = out.size();
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0 && entries[i - 1].key == entries[i].key) {
        return out.Fail("two keys have the same encoding");
      }
      if (!out.WriteRaw(entries[i].key) || !out.WriteRaw(entries[i].mapped)) return false;
    }
    return out.size() - start >= value.size() || out.Fail("a Codec wrote nothing for an element");
  }
};

}  // namespace internal

template <Storable T, typename Allocator>
struct Codec<std::vector<T, Allocator>> : internal::SequenceCodec<std::vector<T, Allocator>> {};
template <Storable T, typename Allocator>
struct Codec<std::deque<T, Allocator>> : internal::SequenceCodec<std::deque<T, Allocator>> {};

// The elements, without their number.
template <Storable T, size_t n>
struct Codec<std::array<T, n>> {
  static constexpr uint64_t kFingerprint =
      ComposeFingerprint("array", uint64_t{Codec<T>::kFingerprint}, uint64_t{n});
  static bool Encode(const std::array<T, n>& value, Encoder& out) {
    if (n == 0) return internal::WriteAll(out);
    for (const T& element : value) {
      if (!out.Write(element)) return false;
    }
    return true;
  }
  static bool Decode(Decoder& in, std::array<T, n>* value) {
    if (n == 0) return internal::ReadAll(in);
    for (T& element : *value) {
      if (!in.Read(&element)) return false;
    }
    return true;
  }
};

template <Storable K, typename... Rest>
struct Codec<std::set<K, Rest...>> : internal::AssociativeCodec<std::set<K, Rest...>, K> {};
template <Storable K, typename... Rest>
struct Codec<std::unordered_set<K, Rest...>>
    : internal::AssociativeCodec<std::unordered_set<K, Rest...>, K> {};
template <Storable K, Storable V, typename... Rest>
struct Codec<std::map<K, V, Rest...>> : internal::AssociativeCodec<std::map<K, V, Rest...>, K, V> {
};
template <Storable K, Storable V, typename... Rest>
struct Codec<std::unordered_map<K, V, Rest...>>
    : internal::AssociativeCodec<std::unordered_map<K, V, Rest...>, K, V> {};

}  // namespace varve

#endif  // VARVE_CODEC_CONTAINERS_H_
