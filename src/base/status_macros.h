// The two macros of error handling.
#ifndef VARVE_BASE_STATUS_MACROS_H_
#define VARVE_BASE_STATUS_MACROS_H_

#include "varve/status.h"

// Returns the Status of `expr` from the enclosing function unless it is OK.
#define VARVE_RETURN_IF_ERROR(expr)                            \
  do {                                                         \
    ::varve::Status varve_status_ = (expr);                    \
    if (!varve_status_.ok()) return varve_status_;             \
  } while (false)

#define VARVE_CONCAT_INNER_(a, b) a##b
#define VARVE_CONCAT_(a, b) VARVE_CONCAT_INNER_(a, b)

// VARVE_ASSIGN_OR_RETURN(auto x, expr): declares x from the value of a Result, or returns its Status.
#define VARVE_ASSIGN_OR_RETURN(declaration, expr) \
  VARVE_ASSIGN_OR_RETURN_IMPL_(VARVE_CONCAT_(varve_result_, __LINE__), declaration, expr)
#define VARVE_ASSIGN_OR_RETURN_IMPL_(result, declaration, expr) \
  auto result = (expr);                                         \
  if (!result.ok()) return result.status();                     \
  declaration = *std::move(result)

#endif  // VARVE_BASE_STATUS_MACROS_H_
