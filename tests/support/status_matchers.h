// ASSERT/EXPECT for Status and Result.
#ifndef VARVE_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define VARVE_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <gtest/gtest.h>

#include <string>

#include "varve/status.h"

namespace varve::test {

inline const Status& ToStatus(const Status& status) { return status; }
template <typename T>
const Status& ToStatus(const Result<T>& result) {
  return result.status();
}

template <typename T>
::testing::AssertionResult IsOk(const T& expression) {
  const Status& status = ToStatus(expression);
  if (status.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << status.ToString();
}

template <typename T>
::testing::AssertionResult HasCode(const T& expression, StatusCode code) {
  const Status& status = ToStatus(expression);
  if (status.code() == code) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "expected " << StatusCodeName(code) << ", got " << status.ToString();
}

}  // namespace varve::test

#define EXPECT_OK(expression) EXPECT_TRUE(::varve::test::IsOk(expression))
#define ASSERT_OK(expression) ASSERT_TRUE(::varve::test::IsOk(expression))
// code: an enumerator of StatusCode, for example EXPECT_STATUS(kNotFound, db->Get("x")).
#define EXPECT_STATUS(code, expression) \
  EXPECT_TRUE(::varve::test::HasCode(expression, ::varve::StatusCode::code))
#define ASSERT_STATUS(code, expression) \
  ASSERT_TRUE(::varve::test::HasCode(expression, ::varve::StatusCode::code))

#endif  // VARVE_TESTS_SUPPORT_STATUS_MATCHERS_H_
