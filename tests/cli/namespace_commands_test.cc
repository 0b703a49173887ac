#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/cli/cli_fixture.h"
#include "tests/support/temp_dir.h"

namespace varve::cli {
namespace namespace_commands_test {

class NamespaceCommandsTest : public CliTest {
 protected:
  NamespaceCommandsTest() {
    Fill({{"k", "default"}});
    stores_.At("d").namespaces = {{"a", {{"k", "in a"}, {"l", "2"}}}, {"b\n", {{"k", "in b"}}}};
  }
  Contents& In(const std::string& name) { return stores_.At("d").namespaces[name]; }
};

TEST_F(NamespaceCommandsTest, ReadingNamesOne) {
  EXPECT_EQ(OutputOf({"get", "k"}), "default");
  EXPECT_EQ(OutputOf({"get", "-n", "a", "k"}), "in a");
  EXPECT_EQ(OutputOf({"get", "-n", "a", "k", "--json"}),
            "{\"namespace\":\"a\",\"key\":\"k\",\"value\":\"in a\"}\n");
  EXPECT_EQ(OutputOf({"get", "-n", "b\\n", "k", "--escaped"}), "in b");
  EXPECT_EQ(OutputOf({"scan", "-n", "a"}), "k\tin a\nl\t2\n");
  EXPECT_EQ(OutputOf({"scan", "-n", "a", "--keys", "--limit", "1", "--json"}),
            "{\"namespace\":\"a\",\"key\":\"k\"}\n");
  EXPECT_EQ(OutputOf({"scan", "-n", "a", "--limit", "1", "--json"}),
            "{\"namespace\":\"a\",\"key\":\"k\",\"value\":\"in a\"}\n");
  EXPECT_EQ(OutputOf({"count", "-n", "a"}), "2\n");
  EXPECT_EQ(OutputOf({"count", "-n", "a", "--json"}), "{\"namespace\":\"a\",\"count\":2}\n");
  EXPECT_EQ(OutputOf({"count"}), "1\n");
}

TEST_F(NamespaceCommandsTest, WritingNamesOneAndPutMakesIt) {
  OutputOf({"put", "-n", "new", "k", "v"});
  EXPECT_EQ(In("new"), (Contents{{"k", "v"}}));
  OutputOf({"del", "-n", "a", "k"});
  EXPECT_EQ(In("a"), (Contents{{"l", "2"}}));
  OutputOf({"delrange", "-n", "a", "a", "z"});
  EXPECT_EQ(In("a"), Contents{});
  EXPECT_EQ(stores_.At("d").contents, (Contents{{"k", "default"}}));
}

TEST_F(NamespaceCommandsTest, AMissingOneIsAnErrorThatSaysWhatToDo) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"get", "-n", "x", "k"}, {"del", "-n", "x", "k"},
        {"delrange", "-n", "x", "a", "b"}, {"scan", "-n", "x"}, {"count", "-n", "x"},
        {"dump", "-n", "x"}, {"drop", "x"}}) {
    EXPECT_EQ(Varve(words), kExitError) << words[0];
    EXPECT_NE(err_.find("'varve --dir d namespaces' lists"), std::string::npos) << err_;
    EXPECT_EQ(stores_.At("d").namespaces.count("x"), 0u);
  }
  EXPECT_EQ(Varve({"get", "-n", "", "k"}), kExitUsage);
  EXPECT_EQ(Varve({"get", "-n", "\\q", "--escaped", "k"}), kExitUsage);
}

TEST_F(NamespaceCommandsTest, ASlipInANameLeavesTheOldDumpAlone) {
  const test::TempDir dir;
  std::ofstream(dir.Sub("old")) << "old";
  EXPECT_EQ(Varve({"dump", "-n", "x", dir.Sub("old")}), kExitError);
  EXPECT_EQ(std::filesystem::file_size(dir.Sub("old")), 3u);
}

TEST_F(NamespaceCommandsTest, DumpWritesAllOfThemAndLoadTakesThemBack) {
  for (const std::string& format : {std::string("tsv"), std::string("json")}) {
    const std::string dumped = OutputOf({"dump", "--format", format});
    EXPECT_TRUE(format != "tsv" || dumped == "k\tdefault\n@a\tk\tin a\n@a\tl\t2\n@b\\n\tk\tin b\n") << dumped;
    const MemoryStore before = stores_.At("d");
    stores_.At("d").contents.clear();
    stores_.At("d").namespaces.clear();
    // In the order in which the double gives numbers.
    stores_.At("d").namespaces = {{"a", {}}, {"b\n", {}}};
    input_ = dumped;
    OutputOf({"load", "-", "--format", format});
    EXPECT_EQ(stores_.At("d").contents, before.contents) << format;
    EXPECT_EQ(stores_.At("d").namespaces, before.namespaces) << format;
  }
}

TEST_F(NamespaceCommandsTest, DumpOfOneLoadsIntoAnother) {
  input_ = OutputOf({"dump", "-n", "a"});
  EXPECT_EQ(input_, "k\tin a\nl\t2\n");
  OutputOf({"load", "-n", "b\n", "-"});
  EXPECT_EQ(In("b\n"), In("a"));
  EXPECT_EQ(OutputOf({"dump", "--prefix", "k"}), "k\tdefault\n");
}

TEST_F(NamespaceCommandsTest, NamespacesListsThem) {
  EXPECT_EQ(OutputOf({"namespaces"}), "a\tstore's\tstore's\tnone\nb\\n\tstore's\tstore's\tnone\n");
  EXPECT_EQ(OutputOf({"namespaces", "--json"}).substr(0, 26), "{\"namespace\":\"a\",\"id\":1,\"d");
}

TEST_F(NamespaceCommandsTest, DropDropsOne) {
  EXPECT_EQ(OutputOf({"drop", "a"}), "");
  EXPECT_EQ(stores_.At("d").namespaces.count("a"), 0u);
  EXPECT_EQ(OutputOf({"drop", "b\\n", "--escaped", "--json"}), "{\"ok\":true}\n");
  EXPECT_TRUE(stores_.At("d").namespaces.empty());
}

TEST_F(NamespaceCommandsTest, WalShowsNames) {
  stores_.At("d").log = {{"WRITE", "k", "v", ""}, {"NAMESPACE", "", "", "a"},
                         {"WRITE", "k", "v", "a"}, {"DELETE", "k", "", "a"},
                         {"CLEAR", "", "", "a"},   {"DROP", "", "", "a"}};
  EXPECT_EQ(OutputOf({"wal"}),
            "WRITE\tk\tv\nNAMESPACE\t@a\nWRITE\t@a\tk\tv\nDELETE\t@a\tk\nCLEAR\t@a\nDROP\t@a\n");
  EXPECT_NE(OutputOf({"wal", "--json"})
                .find("{\"sequence\":3,\"kind\":\"WRITE\",\"namespace\":\"a\",\"key\":\"k\",\"value\":\"v\"}"),
            std::string::npos)
      << out_;
}

}  // namespace namespace_commands_test
}  // namespace varve::cli
