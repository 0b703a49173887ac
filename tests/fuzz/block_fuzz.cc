// BlockView over any bytes: what it decodes lies within them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/block.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  const char* const begin = reinterpret_cast<const char*>(data);
  BlockView view;
  if (!view.Parse({begin, size})) return 0;
  Entry entry;
  for (int slot = -1; slot <= view.count(); ++slot) {
    if (!view.Decode(slot, &entry)) continue;
    if (entry.key.data() < begin || entry.value.data() + entry.value.size() > begin + size)
      std::abort();
    const int found = view.LowerBound(entry.key, entry.sequence);
    if (found < -1 || found > view.count()) std::abort();
  }
  return 0;
}
