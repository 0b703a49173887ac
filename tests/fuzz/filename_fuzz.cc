// File names from any bytes: what parses, is exactly the name of what it parses to.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/filename.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::optional<ParsedFileName> name = ParseFileName(bytes);
  if (name && name->type == FileType::kSegment && SegmentFileName(name->number) != bytes)
    std::abort();
  if (name && name->type == FileType::kManifest && ManifestFileName(name->number) != bytes)
    std::abort();
  const std::optional<uint64_t> manifest = ParseCurrentFile(bytes);
  if (manifest && EncodeCurrentFile(*manifest) != bytes) std::abort();
  return 0;
}
