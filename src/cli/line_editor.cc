#include "cli/line_editor.h"

#include <algorithm>

#include "cli/text.h"

namespace varve::cli {

namespace {

constexpr std::string_view kClearToEnd = "\x1b[K";
constexpr std::string_view kClearScreen = "\x1b[H\x1b[2J";
constexpr size_t kMostListed = 100;

bool IsInside(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }
bool IsWordByte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || static_cast<unsigned char>(byte) >= 0x80;
}

std::string CommonPrefix(const std::vector<std::string>& words) {
  std::string prefix = words.front();
  for (const std::string& word : words) {
    const auto [end, other] = std::mismatch(prefix.begin(), prefix.end(), word.begin(), word.end());
    prefix.erase(end, prefix.end());
  }
  while (!prefix.empty() && !IsUtf8(prefix)) prefix.pop_back();
  return prefix;
}

// The part of `text` that is `columns` wide and begins at column `first`.
std::string Slice(std::string_view text, size_t first, size_t columns) {
  std::string slice;
  size_t column = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!IsInside(text[i])) ++column;
    if (column > first && column <= first + columns) slice.push_back(text[i]);
  }
  return slice;
}

}  // namespace

LineEditor::LineEditor(const Console* console, Terminal* terminal, EditorHooks hooks)
    : console_(console), terminal_(terminal), hooks_(std::move(hooks)), keys_(terminal) {}

LineEditor::Outcome LineEditor::Read(const std::string& prompt, std::string* line) {
  prompt_ = prompt;
  text_.clear();
  cursor_ = 0;
  recalled_ = history_.size();
  terminal_->BeginKeys();
  terminal_->Write(kPasteMarksOn);
  Outcome outcome = Outcome::kLine;
  while (true) {
    Draw();
    const Key key = keys_.Next();
    if (key.kind == KeyKind::kEnter) break;
    if (key.kind == KeyKind::kCancel) outcome = Outcome::kCancelled;
    const bool is_end = key.kind == KeyKind::kEndOfInput && text_.empty();
    if (is_end || key.kind == KeyKind::kClosed) outcome = Outcome::kEnd;
    if (outcome != Outcome::kLine) break;
    Handle(key);
  }
  // Without the hint, and the cursor behind all of it.
  cursor_ = text_.size();
  DrawText(prompt_, text_, cursor_, "");
  terminal_->Write(kPasteMarksOff);
  terminal_->Write("\r\n");
  terminal_->EndKeys();
  *line = text_;
  return outcome;
}

void LineEditor::Handle(const Key& key) {
  switch (key.kind) {
    case KeyKind::kText: return Insert(key.text);
    case KeyKind::kTab: return Complete();
    case KeyKind::kBackspace: {
      const size_t begin = Before(cursor_);
      text_.erase(begin, cursor_ - begin);
      return Move(begin);
    }
    case KeyKind::kDelete:
    case KeyKind::kEndOfInput: text_.erase(cursor_, After(cursor_) - cursor_); return;
    case KeyKind::kLeft: return Move(Before(cursor_));
    case KeyKind::kRight: return Move(After(cursor_));
    case KeyKind::kWordLeft: return Move(WordBefore(cursor_));
    case KeyKind::kWordRight: return Move(WordAfter(cursor_));
    case KeyKind::kHome: return Move(0);
    case KeyKind::kEnd: return Move(text_.size());
    case KeyKind::kUp: return Recall(/*older=*/true);
    case KeyKind::kDown: return Recall(/*older=*/false);
    case KeyKind::kKillToEnd: return Kill(cursor_, text_.size());
    case KeyKind::kKillToStart: return Kill(0, cursor_);
    case KeyKind::kKillWord: return Kill(WordBefore(cursor_), cursor_);
    case KeyKind::kKillNextWord: return Kill(cursor_, WordAfter(cursor_));
    case KeyKind::kYank: return Insert(killed_);
    case KeyKind::kTranspose: return Transpose();
    case KeyKind::kClear: return terminal_->Write(kClearScreen);
    case KeyKind::kSearch: return Search();
    default: return;
  }
}

void LineEditor::Insert(std::string_view text) {
  text_.insert(cursor_, text);
  cursor_ += text.size();
}

void LineEditor::Kill(size_t begin, size_t end) {
  if (begin == end) return;
  killed_ = text_.substr(begin, end - begin);
  text_.erase(begin, end - begin);
  cursor_ = begin;
}

void LineEditor::Transpose() {
  const size_t middle = cursor_ == text_.size() ? Before(cursor_) : cursor_;
  const size_t begin = Before(middle);
  const size_t end = After(middle);
  if (begin == middle || middle == end) return;
  const std::string swapped = text_.substr(middle, end - middle) + text_.substr(begin, middle - begin);
  text_.replace(begin, end - begin, swapped);
  cursor_ = end;
}

size_t LineEditor::Before(size_t at) const {
  while (at > 0 && IsInside(text_[--at])) {
  }
  return at;
}

size_t LineEditor::After(size_t at) const {
  if (at < text_.size()) ++at;
  while (at < text_.size() && IsInside(text_[at])) ++at;
  return at;
}

size_t LineEditor::WordBefore(size_t at) const {
  while (at > 0 && !IsWordByte(text_[at - 1])) --at;
  while (at > 0 && IsWordByte(text_[at - 1])) --at;
  return at;
}

size_t LineEditor::WordAfter(size_t at) const {
  while (at < text_.size() && !IsWordByte(text_[at])) ++at;
  while (at < text_.size() && IsWordByte(text_[at])) ++at;
  return at;
}

void LineEditor::Recall(bool older) {
  if (older ? recalled_ == 0 : recalled_ == history_.size()) return;
  if (recalled_ == history_.size()) new_line_ = text_;
  recalled_ += older ? size_t{0} - 1 : 1;
  text_ = recalled_ == history_.size() ? new_line_ : history_[recalled_];
  cursor_ = text_.size();
}

void LineEditor::Complete() {
  const Completion found = hooks_.complete ? hooks_.complete(Left()) : Completion();
  if (found.words.empty()) return terminal_->Write("\a");
  const std::string typed = text_.substr(found.start, cursor_ - found.start);
  std::string common = CommonPrefix(found.words);
  if (found.words.size() == 1) {
    // What leads on, such as a part of a path, gets no space behind it.
    if (!common.ends_with('/')) common.push_back(' ');
  } else if (common.size() <= typed.size()) {
    return List(found.words);
  }
  text_.replace(found.start, typed.size(), common);
  cursor_ = found.start + common.size();
}

void LineEditor::List(const std::vector<std::string>& words) {
  size_t width = 1;
  for (const std::string& word : words) width = std::max(width, DisplayWidth(word) + 2);
  const size_t in_a_row = std::max<size_t>(1, terminal_->columns() / width);
  std::string rows = "\r\n";
  for (size_t i = 0; i < words.size() && i < kMostListed; ++i) {
    rows += words[i];
    const bool ends_row = (i + 1) % in_a_row == 0 || i + 1 == words.size();
    rows += ends_row ? "\r\n" : std::string(width - DisplayWidth(words[i]), ' ');
  }
  if (words.size() > kMostListed) rows += "...\r\n";
  terminal_->Write(rows);
}

void LineEditor::Search() {
  std::string wanted;
  size_t at = history_.size();
  while (true) {
    const std::string shown = at < history_.size() ? history_[at] : "";
    DrawText("search '" + wanted + "': ", shown, shown.size(), "");
    const Key key = keys_.Next();
    size_t from = at;
    if (key.kind == KeyKind::kText) {
      wanted += key.text;
      from = std::min(at + 1, history_.size());
    } else if (key.kind == KeyKind::kBackspace && !wanted.empty()) {
      wanted.pop_back();
      while (!wanted.empty() && !IsUtf8(wanted)) wanted.pop_back();
      from = history_.size();
    } else if (key.kind != KeyKind::kSearch) {
      const bool keeps = key.kind != KeyKind::kCancel && key.kind != KeyKind::kEscape;
      if (keeps && at < history_.size()) text_ = history_[at];
      cursor_ = text_.size();
      return;
    }
    // Stays where it is when nothing older matches.
    for (size_t i = from; i > 0; --i) {
      if (history_[i - 1].find(wanted) == std::string::npos) continue;
      at = i - 1;
      break;
    }
  }
}

void LineEditor::Draw() {
  const bool at_end = cursor_ == text_.size() && !text_.empty();
  DrawText(prompt_, text_, cursor_, at_end && hooks_.hint ? hooks_.hint(text_) : "");
}

void LineEditor::DrawText(const std::string& prompt, const std::string& text, size_t cursor,
                          const std::string& hint) {
  // One column is left for the cursor.
  const size_t columns = std::max<size_t>(terminal_->columns(), 20) - 1;
  const std::string shown_prompt = Slice(prompt, 0, columns / 2);
  const size_t room = columns - DisplayWidth(shown_prompt);
  const size_t column = DisplayWidth(text.substr(0, cursor));
  const size_t first = column > room ? column - room : 0;
  const std::string shown = Slice(text, first, room);
  const std::string shown_hint = Slice(hint, 0, room - DisplayWidth(shown));
  std::string frame = "\r" + console_->OnOut(Console::Style::kBold, shown_prompt) + shown;
  if (!shown_hint.empty()) frame += console_->OnOut(Console::Style::kDim, shown_hint);
  frame.append(kClearToEnd).append("\r");
  const size_t to = DisplayWidth(shown_prompt) + column - first;
  if (to > 0) frame += "\x1b[" + std::to_string(to) + "C";
  terminal_->Write(frame);
}

}  // namespace varve::cli
