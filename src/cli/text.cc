#include "cli/text.h"

#include <charconv>
#include <algorithm>
#include <array>
#include <cstdio>

namespace varve::cli {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kEllipsis = "\u2026";

uint8_t ByteAt(std::string_view bytes, size_t index) { return static_cast<uint8_t>(bytes[index]); }

bool IsContinuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

int HexValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// U+0080 to U+009F are control characters that some terminals obey.
bool IsC1Control(std::string_view sequence) {
  return sequence.size() == 2 && ByteAt(sequence, 0) == 0xc2 && ByteAt(sequence, 1) < 0xa0;
}

bool IsPlain(char c) { return c >= 0x20 && c < 0x7f && c != '\\'; }

void AppendHexEscape(std::string* out, uint8_t byte) {
  const char escape[] = {'\\', 'x', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
  out->append(escape, sizeof(escape));
}

// Consumes the escape at the start of `*rest`, which is a backslash.
std::optional<char> ConsumeEscape(std::string_view* rest) {
  if (rest->size() < 2) return std::nullopt;
  const char kind = (*rest)[1];
  if (kind == 'x') {
    if (rest->size() < 4) return std::nullopt;
    const int high = HexValue((*rest)[2]);
    const int low = HexValue((*rest)[3]);
    if (high < 0 || low < 0) return std::nullopt;
    rest->remove_prefix(4);
    return static_cast<char>(high << 4 | low);
  }
  rest->remove_prefix(2);
  switch (kind) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case '\\':
      return '\\';
    default:
      return std::nullopt;
  }
}

std::array<int8_t, 256> MakeBase64Values() {
  std::array<int8_t, 256> values;
  values.fill(-1);
  for (size_t i = 0; i < kBase64Digits.size(); ++i) {
    values[ByteAt(kBase64Digits, i)] = static_cast<int8_t>(i);
  }
  return values;
}

std::string WithUnit(double number, std::string_view unit) {
  char buffer[48];
  std::snprintf(buffer, sizeof(buffer), number < 99.95 ? "%.1f %.*s" : "%.0f %.*s", number,
                static_cast<int>(unit.size()), unit.data());
  return buffer;
}

}  // namespace

size_t Utf8SequenceLength(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const uint8_t lead = ByteAt(bytes, 0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(ByteAt(bytes, i))) return 0;
  }
  // The second byte rules out overlong forms, surrogates, and code points over U+10FFFF.
  const uint8_t second = ByteAt(bytes, 1);
  if (lead == 0xe0 && second < 0xa0) return 0;
  if (lead == 0xed && second > 0x9f) return 0;
  if (lead == 0xf0 && second < 0x90) return 0;
  if (lead == 0xf4 && second > 0x8f) return 0;
  return length;
}

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = Utf8SequenceLength(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

void AppendEscaped(std::string* out, std::string_view bytes) {
  size_t i = 0;
  while (i < bytes.size()) {
    size_t plain_end = i;
    while (plain_end < bytes.size() && IsPlain(bytes[plain_end])) ++plain_end;
    out->append(bytes.substr(i, plain_end - i));
    i = plain_end;
    if (i == bytes.size()) break;
    const std::string_view rest = bytes.substr(i);
    const std::string_view sequence = rest.substr(0, Utf8SequenceLength(rest));
    if (sequence.size() > 1 && !IsC1Control(sequence)) {
      out->append(sequence);
      i += sequence.size();
      continue;
    }
    switch (bytes[i]) {
      case '\t':
        out->append("\\t");
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\r':
        out->append("\\r");
        break;
      case '\\':
        out->append("\\\\");
        break;
      default:
        AppendHexEscape(out, ByteAt(bytes, i));
        break;
    }
    ++i;
  }
}

std::string Escape(std::string_view bytes) {
  std::string text;
  AppendEscaped(&text, bytes);
  return text;
}

std::optional<std::string> Unescape(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  while (!text.empty()) {
    const size_t plain = std::min(text.find('\\'), text.size());
    bytes.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::optional<char> byte = ConsumeEscape(&text);
    if (!byte.has_value()) return std::nullopt;
    bytes.push_back(*byte);
  }
  return bytes;
}

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? ByteAt(bytes, i + j) : 0);
    for (size_t j = 0; j < 4; ++j) {
      text.push_back(j <= count ? kBase64Digits[group >> (18 - 6 * j) & 63] : '=');
    }
  }
  return text;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  static const std::array<int8_t, 256> values = MakeBase64Values();
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    size_t digits = 4;
    if (i + 4 == text.size()) {
      while (digits > 2 && text[i + digits - 1] == '=') --digits;
    }
    uint32_t group = 0;
    for (size_t j = 0; j < 4; ++j) {
      const int value = j < digits ? values[ByteAt(text, i + j)] : 0;
      if (value < 0) return std::nullopt;
      group = group << 6 | static_cast<uint32_t>(value);
    }
    // Bits beyond the last byte must be zero, so that every value has one encoding.
    if ((group & ((1u << (8 * (4 - digits))) - 1)) != 0) return std::nullopt;
    for (size_t j = 0; j + 1 < digits; ++j) {
      bytes.push_back(static_cast<char>(group >> (16 - 8 * j)));
    }
  }
  return bytes;
}

size_t DisplayWidth(std::string_view text) {
  size_t columns = 0;
  for (size_t i = 0; i < text.size(); ++i) columns += IsContinuation(ByteAt(text, i)) ? 0 : 1;
  return columns;
}

std::string CutToWidth(std::string_view text, size_t columns, bool* was_cut) {
  // Most values are far longer than a line: stop looking at the first column too many.
  size_t used = 0;
  size_t cut_at = 0;  // where the last column that stays begins
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsContinuation(ByteAt(text, i))) continue;
    if (used == columns) {
      *was_cut = true;
      return std::string(text.substr(0, cut_at)).append(kEllipsis);
    }
    cut_at = i;
    ++used;
  }
  return std::string(text);
}

std::string WithThousands(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string HumanBytes(uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  static constexpr std::string_view kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double number = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  for (; number >= 999.5 && unit + 1 < std::size(kUnits); ++unit) number /= 1000;
  return WithUnit(number, kUnits[unit]);
}

std::optional<uint64_t> ParseDuration(std::string_view text) {
  struct Unit {
    std::string_view name;
    uint64_t millis;
  };
  constexpr Unit kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  constexpr uint64_t kMostMillis = uint64_t{100'000} * 365 * 86'400'000;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view name = text.substr(static_cast<size_t>(end - text.data()));
  for (const Unit& unit : kUnits) {
    if (name == unit.name && number <= kMostMillis / unit.millis) return number * unit.millis;
  }
  return std::nullopt;
}

std::string HumanDuration(uint64_t nanos) {
  const double seconds = static_cast<double>(nanos) / 1e9;
  if (seconds < 1e-3) return std::to_string(nanos / 1000) + " us";
  if (seconds < 1) return WithUnit(seconds * 1e3, "ms");
  if (seconds < 60) return WithUnit(seconds, "s");
  const uint64_t whole = static_cast<uint64_t>(seconds);
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%llu:%02llu min",
                static_cast<unsigned long long>(whole / 60),
                static_cast<unsigned long long>(whole % 60));
  return buffer;
}

}  // namespace varve::cli
