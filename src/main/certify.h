// Measures a disk for 'varve torture certify-disk'.
#ifndef VARVE_MAIN_CERTIFY_H_
#define VARVE_MAIN_CERTIFY_H_

#include <cstdint>
#include <string>

#include "cli/disk.h"

namespace varve {

Result<cli::DiskFacts> CertifyDisk(const std::string& dir, uint64_t seconds);

}  // namespace varve

#endif  // VARVE_MAIN_CERTIFY_H_
