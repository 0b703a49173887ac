// Checks for programmer errors. Bytes from disk, network or user are never a CHECK: they are a Status.
#ifndef VARVE_BASE_CHECK_H_
#define VARVE_BASE_CHECK_H_

namespace varve::internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}

// Always on; guards everything that reaches disk.
#define VARVE_CHECK(condition)                                                        \
  (__builtin_expect(!!(condition), 1)                                                 \
       ? static_cast<void>(0)                                                         \
       : ::varve::internal::CheckFailed(__FILE__, __LINE__, #condition))

// Builds other than release.
#ifdef NDEBUG
#define VARVE_DCHECK(condition) static_cast<void>(0)
#else
#define VARVE_DCHECK(condition) VARVE_CHECK(condition)
#endif

#endif  // VARVE_BASE_CHECK_H_
