// The varve program: hands the process's streams, environment and stores to the command line.
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/run.h"
#include "env/env.h"
#include "main/certify.h"
#include "main/demo.h"
#include "main/examine.h"
#include "main/serve.h"
#include "main/terminal.h"
#include "main/torture.h"
#include "main/torture_campaigns.h"
#include "node/cluster_store.h"
#include "varve/db.h"

namespace {

constexpr int kDefaultWidth = 80;

int TerminalWidth() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 &&
      ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) {
    return kDefaultWidth;
  }
  return size.ws_col == 0 ? kDefaultWidth : size.ws_col;
}

// Set and not empty.
std::optional<std::string> Variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

uint64_t MonotonicNanos() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  std::cin.tie(nullptr);
  if (const std::optional<int> code = varve::RunTortureRole({argv + 1, argv + argc})) return *code;
  const std::unique_ptr<varve::cli::Terminal> terminal = varve::OpenTerminal();
  const varve::cli::Console console{
      .in = std::cin,
      .out = std::cout,
      .err = std::cerr,
      .out_is_terminal = isatty(STDOUT_FILENO) != 0,
      .err_is_terminal = isatty(STDERR_FILENO) != 0,
      .width = TerminalWidth(),
      .color_allowed = !Variable("NO_COLOR").has_value(),
      .terminal = terminal.get(),
      .now_nanos = MonotonicNanos,
  };
  const varve::cli::Backend backend{
      .open = [](const std::string& dir,
                 const varve::Options& options) { return varve::Db::Open(dir, options); },
      .read_wal = varve::ReadWal,
      .repair = varve::Db::Repair,
      .serve = varve::ServeUntilSignal,
      .examine = varve::ExamineMachine,
      .demo = varve::RunClusterDemo,
      .open_topology = [](const std::string& address) {
        return varve::node::ClusterStore::Open(address, varve::Env::Default());
      },
      .torture = varve::TortureClusters,
      .campaigns = varve::RunTortureCampaigns,
      .certify = varve::CertifyDisk,
  };
  const varve::cli::Environment environment{.dir = Variable("VARVE_DIR"),
                                            .url = Variable("VARVE_URL"),
                                            .password = Variable("VARVE_PASSWORD"),
                                            .variable = Variable};
  return varve::cli::Run({argv + 1, argv + argc}, environment, console, backend);
}
