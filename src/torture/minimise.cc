#include "torture/minimise.h"

#include <algorithm>
#include <utility>

namespace varve::torture {

Minimised Minimise(Schedule schedule, const std::function<bool(const Schedule&)>& fails, uint64_t most_runs) {
  uint64_t runs = 0;
  for (size_t chunk = std::max<size_t>(1, schedule.size() / 2); runs < most_runs;) {
    bool shrank = false;
    for (size_t begin = 0; begin < schedule.size() && runs < most_runs;) {
      Schedule rest = schedule;
      const auto from = rest.begin() + static_cast<ptrdiff_t>(begin);
      rest.erase(from, from + static_cast<ptrdiff_t>(std::min(chunk, schedule.size() - begin)));
      ++runs;
      if (fails(rest)) {
        schedule = std::move(rest);
        shrank = true;
      } else {
        begin += chunk;
      }
    }
    if (chunk == 1 && !shrank) break;
    if (chunk > 1) chunk /= 2;
  }
  return {std::move(schedule), runs};
}

}  // namespace varve::torture
