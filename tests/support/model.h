// ModelRun: random operations on a store and on std::map, compared step by step.
#ifndef VARVE_TESTS_SUPPORT_MODEL_H_
#define VARVE_TESTS_SUPPORT_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "env/env.h"
#include "tests/support/map_iterator.h"
#include "tests/support/store_options.h"
#include "tests/support/workload.h"
#include "varve/db.h"

namespace varve::test {

// Writes of every kind, reads of every kind, iterators and snapshots that outlive later writes,
// flushes, compactions and reopens. Keys are few, so that they meet; some are empty, long, or full
// of 0x00 and 0xff. Thread-compatible.
class ModelRun {
 public:
  ModelRun(uint64_t seed, StoreOpener opener, std::string dir, Env* env);
  ~ModelRun();

  // Empty when store and model agreed for `step_count` steps; else the first difference and the
  // steps before it.
  std::string Run(size_t step_count);

 private:
  struct HeldSnapshot {
    std::unique_ptr<Snapshot> snapshot;
    std::shared_ptr<const Contents> contents;
  };
  struct HeldIterator {
    std::unique_ptr<Iterator> iterator;
    std::unique_ptr<MapIterator> model;
  };

  // Each does one step on both sides and returns the difference, or nothing.
  std::string Step();
  std::string DoWrite();
  std::string DoBatch();
  std::string DoDeleteRange();
  std::string DoCompareAndSet();
  std::string DoGet();
  std::string DoMultiGet();
  std::string DoNewIterator();
  std::string DoMoveIterator();
  std::string DoSnapshot();
  std::string DoMaintenance();
  std::string DoReopen();

  std::string CompareValue(const std::string& key, const Snapshot* snapshot,
                           const Contents& contents);
  std::string CompareIterators(HeldIterator* held);
  std::string CompareAll();
  void DropViews();

  std::string RandomKey();
  std::string RandomValue();
  WriteOptions RandomWriteOptions();
  // Null for the newest state; else one of the held ones.
  const HeldSnapshot* RandomSnapshot();
  void Note(std::string what);

  Random random_;
  const StoreOpener opener_;
  const std::string dir_;
  Env* const env_;
  std::vector<std::string> keys_;
  std::unique_ptr<Db> db_;
  std::shared_ptr<Contents> contents_ = std::make_shared<Contents>();
  std::vector<HeldSnapshot> snapshots_;
  std::vector<HeldIterator> iterators_;
  std::vector<std::string> trace_;  // the last steps
  size_t step_ = 0;
};

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_MODEL_H_
