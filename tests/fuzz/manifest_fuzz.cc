// Version edits from any bytes (what decodes, encodes to something that decodes to the same), and a
// manifest of any bytes behind a good header.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "format/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Result<VersionEdit> edit = DecodeVersionEdit(bytes);
  if (edit.ok()) {
    const Result<VersionEdit> again = DecodeVersionEdit(EncodeVersionEdit(*edit));
    if (!again.ok() || !(*again == *edit)) std::abort();
  }
  (void)CheckManifestFileHeader(bytes, 1);
  std::string image(kManifestFileHeaderBytes, '\0');
  EncodeManifestFileHeader(1, image.data());
  image.append(bytes);
  ManifestReader reader(image, 1);
  VersionEdit read;
  while (reader.Next(&read) == ManifestReadResult::kEdit) {
  }
  if (reader.offset() > image.size()) std::abort();
  return 0;
}
