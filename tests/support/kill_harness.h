// Kills real processes that write to a real store, and checks what the next one finds.
//
// The oracle lies in a file that parent and children map, outside the store. A child records in it
// what it is about to write (pending) and what was acknowledged, key by key; every key has one
// writer. Each child first opens the store, checks every key against the oracle and then writes
// until it is killed, at a random moment, which may lie in the open, the check, a flush or a
// compaction.
#ifndef VARVE_TESTS_SUPPORT_KILL_HARNESS_H_
#define VARVE_TESTS_SUPPORT_KILL_HARNESS_H_

#include <cstdint>
#include <string>

namespace varve::test {

// How a child ends.
enum class ChildEnd {
  kKilled,  // kill -9 by the parent
  kExits,   // calls _exit in the middle of its writes, without closing
  kAborts,  // calls abort
  kCloses,  // closes the store and exits
};

struct KillOptions {
  std::string dir;               // of the store
  std::string oracle;            // path of the oracle; created when missing
  std::string store = "random";  // "random": varve with options by seed; "fake:<bug>": FakeDb
  int rounds = 100;
  uint64_t seed = 1;
  // The parent kills up to so many microseconds after the child began to open the store, or, every
  // other time, after it began to write.
  uint64_t delay_us_max = 50'000;
  ChildEnd end = ChildEnd::kKilled;
};

struct KillReport {
  std::string problem;  // empty: none
  int kills = 0;
  uint64_t opens = 0;       // opens begun
  uint64_t checks = 0;      // checks of all keys completed
  uint64_t operations = 0;  // acknowledged
};

// Runs the rounds and one last check.
KillReport RunKills(const KillOptions& options);

// In a process that RunKills started: does the child's work and never returns. Otherwise returns.
// Call it before anything else.
void RunAsKillChild();

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_KILL_HARNESS_H_
