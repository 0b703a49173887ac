// Decides whether what readers saw of a bank can be: money moves between accounts, and none comes or goes.
#ifndef VARVE_TORTURE_BANK_H_
#define VARVE_TORTURE_BANK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace varve::torture {

using Balances = std::map<std::string, int64_t>;

// A transfer that was committed. One that was refused is none; one whose outcome is not known has no end.
struct BankTransfer {
  static constexpr uint64_t kNever = ~uint64_t{0};
  std::string from;
  std::string to;
  int64_t amount = 0;
  // Moments of one clock: it takes effect in between. Without an answer (kNever): at any time after, or never.
  uint64_t call_time = 0;
  uint64_t return_time = kNever;
};

// All accounts, as of one moment between call and return.
struct BankRead {
  Balances balances;
  uint64_t call_time = 0;
  uint64_t return_time = 0;
};

// Empty, or what is wrong: an account that is missing or that nobody has opened, a sum that is not that of the
// beginning (a transfer seen in half), or a balance that no choice of the transfers under way explains (one that is
// lost, or done twice). O(reads * transfers).
std::string FindBankAnomaly(const Balances& initial, const std::vector<BankTransfer>& transfers,
                            const std::vector<BankRead>& reads);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_BANK_H_
