// The file of settings over any bytes. What is taken from it can be printed as a file that says the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cli/config_file.h"
#include "cli/server_settings.h"

namespace {

using varve::cli::ConfigEntry;

const varve::cli::Setting* Find(std::string_view name) {
  for (const varve::cli::Setting& setting : varve::cli::ServerSettings()) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

// Those that make sense.
void Apply(const std::vector<ConfigEntry>& entries, varve::cli::ServerConfig* config) {
  for (const ConfigEntry& entry : entries) {
    const varve::cli::Setting* const setting = Find(entry.key);
    if (setting != nullptr) static_cast<void>(varve::cli::SetSetting(*setting, entry.text, &config->request));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const varve::Result<std::vector<ConfigEntry>> entries = varve::cli::ParseConfig(input);
  if (!entries.ok()) {
    VARVE_CHECK(!entries.status().message().empty());
    return 0;
  }
  size_t line = 0;
  for (const ConfigEntry& entry : *entries) {
    VARVE_CHECK(entry.line >= line && entry.line > 0);
    line = entry.line;
    if (entry.kind != ConfigEntry::Kind::kText) continue;
    const auto again = varve::cli::ParseConfig("k = " + varve::cli::TomlText(entry.text));
    VARVE_CHECK(again.ok() && again->size() == 1 && again->front().text == entry.text);
  }
  varve::cli::ServerConfig config;
  Apply(*entries, &config);
  const std::string printed = varve::cli::PrintedConfig(config);
  const varve::Result<std::vector<ConfigEntry>> printed_entries = varve::cli::ParseConfig(printed);
  VARVE_CHECK(printed_entries.ok());
  varve::cli::ServerConfig same;
  // Secrets are not printed, only that there is one.
  same.request.password = config.request.password;
  Apply(*printed_entries, &same);
  VARVE_CHECK(varve::cli::PrintedConfig(same) == printed);
  return 0;
}
