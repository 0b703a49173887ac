#include "format/newer_format.h"

#include "varve/version.h"

namespace varve {

Status NewerFormat(const std::string& what, uint32_t format_version) {
  return Status::NotSupported(what + " has format version " + std::to_string(format_version) + ", newer than " +
                              std::to_string(kFormatVersion) +
                              ": a later release of varve has written it; use that release, or a later one");
}

}  // namespace varve
