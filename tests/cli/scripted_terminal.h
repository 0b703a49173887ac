// ScriptedTerminal: a terminal whose keys come from a test.
#ifndef VARVE_TESTS_CLI_SCRIPTED_TERMINAL_H_
#define VARVE_TESTS_CLI_SCRIPTED_TERMINAL_H_

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/terminal.h"

namespace varve::cli {

class ScriptedTerminal : public Terminal {
 public:
  // Each is what one Read gives; an empty one stands for nothing in time. Then the terminal is gone.
  explicit ScriptedTerminal(std::deque<std::string> script, size_t columns = 80)
      : script_(std::move(script)), columns_(columns) {}

  void BeginKeys() override { ++open_count; }
  void EndKeys() override { --open_count; }
  std::optional<std::string> Read(int) override {
    if (script_.empty()) return std::nullopt;
    std::string bytes = std::move(script_.front());
    script_.pop_front();
    return bytes;
  }
  void Write(std::string_view text) override { screen += text; }
  size_t columns() const override { return columns_; }
  size_t rows() const override { return 24; }
  std::vector<std::string> LoadHistory() override { return history; }
  void AppendHistory(std::string_view line) override { history.emplace_back(line); }

  std::string screen;
  std::vector<std::string> history;
  int open_count = 0;

 private:
  std::deque<std::string> script_;
  const size_t columns_;
};

}  // namespace varve::cli

#endif  // VARVE_TESTS_CLI_SCRIPTED_TERMINAL_H_
