// The order among transactions that have met conflicts (transaction_gate.h), under the scheduler.
#include <gtest/gtest.h>

#include <atomic>

#include "engine/transaction_gate.h"
#include "tests/sched/sched_env.h"
#include "tests/sched/scheduler.h"

namespace varve {
namespace gate_test {

using sched::ExpectHolds;

TEST(GateSchedules, ALineHasOneHolderAndForgetsNobody) {
  ExpectHolds({.schedules = 8000}, [] {
    FairLine line;
    std::atomic<int> holders{0};
    const auto visit = [&](uint64_t patience) {
      return [&, patience] {
        for (int i = 0; i < 2; ++i) {
          if (!line.Enter(patience)) continue;
          SCHED_REQUIRE(holders.fetch_add(1) == 0);
          SCHED_REQUIRE(holders.fetch_sub(1) == 1);
          line.Leave();
        }
      };
    };
    {
      sched::Thread a(visit(1'000'000)), b(visit(1'000'000)), c(visit(1));
    }
    SCHED_REQUIRE(line.Enter(1'000'000));  // nobody has left it held
    line.Leave();
  });
}

// Whoever has the turn has it alone, and it ends.
TEST(GateSchedules, TheTurnHasOneOwnerAndEnds) {
  ExpectHolds({.schedules = 6000}, [] {
    sched::SchedClock clock;
    TransactionGate gate(&clock);
    std::atomic<int> owners{0};
    {
      const auto transact = [&] {
        RetryPass pass(&gate);
        bool has_turn = false;
        for (int i = 0; i < 5; ++i) {
          if (!pass.Wait(1)) continue;
          has_turn = true;
          SCHED_REQUIRE(owners.fetch_add(1) == 0);
        }
        SCHED_REQUIRE(!has_turn || owners.fetch_sub(1) == 1);
      };
      sched::Thread a(transact), b(transact);
      sched::Thread c([&] {
        if (gate.IsClosed()) (void)gate.WaitForTurn();
      });
    }
    SCHED_REQUIRE(!gate.IsClosed());
  });
}

}  // namespace gate_test
}  // namespace varve
