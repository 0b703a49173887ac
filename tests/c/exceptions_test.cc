// The C interface lets no exception through, neither its own nor those of functions that it calls.
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/temp_dir.h"
#include "varve/c.h"

namespace exceptions_test {

class CExceptionsTest : public ::testing::Test {
 protected:
  CExceptionsTest() { EXPECT_EQ(varve_open(dir_.Sub("db").c_str(), nullptr, &db_), VARVE_OK); }
  ~CExceptionsTest() override { varve_close(db_); }

  varve::test::TempDir dir_;
  varve_db* db_ = nullptr;
};

TEST_F(CExceptionsTest, OfABodyBecomeCodesAndRollBack) {
  const auto throws_text = [](varve_transaction* t, void*) -> int {
    EXPECT_EQ(varve_transaction_put(t, nullptr, "k", 1, "v", 1), VARVE_OK);
    throw std::runtime_error("thrown on purpose");
  };
  EXPECT_EQ(varve_transact(db_, nullptr, throws_text, nullptr), VARVE_INTERNAL);
  EXPECT_STREQ(varve_message(), "thrown on purpose");
  const auto throws_no_memory = [](varve_transaction*, void*) -> int { throw std::bad_alloc(); };
  EXPECT_EQ(varve_transact(db_, nullptr, throws_no_memory, nullptr), VARVE_OUT_OF_MEMORY);
  EXPECT_STREQ(varve_message(), "out of memory");
  const auto throws_number = [](varve_transaction*, void*) -> int { throw 5; };
  EXPECT_EQ(varve_transact(db_, nullptr, throws_number, nullptr), VARVE_INTERNAL);
  char* value;
  size_t size;
  EXPECT_EQ(varve_get(varve_default_namespace(db_), "k", 1, nullptr, &value, &size), VARVE_NOT_FOUND);
}

TEST_F(CExceptionsTest, OfAVisitorBecomeCodes) {
  varve_namespace* space;
  ASSERT_EQ(varve_open_namespace(db_, "n", 1, nullptr, &space), VARVE_OK);
  varve_namespace_free(space);
  const auto throws = [](void*, const char*, size_t, uint32_t) -> int { throw std::bad_alloc(); };
  EXPECT_EQ(varve_list_namespaces(db_, throws, nullptr), VARVE_OUT_OF_MEMORY);
}

TEST_F(CExceptionsTest, MessagesBelongToTheirThread) {
  EXPECT_EQ(varve_drop_namespace(db_, "absent", 6), VARVE_NOT_FOUND);
  const std::string mine = varve_message();
  std::thread([] {
    EXPECT_STREQ(varve_message(), "");
    EXPECT_EQ(varve_flush(nullptr), VARVE_INVALID_ARGUMENT);
    EXPECT_STRNE(varve_message(), "");
  }).join();
  EXPECT_EQ(varve_message(), mine);
}

}  // namespace exceptions_test
