// Workloads and their model: what a store must contain after each step. Shared by the tests that
// interrupt, fail or damage a store.
#ifndef VARVE_TESTS_SUPPORT_WORKLOAD_H_
#define VARVE_TESTS_SUPPORT_WORKLOAD_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "varve/db.h"

namespace varve::test {

// Every key of a store with its value.
using Contents = std::map<std::string, std::string>;

struct Change {
  enum class Kind { kPut, kDelete, kDeleteRange };
  Kind kind = Kind::kPut;
  std::string key;
  std::string value;  // of a range: its end
  // Of a put: far ahead, so that it never comes; 0: none. A model's value ends with it.
  uint64_t expire_at_millis = 0;
};

void ApplyChange(const Change& change, Contents* contents);
void AddToBatch(const Change& change, WriteBatch* batch);

// One step of a workload. A write of one change uses the plain call, one of several a batch, or either a
// transaction.
struct Step {
  enum class Kind { kWrite, kFlush, kCompact, kSync, kReopen };
  Kind kind = Kind::kWrite;
  std::vector<Change> changes;
  Durability durability = Durability::kProcess;
  bool is_transaction = false;

  // When this step is acknowledged, it and all before it must survive loss of power.
  bool MakesDurable() const {
    return kind == Kind::kSync || (kind == Kind::kWrite && durability == Durability::kSync);
  }
  std::string ToString() const;
};

// REQUIRES: step.kind is not kReopen.
Status RunStep(Db* db, const Step& step);

struct WorkloadOptions {
  size_t step_count = 400;
  size_t key_count = 40;
  size_t value_bytes_max = 300;
  size_t large_value_bytes = 6000;  // one write in twelve has such a value
  bool with_none = false;           // some writes with Durability::kNone
  bool with_reopen = true;
  bool with_transactions = false;  // all writes are transactions, half of them of several changes
  bool with_deadlines = false;      // some puts expire
};

// Puts, deletes, range deletes and batches on few keys, with flushes, compactions, syncs and
// reopens between them. Every value names its step, so that no two states with different histories
// are equal by chance. The same seed gives the same steps.
std::vector<Step> MakeWorkload(uint64_t seed, const WorkloadOptions& options);

// The contents after each step: element i is the state after the first i steps.
std::vector<Contents> StatesOf(const std::vector<Step>& steps);

// The largest i in [first, last] with states[i] == seen.
std::optional<size_t> FindState(const std::vector<Contents>& states, const Contents& seen,
                                size_t first, size_t last);

// Reads everything with an iterator and again key by key; the two must agree, or it is kCorruption.
Result<Contents> ReadContents(Db* db);

// "key: expected 12 bytes, found absent" for up to five keys.
std::string Difference(const Contents& expected, const Contents& found);

// The factor by which to multiply the work of a test: environment variable VARVE_TEST_SCALE, or 1.
double TestScale();
// `count` times the scale, at least one.
size_t Scaled(size_t count);
// Whether sweeps leave out nothing, however long that takes: environment variable VARVE_TEST_EXHAUSTIVE=1.
bool IsExhaustive();
// A sweep over `all` things in about `limit` steps takes every so manieth; each, when it is to be exhaustive.
size_t StrideOf(size_t all, size_t limit);

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_WORKLOAD_H_
