#include "cli/console.h"

namespace varve::cli {
namespace {

std::string_view StyleCode(Console::Style style) {
  switch (style) {
    case Console::Style::kBold:
      return "\x1b[1m";
    case Console::Style::kDim:
      return "\x1b[2m";
    case Console::Style::kCyan:
      return "\x1b[36m";
    case Console::Style::kRed:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

std::string Console::Styled(bool is_terminal, Style style, std::string_view text) const {
  if (!is_terminal || !color_allowed) return std::string(text);
  std::string styled(StyleCode(style));
  return styled.append(text).append("\x1b[0m");
}

}  // namespace varve::cli
