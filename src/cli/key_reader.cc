#include "cli/key_reader.h"

#include <algorithm>

#include "cli/text.h"

namespace varve::cli {

namespace {

constexpr char kEscapeByte = '\x1b';
// What a terminal sends for one key comes at once; a person who types ESC waits.
constexpr int kSequenceMillis = 50;
constexpr std::string_view kPasteBegin = "200~";
constexpr std::string_view kPasteEnd = "\x1b[201~";

struct NamedSequence {
  std::string_view bytes;  // after ESC [ or ESC O
  KeyKind kind;
};
constexpr NamedSequence kSequences[] = {
    {"A", KeyKind::kUp},          {"B", KeyKind::kDown},       {"C", KeyKind::kRight},
    {"D", KeyKind::kLeft},        {"H", KeyKind::kHome},       {"F", KeyKind::kEnd},
    {"1~", KeyKind::kHome},       {"4~", KeyKind::kEnd},       {"7~", KeyKind::kHome},
    {"8~", KeyKind::kEnd},        {"3~", KeyKind::kDelete},    {"1;5C", KeyKind::kWordRight},
    {"1;5D", KeyKind::kWordLeft}, {"1;3C", KeyKind::kWordRight}, {"1;3D", KeyKind::kWordLeft},
};

}  // namespace

bool KeyReader::More(int timeout_millis) {
  if (is_closed_) return false;
  const std::optional<std::string> bytes = terminal_->Read(timeout_millis);
  is_closed_ = !bytes;
  if (!bytes || bytes->empty()) return false;
  pending_ += *bytes;
  return true;
}

Key KeyReader::Next() {
  while (pending_.empty()) {
    if (!More(-1) && is_closed_) return {KeyKind::kClosed};
  }
  const char byte = pending_[0];
  if (byte == kEscapeByte) return Escape();
  if (static_cast<unsigned char>(byte) >= 0x20 && byte != '\x7f') return Text();
  pending_.erase(0, 1);
  return Control(byte);
}

Key KeyReader::Control(char byte) {
  switch (byte) {
    case '\r': case '\n': return {KeyKind::kEnter};
    case '\t': return {KeyKind::kTab};
    case '\x7f': case 'H' - '@': return {KeyKind::kBackspace};
    case 'A' - '@': return {KeyKind::kHome};
    case 'B' - '@': return {KeyKind::kLeft};
    case 'C' - '@': return {KeyKind::kCancel};
    case 'D' - '@': return {KeyKind::kEndOfInput};
    case 'E' - '@': return {KeyKind::kEnd};
    case 'F' - '@': return {KeyKind::kRight};
    case 'K' - '@': return {KeyKind::kKillToEnd};
    case 'L' - '@': return {KeyKind::kClear};
    case 'N' - '@': return {KeyKind::kDown};
    case 'P' - '@': return {KeyKind::kUp};
    case 'R' - '@': return {KeyKind::kSearch};
    case 'T' - '@': return {KeyKind::kTranspose};
    case 'U' - '@': return {KeyKind::kKillToStart};
    case 'W' - '@': return {KeyKind::kKillWord};
    case 'Y' - '@': return {KeyKind::kYank};
    default: return {KeyKind::kOther};
  }
}

Key KeyReader::Text() {
  size_t length = Utf8SequenceLength(pending_);
  // The rest of a character may still be on its way.
  while (length == 0 && pending_.size() < 4 && More(kSequenceMillis)) {
    length = Utf8SequenceLength(pending_);
  }
  if (length == 0) {
    pending_.erase(0, 1);
    return {KeyKind::kOther};
  }
  Key key{KeyKind::kText, pending_.substr(0, length)};
  pending_.erase(0, length);
  return key;
}

Key KeyReader::Escape() {
  if (pending_.size() == 1 && !More(kSequenceMillis)) {
    pending_.clear();
    return {KeyKind::kEscape};
  }
  const char next = pending_[1];
  if (next == '[' || next == 'O') return Sequence();
  pending_.erase(0, 2);
  switch (next) {
    case 'b': return {KeyKind::kWordLeft};
    case 'f': return {KeyKind::kWordRight};
    case 'd': return {KeyKind::kKillNextWord};
    case '\x7f': return {KeyKind::kKillWord};
    default: return {KeyKind::kOther};
  }
}

Key KeyReader::Sequence() {
  // Ends with a byte from @ to ~.
  size_t end = 2;
  while (end < pending_.size() || More(kSequenceMillis)) {
    if (pending_[end] >= '@' && pending_[end] <= '~') break;
    ++end;
  }
  const std::string sequence = pending_.substr(2, end - 1);
  pending_.erase(0, std::min(pending_.size(), end + 1));
  if (sequence == kPasteBegin) return Pasted();
  for (const NamedSequence& known : kSequences) {
    if (known.bytes == sequence) return {known.kind};
  }
  return {KeyKind::kOther};
}

Key KeyReader::Pasted() {
  size_t end = pending_.find(kPasteEnd);
  while (end == pending_.npos && More(-1)) end = pending_.find(kPasteEnd);
  Key key{KeyKind::kText, pending_.substr(0, end)};
  pending_.erase(0, end == pending_.npos ? end : end + kPasteEnd.size());
  // A paste is text: it does not press Enter.
  for (char& c : key.text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') c = ' ';
  }
  return key;
}

}  // namespace varve::cli
