// Encoder and Decoder: what a Codec writes to and reads from.
#ifndef VARVE_CODEC_STREAM_H_
#define VARVE_CODEC_STREAM_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace varve {

// How a T is stored; see codec.h.
template <typename T>
struct Codec;

// Values within values, at most. Only recursive types with a Codec of their own can meet it.
inline constexpr int kMaxCodecDepth = 100;
// One encoded value, in bytes: what a store takes at most (Options::max_value_bytes).
inline constexpr size_t kMaxEncodedBytes = size_t{512} << 20;

// An unsigned type as wide as the integer or floating-point number T.
template <size_t bytes>
struct UnsignedOf;
template <>
struct UnsignedOf<1> {
  using type = uint8_t;
};
template <>
struct UnsignedOf<2> {
  using type = uint16_t;
};
template <>
struct UnsignedOf<4> {
  using type = uint32_t;
};
template <>
struct UnsignedOf<8> {
  using type = uint64_t;
};
template <typename T>
using UnsignedLike = typename UnsignedOf<sizeof(T)>::type;

// Appends to a string that is borrowed. The first failure stays; every later Write returns false.
// Thread-compatible.
class Encoder {
 public:
  explicit Encoder(std::string* to) : to_(to), start_(to->size()) {}
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  // A value within the value, by its Codec. False: the encoding has failed.
  template <typename T>
  [[nodiscard]] bool Write(const T& value) {
    if (++depth_ > kMaxCodecDepth) return Fail("values are nested too deeply");
    if (!Codec<T>::Encode(value, *this)) return Fail("a Codec refused it");
    --depth_;
    return size() <= kMaxEncodedBytes || Fail("it takes more than 512 MiB");
  }

  // The same, to another string: for what must be sorted first.
  template <typename T>
  [[nodiscard]] bool WriteTo(const T& value, std::string* to) {
    Encoder apart(to);
    apart.depth_ = depth_;
    return apart.Write(value) || Fail(apart.error_);
  }

  void WriteByte(uint8_t byte) { to_->push_back(static_cast<char>(byte)); }
  // LEB128: seven bits a byte, low ones first.
  void WriteVarint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) WriteByte(static_cast<uint8_t>(value | 0x80));
    WriteByte(static_cast<uint8_t>(value));
  }
  // Little-endian, as wide as T.
  template <std::unsigned_integral T>
  void WriteFixed(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) {
      WriteByte(static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i)));
    }
  }
  [[nodiscard]] bool WriteRaw(std::string_view bytes) {
    if (bytes.size() > kMaxEncodedBytes) return Fail("it takes more than 512 MiB");
    to_->append(bytes);
    return true;
  }
  // The length as a varint, then the bytes.
  [[nodiscard]] bool WriteBytes(std::string_view bytes) {
    WriteVarint(bytes.size());
    return WriteRaw(bytes);
  }

  // Says why the value cannot be stored; false, for "return out.Fail(...)".
  bool Fail(std::string reason) {
    if (error_.empty()) error_ = std::move(reason);
    return false;
  }
  const std::string& error() const { return error_; }
  // Bytes written so far.
  size_t size() const { return to_->size() - start_; }

 private:
  std::string* const to_;
  const size_t start_;
  int depth_ = 0;
  std::string error_;
};

// Reads from bytes that are borrowed, never past their end, whatever they are. The first failure stays.
// What a failed Read leaves in its argument is valid and unspecified. Thread-compatible.
class Decoder {
 public:
  explicit Decoder(std::string_view input) : input_(input) {}
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // A value within the value, by its Codec. False: the decoding has failed.
  template <typename T>
  [[nodiscard]] bool Read(T* value) {
    if (++depth_ > kMaxCodecDepth) return Fail("values are nested too deeply");
    if (!Codec<T>::Decode(*this, value)) return Fail("a Codec refused it");
    --depth_;
    return true;
  }

  [[nodiscard]] bool ReadByte(uint8_t* byte) {
    if (remaining() == 0) return Fail("it is cut off");
    *byte = static_cast<uint8_t>(input_[position_++]);
    return true;
  }
  // Only the shortest form is accepted, so that equal values are equal bytes.
  [[nodiscard]] bool ReadVarint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      uint8_t byte = 0;
      if (!ReadByte(&byte)) return false;
      if (shift == 63 && byte > 1) break;
      *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      return byte != 0 || shift == 0 || Fail("a number is longer than it needs to be");
    }
    return Fail("a number is over 64 bits");
  }
  template <std::unsigned_integral T>
  [[nodiscard]] bool ReadFixed(T* value) {
    if (remaining() < sizeof(T)) return Fail("it is cut off");
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
      bits |= static_cast<uint64_t>(static_cast<uint8_t>(input_[position_ + i])) << (8 * i);
    }
    position_ += sizeof(T);
    *value = static_cast<T>(bits);
    return true;
  }
  // What WriteBytes wrote. The view lives as long as the input.
  [[nodiscard]] bool ReadBytes(std::string_view* bytes) {
    uint64_t size = 0;
    if (!ReadVarint(&size)) return false;
    if (size > remaining()) return Fail("a length goes past the end");
    *bytes = input_.substr(position_, size);
    position_ += size;
    return true;
  }
  // The number of elements that follow. Each takes at least a byte, so a number that the rest of the
  // input cannot hold is refused before anything is allocated for it.
  [[nodiscard]] bool ReadCount(uint64_t* count) {
    if (!ReadVarint(count)) return false;
    return *count <= remaining() || Fail("a number of elements goes past the end");
  }

  // The bytes from `offset` to the current position.
  std::string_view Since(size_t offset) const { return input_.substr(offset, position_ - offset); }

  // Says what is wrong with the bytes; false, for "return in.Fail(...)".
  bool Fail(std::string reason) {
    if (error_.empty()) error_ = std::move(reason) + ", at byte " + std::to_string(position_);
    return false;
  }
  const std::string& error() const { return error_; }
  size_t remaining() const { return input_.size() - position_; }
  // Bytes read so far.
  size_t position() const { return position_; }

 private:
  const std::string_view input_;
  size_t position_ = 0;
  int depth_ = 0;
  std::string error_;
};

// --- Fingerprints: numbers that tell types apart. Part of what is stored, so they never change.

// FNV-1a (Fowler, Noll, Vo), 64 bits.
constexpr uint64_t TypeFingerprint(std::string_view name,
                                   uint64_t seed = 0xcbf29ce484222325u) {
  for (const char c : name) seed = (seed ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return seed;
}
// Of a type that is made of others, in order.
template <std::same_as<uint64_t>... Parts>
constexpr uint64_t ComposeFingerprint(std::string_view kind, Parts... parts) {
  uint64_t result = TypeFingerprint(kind);
  const auto mix = [&result](uint64_t part) {
    for (int i = 0; i < 8; ++i, part >>= 8) result = (result ^ (part & 0xff)) * 0x100000001b3u;
  };
  mix(sizeof...(parts));
  (mix(parts), ...);
  return result;
}

}  // namespace varve

#endif  // VARVE_CODEC_STREAM_H_
