#include "torture/bank.h"

#include <algorithm>

namespace varve::torture {
namespace {

int64_t SumOf(const Balances& balances) {
  int64_t sum = 0;
  for (const auto& [account, balance] : balances) sum += balance;
  return sum;
}

// What an account may hold: between its balance with all that takes, and with all that gives.
struct Bounds {
  int64_t least = 0;
  int64_t most = 0;

  void Add(int64_t change, bool is_certain) {
    least += is_certain ? change : std::min<int64_t>(change, 0);
    most += is_certain ? change : std::max<int64_t>(change, 0);
  }
};

std::string Check(const Balances& initial, const std::vector<BankTransfer>& transfers, const BankRead& read) {
  std::map<std::string, Bounds> bounds;
  for (const auto& [account, balance] : initial) bounds[account] = {balance, balance};
  for (const BankTransfer& transfer : transfers) {
    if (transfer.call_time > read.return_time) continue;
    const bool is_certain = transfer.return_time < read.call_time;
    bounds[transfer.from].Add(-transfer.amount, is_certain);
    bounds[transfer.to].Add(transfer.amount, is_certain);
  }
  for (const auto& [account, balance] : read.balances) {
    if (!bounds.contains(account)) return "nobody has opened " + account;
  }
  for (const auto& [account, may_hold] : bounds) {
    const auto at = read.balances.find(account);
    if (at == read.balances.end()) return account + " is gone";
    if (at->second >= may_hold.least && at->second <= may_hold.most) continue;
    return account + " has " + std::to_string(at->second) + ", and may have " + std::to_string(may_hold.least) +
           (may_hold.least == may_hold.most ? "" : " to " + std::to_string(may_hold.most));
  }
  const int64_t expected = SumOf(initial);
  const int64_t sum = SumOf(read.balances);
  if (sum == expected) return "";
  return "the bank has " + std::to_string(sum) + ", and had " + std::to_string(expected);
}

}  // namespace

std::string FindBankAnomaly(const Balances& initial, const std::vector<BankTransfer>& transfers,
                            const std::vector<BankRead>& reads) {
  for (const BankRead& read : reads) {
    const std::string problem = Check(initial, transfers, read);
    if (problem.empty()) continue;
    return problem + ", in the read [" + std::to_string(read.call_time) + ", " + std::to_string(read.return_time) + "]";
  }
  return "";
}

}  // namespace varve::torture
