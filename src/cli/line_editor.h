// LineEditor: reads lines from a person at a terminal, with history, completion and hints.
//
// Keys: arrows, Home, End, Delete, Ctrl-A/E/B/F/K/U/W/T/Y/L, Alt-B/F/D, Ctrl-R for a search in the history,
// Tab to complete. A line that is wider than the terminal scrolls. A code point takes one column.
#ifndef VARVE_CLI_LINE_EDITOR_H_
#define VARVE_CLI_LINE_EDITOR_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"
#include "cli/key_reader.h"

namespace varve::cli {

// What may stand in the place of the text from `start` up to the cursor.
struct Completion {
  size_t start = 0;
  std::vector<std::string> words;
};

struct EditorHooks {
  // For the text before the cursor.
  std::function<Completion(std::string_view text)> complete;
  // Shown dimmed after a line whose cursor is at its end; not a part of it.
  std::function<std::string(std::string_view line)> hint;
};

// Thread-compatible; borrows console and terminal.
class LineEditor {
 public:
  enum class Outcome { kLine, kCancelled, kEnd };

  LineEditor(const Console* console, Terminal* terminal, EditorHooks hooks);

  // Oldest first.
  std::vector<std::string>& history() { return history_; }

  // Shows `prompt` and reads. kCancelled: Ctrl-C; kEnd: Ctrl-D in an empty line, or no terminal any more.
  Outcome Read(const std::string& prompt, std::string* line);

 private:
  // The text before the cursor, and after it.
  std::string Left() const { return text_.substr(0, cursor_); }
  void Handle(const Key& key);
  void Insert(std::string_view text);
  void Move(size_t to) { cursor_ = to; }
  // Deletes, and keeps for Ctrl-Y.
  void Kill(size_t begin, size_t end);
  void Transpose();
  size_t Before(size_t at) const;
  size_t After(size_t at) const;
  size_t WordBefore(size_t at) const;
  size_t WordAfter(size_t at) const;
  void Recall(bool older);
  void Complete();
  void List(const std::vector<std::string>& words);
  void Search();
  void Draw();
  void DrawText(const std::string& prompt, const std::string& text, size_t cursor,
                const std::string& hint);

  const Console* const console_;
  Terminal* const terminal_;
  const EditorHooks hooks_;
  KeyReader keys_;
  std::vector<std::string> history_;

  // Of the line under way.
  std::string prompt_;
  std::string text_;
  size_t cursor_ = 0;
  size_t recalled_ = 0;  // index in the history; its size: the new line
  std::string new_line_;
  std::string killed_;
};

}  // namespace varve::cli

#endif  // VARVE_CLI_LINE_EDITOR_H_
