// Values as cereal's portable binary archives (Debian: libcereal-dev). For types that have serialize
// functions already, smart pointers and class hierarchies among them.
//
//   template <> struct varve::Codec<User> : varve::CerealCodec<User> {
//     static constexpr uint64_t kFingerprint = varve::TypeFingerprint("User as cereal");
//   };
//
// An archive does not say what is in it, so each type must have a fingerprint of its own: give it a new
// one when the type changes. cereal believes the lengths that it reads; a checksum before the archive
// keeps damaged ones from it. Include the headers of cereal/types/ that the type needs.
#ifndef VARVE_CODEC_CEREAL_H_
#define VARVE_CODEC_CEREAL_H_

#include <cstdint>
#include <exception>
#include <sstream>
#include <string>
#include <string_view>

#include <cereal/archives/portable_binary.hpp>

#include "varve/codec.h"
#include "varve/codec_stream.h"

namespace varve {

// Without a kFingerprint: see above.
template <typename T>
struct CerealCodec {
  static bool Encode(const T& value, Encoder& out) {
    try {
      std::ostringstream stream;
      // Little-endian on every machine. The archive is whole when it is destroyed.
      cereal::PortableBinaryOutputArchive(
          stream, cereal::PortableBinaryOutputArchive::Options::LittleEndian())(value);
      const std::string bytes = stream.str();
      out.WriteFixed(TypeFingerprint(bytes));
      return out.WriteBytes(bytes);
    } catch (const std::exception& error) {
      return out.Fail(error.what());
    }
  }
  static bool Decode(Decoder& in, T* value) {
    uint64_t checksum = 0;
    std::string_view bytes;
    if (!in.ReadFixed(&checksum) || !in.ReadBytes(&bytes)) return false;
    if (checksum != TypeFingerprint(bytes)) return in.Fail("the archive fails its checksum");
    try {
      std::istringstream stream{std::string(bytes)};
      cereal::PortableBinaryInputArchive archive(
          stream, cereal::PortableBinaryInputArchive::Options::LittleEndian());
      archive(*value);
      return stream.peek() == std::istringstream::traits_type::eof() ||
             in.Fail("bytes follow the archive");
    } catch (const std::exception& error) {
      return in.Fail(error.what());
    }
  }
};

}  // namespace varve

#endif  // VARVE_CODEC_CEREAL_H_
