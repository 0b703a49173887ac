// The server's settings: one table, from which come flags and their help, the names of environment
// variables, the keys of the file, their checks and --print-config.
#ifndef VARVE_CLI_SERVER_SETTINGS_H_
#define VARVE_CLI_SERVER_SETTINGS_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/arguments.h"
#include "cli/serve.h"
#include "varve/status.h"

namespace varve::cli {

struct Setting {
  // Where the value is; its type says what kind of value that is.
  using Place =
      std::variant<uint64_t ServeRequest::*, uint16_t ServeRequest::*, int ServeRequest::*,
                   std::optional<uint16_t> ServeRequest::*, std::string ServeRequest::*,
                   std::vector<std::string> ServeRequest::*, bool ServeRequest::*>;
  std::string_view name;        // "port": --port, VARVE_PORT, port = ...
  std::string_view value_name;  // for the help; empty: a switch
  std::string_view help;
  Place place;
  uint64_t min = 0;
  uint64_t max = std::numeric_limits<uint64_t>::max();
  std::vector<std::string_view> choices = {};  // of a text; empty: any
  bool is_secret = false;  // never printed
};

const std::vector<Setting>& ServerSettings();

// "--client-memory", "VARVE_CLIENT_MEMORY".
std::string FlagName(const Setting& setting);
std::string VariableName(const Setting& setting);
// The settings as flags, and those that say where settings come from.
std::vector<FlagSpec> ServerSettingFlags();

// `text` as the value of a setting: "7000", "true", "a,b". kInvalidArgument says what it takes.
Status SetSetting(const Setting& setting, std::string_view text, ServeRequest* request);

// Where each setting's value is from, by its name: "--port", "VARVE_PORT", "varve.toml:3". Those that are not
// here have their default.
using SettingOrigins = std::map<std::string_view, std::string>;

struct ServerConfig {
  ServeRequest request;
  SettingOrigins origins;
};
// Flags before the environment before the file of --config or $VARVE_CONFIG before defaults. `dir`, unless it
// is empty, is from the line or $VARVE_DIR. kInvalidArgument names what is wrong, with the file's line;
// kNotFound, kIoError: of the file.
using Variables = std::function<std::optional<std::string>(const char* name)>;
Result<ServerConfig> ReadServerConfig(const Arguments& arguments, const Variables& variable,
                                      const std::string& dir);

// All settings as a file that says the same, each with where it is from. Of secrets only whether they are set.
std::string PrintedConfig(const ServerConfig& config);

}  // namespace varve::cli

#endif  // VARVE_CLI_SERVER_SETTINGS_H_
