// The commands of backups, on stores of the real file system.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "cli/run.h"
#include "tests/support/temp_dir.h"

namespace varve::cli {
namespace backup_commands_test {

class BackupCommandsTest : public testing::Test {
 protected:
  int Varve(const std::string& dir, std::vector<std::string> words) {
    words.insert(words.begin(), {"--dir", dir_.Sub(dir)});
    std::istringstream in(input_);
    std::ostringstream out, err;
    const Console console{.in = in,
                          .out = out,
                          .err = err,
                          .out_is_terminal = terminal_,
                          .err_is_terminal = terminal_,
                          .width = 80,
                          .now_nanos = [this] { return now_ += 200'000'000; }};
    const Backend backend{.open = [](const std::string& path, const Options& options) {
                            return Db::Open(path, options);
                          },
                          .read_wal = ReadWal};
    const int exit_code = cli::Run(words, {}, console, backend);
    out_ = out.str();
    err_ = err.str();
    return exit_code;
  }
  std::string Get(const std::string& dir, const std::string& key) {
    EXPECT_EQ(Varve(dir, {"get", key}), kExitOk) << err_;
    return out_;
  }
  static std::string Content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  test::TempDir dir_;
  std::string input_, out_, err_;
  bool terminal_ = false;
  uint64_t now_ = 0;
};

TEST_F(BackupCommandsTest, BackupIncrementAndRestore) {
  const std::string full = dir_.Sub("full"), next = dir_.Sub("next");
  ASSERT_EQ(Varve("data", {"put", "a", "1"}), kExitOk);
  ASSERT_EQ(Varve("data", {"backup", full}), kExitOk) << err_;
  EXPECT_NE(out_.find("sequence\t1\n"), std::string::npos) << out_;
  ASSERT_EQ(Varve("data", {"put", "b", "2"}), kExitOk);
  ASSERT_EQ(Varve("data", {"backup", next, "--since", full, "--json"}), kExitOk) << err_;
  EXPECT_NE(out_.find("\"since\":\""), std::string::npos) << out_;
  ASSERT_EQ(Varve("copy", {"restore", full, next}), kExitOk) << err_;
  EXPECT_EQ(Get("copy", "a"), "1");
  EXPECT_EQ(Get("copy", "b"), "2");
  // Only the first one; and not over what is there.
  ASSERT_EQ(Varve("old", {"restore", full}), kExitOk) << err_;
  EXPECT_EQ(Varve("old", {"get", "b"}), kExitKeyNotFound);
  EXPECT_EQ(Varve("old", {"restore", full}), kExitError);
  EXPECT_NE(err_.find("is not empty"), std::string::npos) << err_;
  EXPECT_EQ(Varve("new", {"restore", next}), kExitError);
  EXPECT_NE(err_.find("give the full backup"), std::string::npos) << err_;
}

TEST_F(BackupCommandsTest, ThroughPipes) {
  ASSERT_EQ(Varve("data", {"put", "a", "1"}), kExitOk);
  ASSERT_EQ(Varve("data", {"backup", "-"}), kExitOk) << err_;
  input_ = out_;
  ASSERT_EQ(Varve("copy", {"restore", "-"}), kExitOk) << err_;
  EXPECT_EQ(Varve("any", {"backup", "--check", "-"}), kExitOk) << err_;
  input_.resize(input_.size() - 1);
  EXPECT_EQ(Varve("any", {"backup", "--check", "-"}), kExitCorruption);
  EXPECT_EQ(Varve("none", {"restore", "-"}), kExitCorruption);
  EXPECT_NE(err_.find("take another one"), std::string::npos) << err_;
  EXPECT_EQ(Varve("none", {"get", "a"}), kExitError);
  input_.clear();
  EXPECT_EQ(Get("copy", "a"), "1");
}

TEST_F(BackupCommandsTest, SlipsCostNothing) {
  const std::string full = dir_.Sub("full");
  ASSERT_EQ(Varve("data", {"put", "a", "1"}), kExitOk);
  ASSERT_EQ(Varve("data", {"backup", full}), kExitOk);
  const std::string before = Content(full);
  EXPECT_EQ(Varve("data", {"backup", full, "--since", full}), kExitUsage);
  EXPECT_EQ(Varve("missing", {"backup", full}), kExitError);
  EXPECT_EQ(Varve("data", {"backup", dir_.Sub("no/such/dir/f")}), kExitError);
  EXPECT_EQ(Varve("data", {"backup", full, "--rate", "fast"}), kExitUsage);
  EXPECT_EQ(Varve("data", {"backup", dir_.Sub("next"), "--since", dir_.Sub("nothing")}), kExitError);
  EXPECT_EQ(Varve("copy", {"restore", dir_.Sub("nothing")}), kExitError);
  terminal_ = true;
  EXPECT_EQ(Varve("data", {"backup", "-"}), kExitUsage);
  EXPECT_NE(err_.find("not for a terminal"), std::string::npos) << err_;
  EXPECT_EQ(Content(full), before);
}

TEST_F(BackupCommandsTest, ProgressInBytes) {
  ASSERT_EQ(Varve("data", {"put", "a", std::string(3 << 20, 'x')}), kExitOk);
  ASSERT_EQ(Varve("data", {"backup", dir_.Sub("full"), "--progress"}), kExitOk);
  EXPECT_NE(err_.find("backed up "), std::string::npos) << err_;
  EXPECT_NE(err_.find(" bytes\n"), std::string::npos) << err_;
  terminal_ = true;
  ASSERT_EQ(Varve("copy", {"restore", dir_.Sub("full")}), kExitOk) << err_;
  EXPECT_NE(err_.find("restoring "), std::string::npos) << err_;
  EXPECT_NE(err_.find("MB/s"), std::string::npos) << err_;
  EXPECT_NE(err_.find(" left"), std::string::npos) << err_;
}

TEST_F(BackupCommandsTest, Checkpoint) {
  ASSERT_EQ(Varve("data", {"put", "a", "1"}), kExitOk);
  ASSERT_EQ(Varve("data", {"checkpoint", dir_.Sub("point")}), kExitOk) << err_;
  ASSERT_EQ(Varve("data", {"put", "a", "2"}), kExitOk);
  EXPECT_EQ(Get("point", "a"), "1");
  EXPECT_EQ(Varve("data", {"checkpoint", dir_.Sub("point")}), kExitError);
}

}  // namespace backup_commands_test
}  // namespace varve::cli
