// CliTest: runs command lines against stores in memory.
#ifndef VARVE_TESTS_CLI_CLI_FIXTURE_H_
#define VARVE_TESTS_CLI_CLI_FIXTURE_H_

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "cli/run.h"
#include "tests/cli/memory_store.h"

namespace varve::cli {

class CliTest : public testing::Test {
 protected:
  // Runs `words` with --dir d before them, and returns the exit code. Output is in out_ and err_.
  int Varve(std::vector<std::string> words) {
    words.insert(words.begin(), {"--dir", "d"});
    return RunLine(words);
  }

  int RunLine(const std::vector<std::string>& words) {
    std::istringstream in(input_);
    std::ostringstream out, err;
    const Console console{.in = in,
                          .out = out,
                          .err = err,
                          .out_is_terminal = terminal_,
                          .err_is_terminal = terminal_,
                          .width = width_,
                          .color_allowed = color_,
                          .terminal = terminal_at_,
                          .now_nanos = [this] { return now_ += 1'000'000; }};
    Backend backend = stores_.MakeBackend();
    backend.serve = serve_;
    backend.open_topology = [](const std::string& address) {
      return node::ClusterStore::Open(address, Env::Default());
    };
    backend.torture = torture_;
    backend.campaigns = campaigns_;
    backend.certify = certify_;
    const int exit_code = cli::Run(words, environment_, console, backend);
    out_ = out.str();
    err_ = err.str();
    return exit_code;
  }

  // What the command printed; it must end well.
  std::string OutputOf(const std::vector<std::string>& words) {
    EXPECT_EQ(Varve(words), kExitOk) << err_;
    return out_;
  }

  // A store with these records.
  MemoryStore& Fill(const Contents& contents) {
    stores_.At("d").contents = contents;
    return stores_.At("d");
  }

  MemoryStores stores_;
  Environment environment_;
  Serve serve_;
  TortureCluster torture_;
  RunCampaigns campaigns_;
  CertifyDisk certify_;
  std::string input_;
  bool terminal_ = false;
  Terminal* terminal_at_ = nullptr;
  bool color_ = false;
  int width_ = 40;
  uint64_t now_ = 0;
  std::string out_, err_;
};

}  // namespace varve::cli

#endif  // VARVE_TESTS_CLI_CLI_FIXTURE_H_
