// The table of namespaces, as it lies in namespace 0, the store's own:
//
//   key "n" name    value: an encoded NamespaceRecord
//   key "i"         value: the id that the next namespace will get, 4 bytes; ids are never given out twice
//
// docs/formats/namespaces.md.
#ifndef VARVE_FORMAT_NAMESPACE_RECORD_H_
#define VARVE_FORMAT_NAMESPACE_RECORD_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "varve/options.h"
#include "varve/status.h"

namespace varve {

inline constexpr char kNamespaceNameTag = 'n';
inline constexpr char kNextNamespaceIdTag = 'i';
inline constexpr size_t kMaxNamespaceNameBytes = 255;

struct NamespaceRecord {
  uint32_t id = 0;
  std::optional<Durability> durability;    // unset: the store's
  std::optional<Compression> compression;  // unset: the store's
  // More than 0, and no more than fits a deadline (expiry.h); unset: what is put stays.
  std::optional<std::chrono::milliseconds> default_ttl = std::nullopt;

  friend bool operator==(const NamespaceRecord&, const NamespaceRecord&) = default;
};

std::string EncodeNamespaceRecord(const NamespaceRecord& record);
// kCorruption when malformed; kNotSupported when a newer version added something to it.
Result<NamespaceRecord> DecodeNamespaceRecord(std::string_view bytes);

std::string EncodeNextNamespaceId(uint32_t id);
Result<uint32_t> DecodeNextNamespaceId(std::string_view bytes);

}  // namespace varve

#endif  // VARVE_FORMAT_NAMESPACE_RECORD_H_
