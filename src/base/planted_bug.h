// Planted bugs: mistakes that the tests must find. Only builds with VARVE_PLANTED_BUGS have them, and there
// all are asleep but the one that the environment variable VARVE_PLANTED_BUG names when the process
// starts. In all other builds the macro is the constant false. tools/planted_bugs.py runs the tests
// against each.
#ifndef VARVE_BASE_PLANTED_BUG_H_
#define VARVE_BASE_PLANTED_BUG_H_

#ifdef VARVE_PLANTED_BUGS

#include <cstdlib>
#include <string_view>

namespace varve::internal {
inline bool IsPlanted(std::string_view name) {
  const char* planted = std::getenv("VARVE_PLANTED_BUG");
  return planted != nullptr && name == planted;
}
}  // namespace varve::internal

// `name`: a literal, "part.what_goes_wrong". Each place asks the environment once.
#define VARVE_PLANTED_BUG(name)                                               \
  ([] {                                                                       \
    static const bool varve_is_planted = ::varve::internal::IsPlanted(name);  \
    return varve_is_planted;                                                  \
  }())

#else
#define VARVE_PLANTED_BUG(name) false
#endif

#endif  // VARVE_BASE_PLANTED_BUG_H_
