// The checker of banks: what can be, and for each way in which money goes wrong a read that shows it.
#include "torture/bank.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace varve::torture {
namespace bank_test {

const Balances kInitial = {{"a", 100}, {"b", 100}};

BankTransfer Move(int64_t amount, uint64_t call, uint64_t end) { return {"a", "b", amount, call, end}; }
BankRead See(int64_t a, int64_t b, uint64_t call, uint64_t end) { return {{{"a", a}, {"b", b}}, call, end}; }
bool Says(const std::string& found, const char* what) { return found.find(what) != std::string::npos; }

TEST(BankTest, WhatCanBe) {
  EXPECT_EQ(FindBankAnomaly(kInitial, {}, {See(100, 100, 1, 2)}), "");
  // Under way it is there or not, and afterwards it is; a transfer from an account to itself changes nothing.
  const std::vector<BankTransfer> transfers{Move(30, 10, 20), {"b", "b", 50, 5, 6}};
  EXPECT_EQ(FindBankAnomaly(kInitial, transfers, {See(100, 100, 1, 9), See(100, 100, 11, 12), See(70, 130, 13, 14), See(70, 130, 30, 31)}), "");
  // Without an answer: at some time, or never.
  EXPECT_EQ(FindBankAnomaly(kInitial, {Move(30, 10, BankTransfer::kNever)}, {See(100, 100, 50, 51), See(70, 130, 60, 61)}), "");
  // Overdrawn is a matter of the bank, not of the store.
  EXPECT_EQ(FindBankAnomaly(kInitial, {Move(130, 1, 2)}, {See(-30, 230, 3, 4)}), "");
}

TEST(BankTest, WhatCannot) {
  // A transfer seen in half, one that is lost, one that is done twice, and one that was never made.
  EXPECT_TRUE(Says(FindBankAnomaly(kInitial, {Move(30, 1, 20)}, {See(70, 100, 5, 6)}), "the bank has 170, and had 200"));
  EXPECT_TRUE(Says(FindBankAnomaly(kInitial, {Move(30, 1, 2)}, {See(100, 100, 5, 6)}), "a has 100, and may have 70"));
  EXPECT_TRUE(Says(FindBankAnomaly(kInitial, {Move(30, 1, 20)}, {See(40, 160, 5, 6)}), "a has 40, and may have 70 to 100"));
  EXPECT_TRUE(Says(FindBankAnomaly(kInitial, {Move(30, 10, 20)}, {See(70, 130, 5, 6)}), "a has 70, and may have 100"));
  EXPECT_TRUE(Says(FindBankAnomaly(kInitial, {Move(30, 10, 20)}, {See(-30, 230, 15, 16)}), "a has -30"));
  EXPECT_TRUE(Says(FindBankAnomaly(kInitial, {}, {{{{"a", 200}}, 1, 2}}), "may have 100"));
  EXPECT_TRUE(Says(FindBankAnomaly(kInitial, {}, {{{{"a", 100}}, 1, 2}}), "b is gone"));
  EXPECT_TRUE(Says(FindBankAnomaly(kInitial, {}, {{{{"a", 100}, {"b", 100}, {"c", 0}}, 1, 2}}), "nobody has opened c"));
  EXPECT_TRUE(Says(FindBankAnomaly(kInitial, {}, {See(100, 100, 1, 2), See(90, 100, 7, 8)}), "[7, 8]"));
}

}  // namespace bank_test
}  // namespace varve::torture
