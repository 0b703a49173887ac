// Values as MessagePack, by msgpack-cxx (Debian: libmsgpack-cxx-dev). For types that have MSGPACK_DEFINE
// already, and for values that programs in other languages are to read.
//
//   template <> struct varve::Codec<User> : varve::MsgpackCodec<User> {};
//
// The bytes follow the header (codec.h) and their length. All MsgpackCodecs have one fingerprint: what
// tells types apart is msgpack's conversion, whose exceptions become errors here. A type whose fields
// convert into another's by position needs a kFingerprint of its own:
//
//   template <> struct varve::Codec<User> : varve::MsgpackCodec<User> {
//     static constexpr uint64_t kFingerprint = varve::TypeFingerprint("User as msgpack");
//   };
#ifndef VARVE_CODEC_MSGPACK_H_
#define VARVE_CODEC_MSGPACK_H_

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string_view>

#include <msgpack.hpp>

#include "varve/codec.h"
#include "varve/codec_stream.h"

namespace varve {

template <typename T>
struct MsgpackCodec {
  static constexpr uint64_t kFingerprint = TypeFingerprint("msgpack");
  static bool Encode(const T& value, Encoder& out) {
    try {
      msgpack::sbuffer buffer;
      msgpack::pack(buffer, value);
      return out.WriteBytes({buffer.data(), buffer.size()});
    } catch (const std::exception& error) {
      return out.Fail(error.what());
    }
  }
  static bool Decode(Decoder& in, T* value) {
    std::string_view bytes;
    if (!in.ReadBytes(&bytes)) return false;
    try {
      // No part can have more elements or bytes than there are bytes: msgpack would allocate them first.
      const size_t size = bytes.size();
      const msgpack::unpack_limit limit(size, size, size, size, size, kMaxCodecDepth);
      size_t end = 0;
      const msgpack::object_handle object =
          msgpack::unpack(bytes.data(), size, end, nullptr, nullptr, limit);
      if (end != size) return in.Fail("bytes follow the MessagePack value");
      object.get().convert(*value);
      return true;
    } catch (const std::exception& error) {
      return in.Fail(error.what());
    }
  }
};

}  // namespace varve

#endif  // VARVE_CODEC_MSGPACK_H_
