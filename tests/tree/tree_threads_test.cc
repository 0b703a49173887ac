// Trees while several threads change them: that each operation is one step.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "varve/tree.h"

namespace varve {
namespace tree_threads_test {

class TreeThreadsTest : public ::testing::Test {
 protected:
  TreeThreadsTest() {
    auto db = test::OpenerFor(test::SmallStoreConfig())("/db", &env_);
    EXPECT_OK(db);
    db_ = *std::move(db);
  }
  std::vector<std::string> Paths(std::string_view path) {
    std::vector<std::string> paths;
    EXPECT_OK(Tree(db_.get()).Walk(path, [&](std::string_view node, std::string_view) {
      paths.emplace_back(node);
      return true;
    }));
    return paths;
  }

  CrashEnv env_{1};
  std::unique_ptr<Db> db_;
};

TEST_F(TreeThreadsTest, RenamesAreSeenWhole) {
  Tree tree(db_.get());
  constexpr size_t kNodes = 20;
  ASSERT_OK(tree.Put("x", "v"));
  for (size_t i = 1; i < kNodes; ++i) ASSERT_OK(tree.Put("x/" + std::to_string(i), "v"));
  std::atomic<bool> is_over{false};
  std::thread renamer([&] {
    for (int i = 0; i < 200; ++i) {
      EXPECT_OK(tree.RenameSubtree("x", "y/z"));
      EXPECT_OK(tree.RenameSubtree("y/z", "x"));
    }
    is_over = true;
  });
  do {
    const auto paths = Paths("");
    std::set<char> tops;
    for (const std::string& path : paths) tops.insert(path[0]);
    EXPECT_EQ(paths.size(), kNodes);
    EXPECT_EQ(tops.size(), 1u);
    const auto children = tree.Children("");
    EXPECT_OK(children);
    EXPECT_EQ(children->size(), 1u);
  } while (!is_over);
  renamer.join();
}

TEST_F(TreeThreadsTest, WhatIsPutDuringADeleteIsDeletedOrComesAfterIt) {
  // Goal: a subtree's delete is one step, also between the node's own key and those below. Method: one thread puts
  // "s", "s/0", "s/1" ... with growing numbers, one after another, another deletes "s" again and again. At any
  // moment what is there are the last puts, without a gap: had a delete taken the keys below after its step, or
  // left some, a later put would be gone while an earlier one stays.
  Tree tree(db_.get());
  std::atomic<bool> is_over{false};
  std::thread deleter([&] {
    while (!is_over) EXPECT_OK(tree.DeleteSubtree("s"));
  });
  std::thread writer([&] {
    for (int i = 0; i < 3000; ++i) {
      std::string path = "s/";
      path += std::to_string(100000 + i);
      // The node's own key in between: it has its place in the order of the puts like any other.
      EXPECT_OK(tree.Put(i % 10 == 0 ? std::string("s") : path, std::to_string(i)));
    }
    is_over = true;
  });
  while (!is_over) {
    std::set<int> numbers;
    EXPECT_OK(tree.Walk("s", [&](std::string_view, std::string_view value) {
      numbers.insert(std::stoi(std::string(value)));
      return true;
    }));
    // Puts to "s" itself overwrite one another, so only the last of them shows.
    int last_own = -1;
    for (const int number : numbers) {
      if (number % 10 == 0) last_own = number;
    }
    int previous = -1;
    for (const int number : numbers) {
      if (number == last_own) continue;
      if (previous >= 0) {
        const int step = number - previous;
        EXPECT_TRUE(step == 1 || (step == 2 && (previous + 1) % 10 == 0)) << previous << " " << number;
        EXPECT_TRUE(step == 1 || last_own > previous) << previous << " " << last_own;
      }
      previous = number;
    }
    EXPECT_TRUE(last_own < 0 || previous < last_own + 10) << previous << " " << last_own;
  }
  writer.join();
  deleter.join();
  ASSERT_OK(tree.DeleteSubtree("s"));
  EXPECT_TRUE(Paths("").empty());
}

TEST_F(TreeThreadsTest, RenamesAndPutsLoseNothing) {
  // Everything put below "in" is moved away by one of two threads, to a place of its own; nothing may be lost or
  // be in two places.
  Tree tree(db_.get());
  constexpr int kPuts = 1000;
  std::atomic<bool> is_over{false};
  std::vector<std::thread> movers;
  for (int mover = 0; mover < 2; ++mover) {
    movers.emplace_back([&, mover] {
      for (int turn = 0;; ++turn) {
        const bool is_last = is_over;
        const std::string to = "out/" + std::to_string(mover) + "-" + std::to_string(turn);
        const Status status = tree.RenameSubtree("in", to);
        const bool is_expected = status.ok() || status.IsNotFound() || status.code() == StatusCode::kConflict;
        EXPECT_TRUE(is_expected) << status.ToString();
        if (is_last && status.IsNotFound()) return;
      }
    });
  }
  for (int i = 0; i < kPuts; ++i) EXPECT_OK(tree.Put("in/" + std::to_string(i), "v"));
  is_over = true;
  for (std::thread& mover : movers) mover.join();
  std::set<std::string> names;
  const auto paths = Paths("");
  for (const std::string& path : paths) names.insert(path.substr(path.rfind('/') + 1));
  EXPECT_EQ(paths.size(), static_cast<size_t>(kPuts));
  EXPECT_EQ(names.size(), static_cast<size_t>(kPuts));
}

}  // namespace tree_threads_test
}  // namespace varve
