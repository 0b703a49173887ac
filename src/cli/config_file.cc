#include "cli/config_file.h"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
// toml++ 3.3 asserts of the text, or lets the compiler assume, what it then looks at and refuses: "[=" is one.
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/impl/preprocessor.h>
#undef TOML_ASSERT_ASSUME
#define TOML_ASSERT_ASSUME(expr) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <utility>

namespace varve::cli {
namespace {

ConfigEntry EntryOf(std::string_view key, const toml::node& node, size_t line) {
  using Kind = ConfigEntry::Kind;
  ConfigEntry entry{.key = std::string(key), .text = {}, .line = line};
  if (const auto number = node.value_exact<int64_t>(); number.has_value()) {
    entry.kind = Kind::kNumber;
    entry.text = std::to_string(*number);
  } else if (const auto text = node.value_exact<std::string>(); text.has_value()) {
    entry.kind = Kind::kText;
    entry.text = *text;
  } else if (const auto flag = node.value_exact<bool>(); flag.has_value()) {
    entry.kind = Kind::kSwitch;
    entry.text = *flag ? "true" : "false";
  } else if (const toml::array* array = node.as_array(); array != nullptr) {
    entry.kind = Kind::kList;
    for (const toml::node& element : *array) {
      const auto item = element.value_exact<std::string>();
      if (!item.has_value()) return {.key = std::string(key), .text = {}, .line = line};
      if (!entry.text.empty()) entry.text.push_back(',');
      entry.text.append(*item);
    }
  }
  return entry;
}

// The end of the string that begins at `begin`, with its last quote; or of what there is of it.
size_t EndOfString(std::string_view toml, size_t begin) {
  const char quote = toml[begin];
  const bool is_long = toml.substr(begin, 3) == std::string(3, quote);
  const std::string end = std::string(is_long ? 3 : 1, quote);
  for (size_t i = begin + end.size(); i < toml.size(); ++i) {
    if (toml[i] == '\\' && quote == '"') {
      ++i;
    } else if (toml.substr(i, end.size()) == end) {
      i += end.size();
      // A long one may end with two quotes of its own.
      for (int extra = 0; is_long && extra < 2 && i < toml.size() && toml[i] == quote; ++extra) ++i;
      return i;
    } else if (toml[i] == '\n' && !is_long) {
      return i;
    }
  }
  return toml.size();
}

// The line of the first byte beyond ASCII that is in no string and no comment; 0: there is none. TOML has no
// place for one, and toml++ 3.3 does not say so but runs into code that is marked as unreachable.
size_t LineOfForeignByte(std::string_view toml) {
  size_t i = toml.starts_with("\xef\xbb\xbf") ? 3 : 0;
  while (i < toml.size()) {
    if (static_cast<unsigned char>(toml[i]) >= 0x80) {
      return 1 + static_cast<size_t>(std::count(toml.begin(), toml.begin() + static_cast<ptrdiff_t>(i), '\n'));
    }
    if (toml[i] == '#') {
      i = std::min(toml.find('\n', i), toml.size());
    } else if (toml[i] == '"' || toml[i] == '\'') {
      i = EndOfString(toml, i);
    } else {
      ++i;
    }
  }
  return 0;
}

}  // namespace

Result<std::vector<ConfigEntry>> ParseConfig(std::string_view toml) {
  if (const size_t line = LineOfForeignByte(toml); line != 0) {
    return Status::InvalidArgument("line " + std::to_string(line) + ": letters beyond ASCII stand in quotes");
  }
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    return Status::InvalidArgument("line " + std::to_string(parsed.error().source().begin.line) + ": " +
                                   std::string(parsed.error().description()));
  }
  std::vector<ConfigEntry> entries;
  for (const auto& [key, node] : parsed.table()) {
    entries.push_back(EntryOf(key.str(), node, key.source().begin.line));
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const ConfigEntry& a, const ConfigEntry& b) { return a.line < b.line; });
  return entries;
}

std::string TomlText(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted.push_back('\\');
      quoted.push_back(c);
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted.append("\\u00").push_back(kHex[byte >> 4]);
      quoted.push_back(kHex[byte & 15]);
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "\"";
}

}  // namespace varve::cli
