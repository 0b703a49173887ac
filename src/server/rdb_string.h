// Strings as DUMP and RESTORE exchange them with Redis: its serialisation of a value, with a version and a
// checksum behind it.
//
//   type 0 | length | bytes | version, 2 bytes, little-endian | CRC-64, 8 bytes, little-endian
//
// The length is 6, 14, 32 or 64 bits wide, which its first two bits tell; or says that the bytes are a small
// integer or compressed. Facts: the format of Redis's RDB files, version 10.
#ifndef VARVE_SERVER_RDB_STRING_H_
#define VARVE_SERVER_RDB_STRING_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve::server {

// CRC-64/Jones, reflected, beginning with 0.
uint64_t Crc64(std::string_view bytes);

// Does not compress.
std::string DumpString(std::string_view value);

// Whether version and checksum are right.
bool IsWholeDump(std::string_view dump);
// The value; std::nullopt when the dump is of something else than a string of at most `max_bytes`, or damaged.
// REQUIRES: IsWholeDump.
std::optional<std::string> RestoreString(std::string_view dump, size_t max_bytes);

}  // namespace varve::server

#endif  // VARVE_SERVER_RDB_STRING_H_
