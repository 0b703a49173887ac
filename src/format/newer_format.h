// What is said of files that a later release has written.
#ifndef VARVE_FORMAT_NEWER_FORMAT_H_
#define VARVE_FORMAT_NEWER_FORMAT_H_

#include <cstdint>
#include <string>

#include "varve/status.h"

namespace varve {

// kNotSupported: `what` ("segment 12") has that format version, and what can be done.
Status NewerFormat(const std::string& what, uint32_t format_version);

}  // namespace varve

#endif  // VARVE_FORMAT_NEWER_FORMAT_H_
