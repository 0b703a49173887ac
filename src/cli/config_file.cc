#include "cli/config_file.h"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
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

}  // namespace

Result<std::vector<ConfigEntry>> ParseConfig(std::string_view toml) {
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
