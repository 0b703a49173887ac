// Terminal: the keyboard and the screen of a person, for the shell and for pictures that move.
#ifndef VARVE_CLI_TERMINAL_H_
#define VARVE_CLI_TERMINAL_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace varve::cli {

// Implemented by main; tests put another in place. Thread-compatible.
class Terminal {
 public:
  virtual ~Terminal() = default;

  // Keys arrive one by one, unechoed, and Ctrl-C is one of them; and back.
  virtual void BeginKeys() = 0;
  virtual void EndKeys() = 0;

  // What has been typed, at least a byte; waits up to `timeout_millis`, -1: for ever. Empty: nothing.
  // std::nullopt: the terminal is gone.
  virtual std::optional<std::string> Read(int timeout_millis) = 0;
  virtual void Write(std::string_view text) = 0;

  virtual size_t columns() const = 0;
  virtual size_t rows() const = 0;

  // Lines of earlier shells, oldest first; and one more for later ones, in a file that nobody else may read.
  virtual std::vector<std::string> LoadHistory() = 0;
  virtual void AppendHistory(std::string_view line) = 0;
};

}  // namespace varve::cli

#endif  // VARVE_CLI_TERMINAL_H_
