// Trees: paths and their keys, lists, subtrees, at their edges.
#include "varve/tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace tree_test {

using namespace std::string_literals;  // NOLINT: strings with zeros
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- Paths.

TEST(TreePathTest, GoldenPaths) {
  EXPECT_EQ(*JoinTreePath({}), "");
  EXPECT_EQ(*JoinTreePath({"a"}), "a");
  EXPECT_EQ(*JoinTreePath({"a", "b c", "d.e"}), "a/b c/d.e");
  EXPECT_EQ(*JoinTreePath({"1/2", "100%", "%2F"}), "1%2F2/100%25/%252F");
  EXPECT_EQ(*JoinTreePath({"\0\xff\\"s}), "\0\xff\\"s);
  EXPECT_EQ(EscapeTreeName("1/2 100%"), "1%2F2 100%25");
  EXPECT_STATUS(kInvalidArgument, JoinTreePath({"a", ""}));
}

TEST(TreePathTest, SplittingIsTheInverseOfJoining) {
  for (const std::vector<std::string_view>& names : {std::vector<std::string_view>{}, {"a"}, {"/", "%", "/%/"},
                                           {"%25", "%2F", "2F"}, {"a", std::string_view("\0", 1)}}) {
    const auto path = JoinTreePath(names);
    ASSERT_OK(path);
    const auto split = SplitTreePath(*path);
    ASSERT_OK(split);
    EXPECT_EQ(*split, std::vector<std::string>(names.begin(), names.end()));
  }
}

TEST(TreePathTest, WhatIsNoPathIsSaidToBeNone) {
  for (const char* path : {"/", "/a", "a/", "a//b", "//"}) {
    EXPECT_STATUS(kInvalidArgument, SplitTreePath(path));
    EXPECT_THAT(SplitTreePath(path).status().message(), HasSubstr("empty name")) << path;
  }
  for (const char* path : {"%", "a%", "a%2", "%2f", "a/%zz", "%2%25", "100% b"}) {
    EXPECT_STATUS(kInvalidArgument, SplitTreePath(path)) << path;
    EXPECT_THAT(SplitTreePath(path).status().message(), HasSubstr("%25")) << path;
  }
}

// --- Trees.

class TreeTest : public ::testing::Test {
 protected:
  TreeTest() {
    options_.env = &env_;
    auto db = OpenTuned("/db", options_, tuning_);
    EXPECT_OK(db);
    db_ = *std::move(db);
  }
  Tree tree() { return Tree(db_.get()); }
  void Fill(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) ASSERT_OK(tree().Put(path, "at " + path));
  }
  // "name" with a value, "name/" with children alone, "name+/" with both.
  std::vector<std::string> List(std::string_view path, const TreePageOptions& options = {}) {
    return Shown(tree().Children(path, options));
  }
  static std::vector<std::string> Shown(const Result<std::vector<TreeChild>>& children) {
    EXPECT_OK(children);
    std::vector<std::string> shown;
    for (const TreeChild& child : children.ok() ? *children : std::vector<TreeChild>()) {
      shown.push_back(child.name + (child.has_value && child.has_children ? "+" : "") +
                      (child.has_children ? "/" : ""));
    }
    return shown;
  }
  std::vector<std::string> Keys() {
    std::vector<std::string> keys;
    auto it = db_->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) keys.emplace_back(it->key());
    EXPECT_OK(it->status());
    return keys;
  }
  std::vector<std::string> Paths(std::string_view path, const TreePageOptions& options = {}) {
    std::vector<std::string> paths;
    EXPECT_OK(tree().Walk(
        path,
        [&](std::string_view node, std::string_view value) {
          EXPECT_EQ(value, "at " + std::string(node));
          paths.emplace_back(node);
          return true;
        },
        options));
    return paths;
  }

  CrashEnv env_{1};
  Options options_;
  Tuning tuning_;
  std::unique_ptr<Db> db_;
};

TEST_F(TreeTest, KeysArePathsAndReadableThroughThePlainInterface) {
  ASSERT_OK(tree().Put("shop/fruit/apple", "red"));
  ASSERT_OK(tree().Put("shop/1%2F2", "half"));
  EXPECT_THAT(Keys(), ElementsAre("shop/1%2F2", "shop/fruit/apple"));
  EXPECT_EQ(*db_->Get("shop/fruit/apple"), "red");
  ASSERT_OK(db_->Put("shop/fruit/pear", "green"));
  EXPECT_EQ(*tree().Get("shop/fruit/pear"), "green");
  EXPECT_THAT(List("shop"), ElementsAre("1/2", "fruit/"));
}

TEST_F(TreeTest, NodesHaveValuesOrChildrenOrBoth) {
  Fill({"a", "a/b/c", "d/e"});
  EXPECT_THAT(List(""), ElementsAre("a+/", "d/"));
  EXPECT_THAT(List("a"), ElementsAre("b/"));
  EXPECT_THAT(List("a/b"), ElementsAre("c"));
  EXPECT_THAT(List("a/b/c"), IsEmpty());
  EXPECT_THAT(List("absent"), IsEmpty());
  EXPECT_STATUS(kNotFound, tree().Get("a/b"));
  ASSERT_OK(tree().Delete("a"));
  EXPECT_THAT(List(""), ElementsAre("a/", "d/"));
  ASSERT_OK(tree().Delete("d/e"));
  EXPECT_THAT(List(""), ElementsAre("a/"));
}

TEST_F(TreeTest, ChildrenComeInTheOrderOfTheirNamesWhateverTheOrderOfKeys) {
  // Below '/', at it, and above: between the key of "a" and the keys below it lie those of "a!" and "a-1".
  Fill({"a/x", "a!", "a!/y", "a-1/x", "a-1-2", "a0", "b", "a%2Fb", "a%25", "\x01", "\xff/x", "B.c.d/x", "B.c/x"});
  EXPECT_THAT(List(""), ElementsAre("\x01", "B.c/", "B.c.d/", "a/", "a!+/", "a%", "a/b", "a-1/", "a-1-2",
                                    "a0", "b", "\xff/"));
  Fill({"a", "B/x", "B.c"});
  EXPECT_THAT(List(""), ElementsAre("\x01", "B/", "B.c+/", "B.c.d/", "a+/", "a!+/", "a%", "a/b", "a-1/",
                                    "a-1-2", "a0", "b", "\xff/"));
}

TEST_F(TreeTest, PagesMeetWhereverTheyAreCut) {
  Fill({"p/a", "p/a/x", "p/a!/x", "p/a-b/x", "p/a-b-c", "p/b", "p/c/x/y", "p/%2F", "q"});
  const std::vector<std::string> all = List("p");
  ASSERT_EQ(all.size(), 7u);
  for (size_t limit = 1; limit <= all.size() + 1; ++limit) {
    std::vector<std::string> pages;
    for (std::string last;;) {
      const auto page = tree().Children("p", {.start_after = last, .limit = limit});
      ASSERT_OK(page);
      if (page->empty()) break;
      ASSERT_LE(page->size(), limit);
      last = page->back().name;
      const auto shown = Shown(page);
      pages.insert(pages.end(), shown.begin(), shown.end());
    }
    EXPECT_EQ(pages, all) << limit;
  }
  // After a name that is not there.
  EXPECT_THAT(List("p", {.start_after = "a-"}), ElementsAre("a-b/", "a-b-c", "b", "c/"));
  EXPECT_THAT(List("p", {.start_after = "z"}), IsEmpty());
  EXPECT_THAT(List("p", {.limit = 0}), IsEmpty());
}

TEST_F(TreeTest, WalkAndCountKeepToTheSubtree) {
  Fill({"a", "a!", "a!/x", "a-1", "a/b", "a/b/c", "a0", "a0/x", "ab"});
  EXPECT_THAT(Paths("a"), ElementsAre("a", "a/b", "a/b/c"));
  EXPECT_THAT(Paths("a/b"), ElementsAre("a/b", "a/b/c"));
  EXPECT_THAT(Paths("b"), IsEmpty());
  EXPECT_EQ(Paths(""), Keys());
  EXPECT_EQ(*tree().Count("a"), 3u);
  EXPECT_EQ(*tree().Count(""), 9u);
  EXPECT_EQ(*tree().Count("a/b/c"), 1u);
  EXPECT_EQ(*tree().Count("a/b/c/d"), 0u);
  EXPECT_THAT(Paths("a", {.start_after = "a"}), ElementsAre("a/b", "a/b/c"));
  EXPECT_THAT(Paths("a", {.start_after = "a!"}), ElementsAre("a/b", "a/b/c"));
  EXPECT_THAT(Paths("a", {.start_after = "a/b", .limit = 1}), ElementsAre("a/b/c"));
  EXPECT_THAT(Paths("a", {.start_after = "0", .limit = 2}), ElementsAre("a", "a/b"));
  EXPECT_THAT(Paths("a", {.start_after = "b"}), IsEmpty());
  int visits = 0;
  ASSERT_OK(tree().Walk("", [&](std::string_view, std::string_view) { return ++visits < 2; }));
  EXPECT_EQ(visits, 2);
}

TEST_F(TreeTest, DeletingASubtreeLeavesItsSiblings) {
  Fill({"a", "a!", "a!/x", "a-1", "a.", "a/b", "a/b/c", "a/\xff", "a0", "a0/x", "ab", "`", "a%2Fb"});
  ASSERT_OK(tree().DeleteSubtree("a"));
  EXPECT_THAT(Keys(), ElementsAre("`", "a!", "a!/x", "a%2Fb", "a-1", "a.", "a0", "a0/x", "ab"));
  ASSERT_OK(tree().DeleteSubtree("absent"));
  ASSERT_OK(tree().DeleteSubtree("a0/x"));
  EXPECT_EQ(Keys().size(), 8u);
  ASSERT_OK(tree().DeleteSubtree(""));
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_F(TreeTest, RenameMovesTheNodeWithAllBelow) {
  Fill({"a", "a!", "a/b", "a/b/c", "a0", "t/x"});
  ASSERT_OK(tree().RenameSubtree("a", "t/y"));
  EXPECT_THAT(Keys(), ElementsAre("a!", "a0", "t/x", "t/y", "t/y/b", "t/y/b/c"));
  EXPECT_EQ(*tree().Get("t/y/b/c"), "at a/b/c");
  // A node with children alone.
  ASSERT_OK(tree().RenameSubtree("t", "u"));
  EXPECT_THAT(Keys(), ElementsAre("a!", "a0", "u/x", "u/y", "u/y/b", "u/y/b/c"));
  ASSERT_OK(tree().RenameSubtree("u/y", "u/y"));
  EXPECT_EQ(Keys().size(), 6u);
}

TEST_F(TreeTest, RenameRefusesAndChangesNothing) {
  Fill({"a", "a/b", "a/b/c", "t/x", "v"});
  const auto before = Keys();
  EXPECT_STATUS(kNotFound, tree().RenameSubtree("absent", "b"));
  EXPECT_STATUS(kNotFound, tree().RenameSubtree("absent", "absent"));
  EXPECT_STATUS(kConflict, tree().RenameSubtree("a", "t"));
  EXPECT_STATUS(kConflict, tree().RenameSubtree("a", "v"));
  EXPECT_THAT(tree().RenameSubtree("a", "v").message(), HasSubstr("'v' already"));
  for (const auto& [from, to] : {std::pair("a", "a/b"), std::pair("a", "a/z"), std::pair("a/b", "a"),
                                 std::pair("", "b"), std::pair("a", ""), std::pair("a", "b//c"),
                                 std::pair("a%", "b"), std::pair("/a", "b")}) {
    EXPECT_STATUS(kInvalidArgument, tree().RenameSubtree(from, to)) << from << " " << to;
    EXPECT_STATUS(kInvalidArgument, tree().RenameSubtree(from, to, {.replace = true}));
  }
  // A name that only begins alike is not within the other.
  EXPECT_EQ(Keys(), before);
  ASSERT_OK(tree().RenameSubtree("a", "ab"));
  EXPECT_THAT(Keys(), ElementsAre("ab", "ab/b", "ab/b/c", "t/x", "v"));
}

TEST_F(TreeTest, RenameReplacesWhenToldTo) {
  Fill({"a", "a/b", "t", "t/x", "t/b", "t!"});
  ASSERT_OK(tree().RenameSubtree("a", "t", {.replace = true}));
  EXPECT_THAT(Keys(), ElementsAre("t", "t!", "t/b"));
  EXPECT_EQ(*tree().Get("t/b"), "at a/b");
}

TEST_F(TreeTest, RenameOfWhatExpiresIsRefused) {
  ASSERT_OK(tree().Put("a/b", "v", {.ttl = std::chrono::hours(1)}));
  ASSERT_OK(tree().Put("a/c", "v"));
  EXPECT_STATUS(kNotSupported, tree().RenameSubtree("a", "z"));
  EXPECT_THAT(tree().RenameSubtree("a", "z").message(), HasSubstr("'a/b'"));
  EXPECT_THAT(Keys(), ElementsAre("a/b", "a/c"));
  ASSERT_OK(db_->Persist("a/b"));
  ASSERT_OK(tree().RenameSubtree("a", "z"));
  EXPECT_THAT(Keys(), ElementsAre("z/b", "z/c"));
}

TEST_F(TreeTest, RenameOverTheLimitOfATransactionIsRefusedWhole) {
  tuning_.max_transaction_bytes = 3000;
  db_.reset();
  auto db = OpenTuned("/db", options_, tuning_);
  ASSERT_OK(db);
  db_ = *std::move(db);
  for (int i = 0; i < 50; ++i) ASSERT_OK(tree().Put("a/" + std::to_string(i), std::string(100, 'v')));
  const Status status = tree().RenameSubtree("a", "b");
  EXPECT_STATUS(kInvalidArgument, status);
  EXPECT_THAT(status.message(), HasSubstr("renaming 'a'"));
  EXPECT_THAT(status.message(), HasSubstr("limit"));
  EXPECT_EQ(*tree().Count("a"), 50u);
  EXPECT_EQ(*tree().Count("b"), 0u);
}

TEST_F(TreeTest, KeysAreTooLongForASubtreeAtTheLimitOnly) {
  const std::string longest(65535, 'n');
  ASSERT_OK(tree().Put(longest, "v"));
  EXPECT_STATUS(kInvalidArgument, tree().DeleteSubtree(longest));
  ASSERT_OK(tree().Delete(longest));
  ASSERT_OK(tree().Put("d/e", "v"));
  EXPECT_STATUS(kInvalidArgument, tree().RenameSubtree("d", longest.substr(1)));
  ASSERT_OK(tree().Put(longest.substr(1), "v"));
  ASSERT_OK(tree().DeleteSubtree(longest.substr(1)));
  EXPECT_THAT(Keys(), ElementsAre("d/e"));
}

TEST_F(TreeTest, KeysThatAreNoPathsAreNoNodesButGoWithTheSubtree) {
  for (const char* key : {"", "/", "/x", "a//b", "a/", "a/%zz/x", "a/%zz", "100%", "a/b/"}) {
    ASSERT_OK(db_->Put(key, std::string("at ") + key));
  }
  Fill({"a/b", "a/c", "b"});
  EXPECT_THAT(List(""), ElementsAre("a/", "b"));
  EXPECT_THAT(List("a"), ElementsAre("b+/", "c"));
  EXPECT_THAT(Paths(""), ElementsAre("a/b", "a/c", "b"));
  EXPECT_EQ(*tree().Count("a"), 2u);
  ASSERT_OK(tree().RenameSubtree("a", "z"));
  EXPECT_THAT(Keys(), ElementsAre("", "/", "/x", "100%", "b", "z/", "z/%zz", "z/%zz/x", "z//b", "z/b", "z/b/", "z/c"));
  ASSERT_OK(tree().DeleteSubtree("z"));
  EXPECT_THAT(Keys(), ElementsAre("", "/", "/x", "100%", "b"));
}

TEST_F(TreeTest, TheRootHasNoValue) {
  EXPECT_STATUS(kInvalidArgument, tree().Put("", "v"));
  EXPECT_STATUS(kInvalidArgument, tree().Get(""));
  EXPECT_STATUS(kInvalidArgument, tree().Delete(""));
  for (const char* path : {"a//b", "%"}) {
    EXPECT_STATUS(kInvalidArgument, tree().Put(path, "v"));
    EXPECT_STATUS(kInvalidArgument, tree().Get(path));
    EXPECT_STATUS(kInvalidArgument, tree().Delete(path));
    EXPECT_STATUS(kInvalidArgument, tree().Children(path));
    EXPECT_STATUS(kInvalidArgument, tree().Count(path));
    EXPECT_STATUS(kInvalidArgument, tree().DeleteSubtree(path));
  }
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_F(TreeTest, NamespacesAndSnapshotsHaveTreesOfTheirOwn) {
  Fill({"a/b"});
  auto users = db_->OpenNamespace("users");
  ASSERT_OK(users);
  Tree other(db_.get(), users->get());
  ASSERT_OK(other.Put("a/c", "v"));
  ASSERT_OK(other.Put("a/d/e", "v"));
  EXPECT_THAT(Shown(other.Children("a")), ElementsAre("c", "d/"));
  const auto snapshot = db_->GetSnapshot();
  ASSERT_OK(other.RenameSubtree("a", "z"));
  EXPECT_THAT(Shown(other.Children("")), ElementsAre("z/"));
  EXPECT_THAT(Shown(other.Children("", {.snapshot = snapshot.get()})), ElementsAre("a/"));
  EXPECT_EQ(*other.Count("a", snapshot.get()), 2u);
  ASSERT_OK(other.DeleteSubtree(""));
  EXPECT_THAT(Shown(other.Children("")), IsEmpty());
  EXPECT_THAT(Keys(), ElementsAre("a/b"));
}

TEST_F(TreeTest, SeveralCallsAreOneTransaction) {
  Fill({"a/x", "a/y", "b/z"});
  const Status failed = db_->Transact([&](Transaction& t) -> Status {
    EXPECT_OK(tree().DeleteSubtree(t, "b"));
    EXPECT_OK(tree().RenameSubtree(t, "a", "b"));
    EXPECT_THAT(Shown(tree().Children(t, "b")), ElementsAre("x", "y"));
    EXPECT_STATUS(kNotFound, tree().RenameSubtree(t, "a", "c"));
    return Status::Aborted("never mind");
  });
  EXPECT_STATUS(kAborted, failed);
  EXPECT_THAT(Keys(), ElementsAre("a/x", "a/y", "b/z"));
  ASSERT_OK(db_->Transact([&](Transaction& t) -> Status {
    EXPECT_OK(tree().DeleteSubtree(t, "b"));
    return tree().RenameSubtree(t, "a", "b");
  }));
  EXPECT_THAT(Keys(), ElementsAre("b/x", "b/y"));
  ASSERT_OK(db_->Transact([&](Transaction& t) { return tree().DeleteSubtree(t, ""); }));
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_F(TreeTest, AChangeInTheSubtreeIsAConflictOfItsRename) {
  Fill({"a/x", "a!"});
  for (const auto& [path, is_conflict] : {std::pair("a/y", true), std::pair("a", true), std::pair("t/new", true),
                                          std::pair("elsewhere", false)}) {
    auto transaction = db_->Begin();
    ASSERT_OK(tree().RenameSubtree(*transaction, "a", "t"));
    ASSERT_OK(tree().Put(path, "v"));
    const Status status = transaction->Commit();
    if (is_conflict) {
      EXPECT_STATUS(kConflict, status) << path;
    } else {
      EXPECT_OK(status) << path;
    }
    ASSERT_OK(tree().DeleteSubtree("t"));
    ASSERT_OK(tree().Put("a/x", "v"));
  }
}

}  // namespace tree_test
}  // namespace varve
