// Console: what one run of the tool reads, writes and knows of its terminal.
#ifndef VARVE_CLI_CONSOLE_H_
#define VARVE_CLI_CONSOLE_H_

#include <cstdint>
#include <functional>
#include <istream>
#include <ostream>
#include <string>
#include <string_view>

#include "cli/terminal.h"

namespace varve::cli {

// Filled in by main, or by a test. Borrows its streams. Thread-compatible.
struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;

  // Whether a person sits at the other end. People get aligned columns and a progress bar,
  // everything else gets lines that are easy to parse.
  bool out_is_terminal = false;
  bool err_is_terminal = false;

  // Columns of the terminal.
  int width = 80;

  // False when the environment says NO_COLOR. Colour also needs a terminal.
  bool color_allowed = true;

  // The person's, when input and output are one; else null. Borrowed.
  Terminal* terminal = nullptr;

  // Nanoseconds of a clock that never goes back.
  std::function<uint64_t()> now_nanos;

  enum class Style { kBold, kDim, kCyan, kRed };
  // `text` in a style for `out` or `err`, or as it is where there is no colour.
  std::string OnOut(Style style, std::string_view text) const {
    return Styled(out_is_terminal, style, text);
  }
  std::string OnErr(Style style, std::string_view text) const {
    return Styled(err_is_terminal, style, text);
  }

  std::string Styled(bool is_terminal, Style style, std::string_view text) const;
};

}  // namespace varve::cli

#endif  // VARVE_CLI_CONSOLE_H_
