// Trees: what the calls on subtrees cost.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/check.h"
#include "varve/tree.h"

namespace varve {
namespace {

class Store {
 public:
  Store() : dir_((std::filesystem::temp_directory_path() / "varve_tree_bench").string()) {
    std::filesystem::remove_all(dir_);
    auto db = Db::Open(dir_);
    VARVE_CHECK(db.ok());
    db_ = *std::move(db);
  }
  ~Store() {
    db_.reset();
    std::filesystem::remove_all(dir_);
  }
  Tree tree() { return Tree(db_.get()); }
  Db& db() { return *db_; }

  // `top` with `count` nodes below it, a hundred to each child.
  void Fill(const std::string& top, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      char path[64];
      std::snprintf(path, sizeof(path), "%s/%06lld/%02lld", top.c_str(), static_cast<long long>(i / 100),
                    static_cast<long long>(i % 100));
      VARVE_CHECK(tree().Put(path, "a value of thirty-two bytes .....").ok());
    }
  }

 private:
  const std::string dir_;
  std::unique_ptr<Db> db_;
};

void DeleteSubtree(benchmark::State& state) {
  Store store;
  store.Fill("sibling", 1000);
  for (auto _ : state) {
    state.PauseTiming();
    store.Fill("top", state.range(0));
    state.ResumeTiming();
    VARVE_CHECK(store.tree().DeleteSubtree("top").ok());
  }
  VARVE_CHECK(*store.tree().Count("") == 1000);
}
BENCHMARK(DeleteSubtree)->Arg(100)->Iterations(20)->Unit(benchmark::kMicrosecond);
BENCHMARK(DeleteSubtree)->Arg(1000000)->Iterations(5)->Unit(benchmark::kMicrosecond);

void RenameSubtree(benchmark::State& state) {
  Store store;
  store.Fill("a", state.range(0));
  bool is_a = true;
  for (auto _ : state) {
    VARVE_CHECK(store.tree().RenameSubtree(is_a ? "a" : "b", is_a ? "b" : "a").ok());
    is_a = !is_a;
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(RenameSubtree)->Arg(100)->Arg(100000)->Unit(benchmark::kMicrosecond);

// A hundred children with a hundred nodes below each.
void Children(benchmark::State& state) {
  Store store;
  store.Fill("top", 10000);
  if (state.range(0) != 0) VARVE_CHECK(store.db().Compact().ok());
  for (auto _ : state) VARVE_CHECK(store.tree().Children("top")->size() == 100);
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * 100);
}
BENCHMARK(Children)->ArgName("in_segments")->Arg(0)->Arg(1);

}  // namespace
}  // namespace varve
