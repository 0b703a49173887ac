#include <gtest/gtest.h>

#include "tests/cli/cli_fixture.h"

namespace varve::cli {
namespace tree_commands_test {

// What needs a real store, deleting and renaming, is tried by docs/tree.md, whose examples are run.
class TreeCommandsTest : public CliTest {
 protected:
  TreeCommandsTest() {
    Fill({{"a", "1"}, {"a/b", "2"}, {"a/c/d", "3"}, {"e\n/f", "4"}, {"g%2Fh", "5"}});
    stores_.At("d").namespaces = {{"n", {{"x/y", "in n"}}}};
  }
};

TEST_F(TreeCommandsTest, ListShowsChildren) {
  EXPECT_EQ(OutputOf({"tree", "list"}), "a\tvalue,children\ne\\n\tchildren\ng%2Fh\tvalue\n");
  EXPECT_EQ(OutputOf({"tree", "list", "a"}), "b\tvalue\nc\tchildren\n");
  EXPECT_EQ(OutputOf({"tree", "list", "a", "--limit", "1"}), "b\tvalue\n");
  EXPECT_EQ(OutputOf({"tree", "list", "a", "--after", "b"}), "c\tchildren\n");
  EXPECT_EQ(OutputOf({"tree", "list", "--after", "e\\n", "--escaped", "--json"}),
            "{\"name\":\"g/h\",\"path\":\"g%2Fh\",\"has_value\":true,\"has_children\":false}\n");
  EXPECT_EQ(OutputOf({"tree", "list", "-n", "n", "--json"}),
            "{\"namespace\":\"n\",\"name\":\"x\",\"path\":\"x\",\"has_value\":false,\"has_children\":true}\n");
  EXPECT_EQ(OutputOf({"tree", "list", "absent"}), "");
}

TEST_F(TreeCommandsTest, WalkCountAndGet) {
  EXPECT_EQ(OutputOf({"tree", "walk", "a"}), "a\t1\na/b\t2\na/c/d\t3\n");
  EXPECT_EQ(OutputOf({"tree", "walk", "a", "--after", "a/b"}), "a/c/d\t3\n");
  EXPECT_EQ(OutputOf({"tree", "walk", "--limit", "1", "--json"}), "{\"key\":\"a\",\"value\":\"1\"}\n");
  EXPECT_EQ(OutputOf({"tree", "count", "a"}), "3\n");
  EXPECT_EQ(OutputOf({"tree", "count"}), "5\n");
  EXPECT_EQ(OutputOf({"tree", "count", "-n", "n", "--json"}), "{\"namespace\":\"n\",\"count\":1}\n");
  EXPECT_EQ(OutputOf({"tree", "get", "a/c/d"}), "3");
  EXPECT_EQ(Varve({"tree", "get", "a/c"}), kExitKeyNotFound);
}

TEST_F(TreeCommandsTest, PutMakesStores) {
  OutputOf({"tree", "put", "a/z", "new", "--sync"});
  EXPECT_EQ(stores_.At("d").contents["a/z"], "new");
  EXPECT_EQ(stores_.At("d").durability, Durability::kSync);
  EXPECT_EQ(RunLine({"--dir", "other", "tree", "put", "a/z", "v"}), kExitOk);
  EXPECT_TRUE(stores_.Exists("other"));
}

TEST_F(TreeCommandsTest, SlipsAreUsageErrorsAndLeaveNothingBehind) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"tree", "put", "a//b", "v"}, {"tree", "put", "a/b"}, {"tree", "grow", "a"},
        {"tree", "get"}, {"tree", "get", "a", "b"}, {"tree", "put", "100%", "v"}, {"tree", "delete"},
        {"tree", "rename", "a"}, {"tree", "list", "a/"}, {"tree", "put", "\\q", "v", "--escaped"},
        {"tree", "list", "--limit", "x"}, {"tree", "list", "--after", "a/b"}, {"tree", "list", "--after", "%"}}) {
    std::vector<std::string> line = {"--dir", "new"};
    if (words[1] == "list") line = {"--dir", "d"};
    line.insert(line.end(), words.begin(), words.end());
    EXPECT_EQ(RunLine(line), kExitUsage) << words[1] << " " << words.back() << ": " << err_;
  }
  EXPECT_EQ(RunLine({"--dir", "new", "tree", "put", "a", "@/nowhere"}), kExitError);
  EXPECT_FALSE(stores_.Exists("new"));
  EXPECT_EQ(RunLine({"--dir", "new", "tree", "get", "a"}), kExitError);
}

}  // namespace tree_commands_test
}  // namespace varve::cli
