// The file of settings, in TOML.
#ifndef VARVE_CLI_CONFIG_FILE_H_
#define VARVE_CLI_CONFIG_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "varve/status.h"

namespace varve::cli {

struct ConfigEntry {
  enum class Kind { kNumber, kText, kSwitch, kList, kOther };
  std::string key;
  Kind kind = Kind::kOther;
  std::string text;  // of a list: the texts with commas between
  size_t line = 0;   // from 1
};

// The file's keys, in the order of its lines. kInvalidArgument "line N: ..." when it is not TOML.
Result<std::vector<ConfigEntry>> ParseConfig(std::string_view toml);

// A text as TOML writes it, with its quotes.
std::string TomlText(std::string_view text);

}  // namespace varve::cli

#endif  // VARVE_CLI_CONFIG_FILE_H_
