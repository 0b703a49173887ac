// RandomStore: a store of every kind of content with its model, and what a repair may make of it.
#ifndef VARVE_TESTS_SUPPORT_REPAIR_MODEL_H_
#define VARVE_TESTS_SUPPORT_REPAIR_MODEL_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "env/crash_env.h"
#include "tests/support/store_options.h"
#include "varve/db.h"

namespace varve::test {

// By name of the namespace (empty: the default one) and key.
using SpacedContents = std::map<std::pair<std::string, std::string>, std::string>;

// Everything in the store, namespace by namespace.
Result<SpacedContents> ReadSpacedContents(Db* db);

// Namespaces made, cleared and dropped, large and small values, deletes, range deletes, times to live,
// flushes, merges, snapshots that are gone. The same seed gives the same changes.
class RandomStore {
 public:
  static constexpr char kDir[] = "/store";
  static constexpr char kRepaired[] = "/store.repaired";

  RandomStore(uint64_t seed, size_t step_count);

  // Closed in order, or as the end of the process left it.
  Status Build(bool is_closed);
  std::unique_ptr<CrashEnv> Copy() { return left_->CloneAfterProcessCrash(); }
  const SpacedContents& contents() const { return contents_; }
  // Paths of its files, without LOCK and EVENTS.
  std::vector<std::string> Files();
  Result<std::unique_ptr<Db>> Open(const std::string& dir, Env* env) { return opener_(dir, env); }
  const std::string& config() const { return config_; }

  // Opens the repaired store in `env` and compares. Empty when every difference lies in a range that `report`
  // names, and the new store verifies.
  std::string CheckRepaired(const RepairReport& report, CrashEnv* env);

 private:
  Status Change(Db* db, Random* random);
  Status ChangeNamespace(Db* db, const std::string& name, Random* random);

  const uint64_t seed_;
  const size_t step_count_;
  const std::string config_;
  const StoreOpener opener_;
  std::unique_ptr<CrashEnv> env_;   // where it was built
  std::unique_ptr<CrashEnv> left_;  // what was left
  SpacedContents contents_;
  std::map<std::pair<std::string, std::string>, bool> expires_soon_;
};

// "path" -> content of everything below `dir` but LOCK.
std::map<std::string, std::string> FilesBelow(CrashEnv* env, const std::string& dir);

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_REPAIR_MODEL_H_
