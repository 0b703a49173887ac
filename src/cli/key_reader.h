// KeyReader: bytes of a terminal -> keys.
#ifndef VARVE_CLI_KEY_READER_H_
#define VARVE_CLI_KEY_READER_H_

#include <string>
#include <string_view>

#include "cli/terminal.h"

namespace varve::cli {

enum class KeyKind {
  kText,  // one character, or all of what was pasted
  kEnter, kTab, kBackspace, kDelete, kLeft, kRight, kUp, kDown, kHome, kEnd,
  kWordLeft, kWordRight, kKillToEnd, kKillToStart, kKillWord, kKillNextWord, kYank, kTranspose,
  kClear, kSearch, kEscape,
  kCancel,      // Ctrl-C
  kEndOfInput,  // Ctrl-D
  kOther,       // not known
  kClosed,      // the terminal is gone
};

struct Key {
  KeyKind kind = KeyKind::kOther;
  std::string text = {};
};

// Thread-compatible; borrows the terminal.
class KeyReader {
 public:
  explicit KeyReader(Terminal* terminal) : terminal_(terminal) {}
  // Waits for a key.
  Key Next();

 private:
  // Waits for more bytes; false: there are none in time, or at all.
  bool More(int timeout_millis);
  Key Control(char byte);
  // After ESC.
  Key Escape();
  Key Sequence();
  Key Pasted();
  Key Text();

  Terminal* const terminal_;
  std::string pending_;
  bool is_closed_ = false;
};

// Turns the marks around pasted text on and off.
inline constexpr std::string_view kPasteMarksOn = "\x1b[?2004h";
inline constexpr std::string_view kPasteMarksOff = "\x1b[?2004l";

}  // namespace varve::cli

#endif  // VARVE_CLI_KEY_READER_H_
