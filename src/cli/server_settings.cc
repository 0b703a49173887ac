#include "cli/server_settings.h"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <fstream>
#include <iterator>
#include <type_traits>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "cli/config_file.h"

namespace varve::cli {
namespace {

template <typename T>
concept Whole = std::integral<T> && !std::same_as<T, bool>;
template <typename T>
using ValueOf = std::remove_cvref_t<decltype(std::declval<ServeRequest&>().*std::declval<T>())>;

std::string Quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

std::vector<std::string> SplitAtCommas(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) items.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

Result<uint64_t> NumberOf(const Setting& setting, std::string_view text) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number < setting.min || number > setting.max) {
    return Status::InvalidArgument("takes a number from " + std::to_string(setting.min) + " to " +
                                   std::to_string(setting.max) + ", not " + Quoted(text));
  }
  return number;
}

Result<bool> SwitchOf(std::string_view text) {
  if (text == "true" || text == "yes" || text == "1" || text == "on") return true;
  if (text == "false" || text == "no" || text == "0" || text == "off") return false;
  return Status::InvalidArgument("takes true or false, not " + Quoted(text));
}

Status CheckChoice(const Setting& setting, std::string_view text) {
  const auto& choices = setting.choices;
  if (choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end()) {
    return Status::Ok();
  }
  std::string list;
  for (const std::string_view choice : choices) list.append(list.empty() ? "" : " or ").append(choice);
  return Status::InvalidArgument("takes " + list + ", not " + Quoted(text));
}

// The kind of value that the file must have.
ConfigEntry::Kind KindOf(const Setting& setting) {
  return std::visit(
      [](auto place) {
        using Value = ValueOf<decltype(place)>;
        if constexpr (std::same_as<Value, bool>) return ConfigEntry::Kind::kSwitch;
        if constexpr (std::same_as<Value, std::string>) return ConfigEntry::Kind::kText;
        if constexpr (std::same_as<Value, std::vector<std::string>>) return ConfigEntry::Kind::kList;
        return ConfigEntry::Kind::kNumber;
      },
      setting.place);
}

std::string_view Describe(ConfigEntry::Kind kind) {
  switch (kind) {
    case ConfigEntry::Kind::kNumber: return "a number";
    case ConfigEntry::Kind::kText: return "a text in quotes";
    case ConfigEntry::Kind::kSwitch: return "true or false";
    case ConfigEntry::Kind::kList: return "a list of texts";
    case ConfigEntry::Kind::kOther: break;
  }
  return "something else";
}

const Setting* FindSetting(std::string_view name) {
  for (const Setting& setting : ServerSettings()) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

Status ApplyEntry(const ConfigEntry& entry, const std::string& origin, ServerConfig* config) {
  if (entry.key == "dir") {
    if (entry.kind != ConfigEntry::Kind::kText) return Status::InvalidArgument("dir takes a text in quotes");
    config->request.dir = entry.text;
    config->origins["dir"] = origin;
    return Status::Ok();
  }
  const Setting* const setting = FindSetting(entry.key);
  if (setting == nullptr && VARVE_PLANTED_BUG("settings.unknown_keys_ignored")) return Status::Ok();
  if (setting == nullptr) {
    std::vector<std::string_view> names = {"dir"};
    for (const Setting& known : ServerSettings()) names.push_back(known.name);
    const std::optional<std::string_view> meant = Suggest(entry.key, names);
    return Status::InvalidArgument("unknown key " + Quoted(entry.key) +
                                   (meant ? "; did you mean " + Quoted(*meant) + "?" : ""));
  }
  const ConfigEntry::Kind kind = KindOf(*setting);
  // One address needs no brackets.
  const bool fits = entry.kind == kind || (kind == ConfigEntry::Kind::kList &&
                                           entry.kind == ConfigEntry::Kind::kText);
  if (!fits) return Status::InvalidArgument(entry.key + " takes " + std::string(Describe(kind)));
  VARVE_RETURN_IF_ERROR(SetSetting(*setting, entry.text, &config->request).WithContext(entry.key));
  config->origins[setting->name] = origin;
  return Status::Ok();
}

Status ApplyFile(const std::string& path, ServerConfig* config) {
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return Status::InvalidArgument("the configuration " + path + " cannot be opened");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) return Status::IoError("reading the configuration " + path + " failed");
  Result<std::vector<ConfigEntry>> entries = ParseConfig(text);
  if (!entries.ok()) return entries.status().WithContext(path);
  for (const ConfigEntry& entry : *entries) {
    const std::string origin = path + ":" + std::to_string(entry.line);
    VARVE_RETURN_IF_ERROR(ApplyEntry(entry, origin, config).WithContext(origin));
  }
  return Status::Ok();
}

// As TOML; empty: no value, which TOML cannot write.
std::string TomlValue(const Setting& setting, const ServeRequest& request) {
  return std::visit(
      [&](auto place) -> std::string {
        using Value = ValueOf<decltype(place)>;
        const Value& value = request.*place;
        if constexpr (std::same_as<Value, bool>) {
          return value ? "true" : "false";
        } else if constexpr (Whole<Value>) {
          return std::to_string(value);
        } else if constexpr (std::same_as<Value, std::optional<uint16_t>>) {
          return value ? std::to_string(*value) : "";
        } else if constexpr (std::same_as<Value, std::string>) {
          return value.empty() ? "" : TomlText(value);
        } else {
          std::string list;
          for (const std::string& item : value) list.append(list.empty() ? "" : ", ").append(TomlText(item));
          return "[" + list + "]";
        }
      },
      setting.place);
}

}  // namespace

const std::vector<Setting>& ServerSettings() {
  static const std::vector<Setting> settings = {
      {.name = "port", .value_name = "N", .help = "the TCP port (6379); 0: any that is free",
       .place = &ServeRequest::port, .max = 65535},
      {.name = "bind", .value_name = "A,B", .help = "addresses to listen at (127.0.0.1,::1)",
       .place = &ServeRequest::hosts},
      {.name = "unixsocket", .value_name = "PATH", .help = "listen at this Unix socket too",
       .place = &ServeRequest::unix_socket},
      {.name = "http", .value_name = "PORT",
       .help = "/metrics, /stats, /livez and /readyz at this port; 0: any that is free",
       .place = &ServeRequest::http_port, .max = 65535},
      {.name = "http-bind", .value_name = "A,B", .help = "addresses for that (127.0.0.1,::1)",
       .place = &ServeRequest::http_hosts},
      {.name = "tls-port", .value_name = "N", .help = "speak TLS at this port; 0: any that is free",
       .place = &ServeRequest::tls_port, .max = 65535},
      {.name = "tls-only", .value_name = "", .help = "and nothing else over TCP",
       .place = &ServeRequest::tls_only},
      {.name = "tls-cert", .value_name = "FILE", .help = "the server's certificate, in PEM, with its chain",
       .place = &ServeRequest::tls_certificate},
      {.name = "tls-key", .value_name = "FILE", .help = "the key of that",
       .place = &ServeRequest::tls_key},
      {.name = "tls-ca", .value_name = "FILE",
       .help = "clients must show a certificate that one of these has signed",
       .place = &ServeRequest::tls_authorities},
      {.name = "requirepass", .value_name = "TEXT", .help = "the password that clients must give",
       .place = &ServeRequest::password, .is_secret = true},
      {.name = "unprotected", .value_name = "", .help = "other hosts may come without a password",
       .place = &ServeRequest::is_unprotected},
      {.name = "databases", .value_name = "N", .help = "how many databases there are (16)",
       .place = &ServeRequest::databases, .min = 1, .max = 10'000},
      {.name = "maxclients", .value_name = "N", .help = "connections at a time (10000)",
       .place = &ServeRequest::max_clients, .min = 1, .max = 1'000'000},
      {.name = "threads", .value_name = "N", .help = "event loops; 0: one a core, half of that with --sync (0)",
       .place = &ServeRequest::threads, .max = 256},
      {.name = "client-memory", .value_name = "BYTES",
       .help = "memory for all connections together (1 GiB)",
       .place = &ServeRequest::client_memory_bytes, .min = 1 << 20, .max = uint64_t{1} << 62},
      {.name = "backup-dir", .value_name = "PATH", .help = "where V.BACKUP puts files",
       .place = &ServeRequest::backup_dir},
      {.name = "sync", .value_name = "", .help = "answer writes when they survive loss of power",
       .place = &ServeRequest::syncs},
      {.name = "cluster-topology", .value_name = "WHERE",
       .help = "be a node of this cluster: file:PATH, fixed:PATH, etcd:URL,URL",
       .place = &ServeRequest::cluster_topology},
      {.name = "node-id", .value_name = "N", .help = "which of its nodes",
       .place = &ServeRequest::node_id, .max = uint64_t{1} << 62},
      {.name = "cluster-port", .value_name = "N", .help = "the port for other nodes (the topology's)",
       .place = &ServeRequest::cluster_port, .min = 1, .max = 65535},
      {.name = "cluster-bind", .value_name = "HOST", .help = "the address for that (the topology's)",
       .place = &ServeRequest::cluster_host},
      {.name = "cluster-timeout", .value_name = "MS", .help = "how long a request may take (2000)",
       .place = &ServeRequest::cluster_timeout_millis, .min = 1, .max = 600'000},
      {.name = "cluster-first-start", .value_name = "",
       .help = "with fixed:PATH: this node has never had data",
       .place = &ServeRequest::is_first_start},
      {.name = "cluster-tls-cert", .value_name = "FILE", .help = "what nodes show to each other, in PEM",
       .place = &ServeRequest::cluster_tls_certificate},
      {.name = "cluster-tls-key", .value_name = "FILE", .help = "the key of that",
       .place = &ServeRequest::cluster_tls_key},
      {.name = "cluster-tls-ca", .value_name = "FILE", .help = "who signs the certificates of nodes",
       .place = &ServeRequest::cluster_tls_authorities},
      {.name = "log-format", .value_name = "FORMAT", .help = "of the log: text or json (text)",
       .place = &ServeRequest::log_format, .choices = {"text", "json"}},
  };
  return settings;
}

std::string FlagName(const Setting& setting) { return "--" + std::string(setting.name); }

std::string VariableName(const Setting& setting) {
  std::string name = "VARVE_";
  for (const char c : setting.name) {
    name.push_back(c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return name;
}

std::vector<FlagSpec> ServerSettingFlags() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Setting& setting : ServerSettings()) all.push_back(FlagName(setting));
    return all;
  }();
  std::vector<FlagSpec> flags;
  for (size_t i = 0; i < names.size(); ++i) {
    flags.push_back({names[i], ServerSettings()[i].value_name, ServerSettings()[i].help});
  }
  flags.push_back({"--config", "FILE", "settings in TOML, with the names of these flags; $VARVE_CONFIG"});
  flags.push_back({"--check-config", "", "say whether the settings are right, and end"});
  flags.push_back({"--print-config", "", "print all settings and where they are from, and end"});
  return flags;
}

Status SetSetting(const Setting& setting, std::string_view text, ServeRequest* request) {
  return std::visit(
      [&](auto place) -> Status {
        using Value = ValueOf<decltype(place)>;
        if constexpr (std::same_as<Value, bool>) {
          VARVE_ASSIGN_OR_RETURN(request->*place, SwitchOf(text));
        } else if constexpr (Whole<Value>) {
          VARVE_ASSIGN_OR_RETURN(const uint64_t number, NumberOf(setting, text));
          request->*place = static_cast<Value>(number);
        } else if constexpr (std::same_as<Value, std::optional<uint16_t>>) {
          VARVE_ASSIGN_OR_RETURN(const uint64_t number, NumberOf(setting, text));
          request->*place = static_cast<uint16_t>(number);
        } else if constexpr (std::same_as<Value, std::string>) {
          VARVE_RETURN_IF_ERROR(CheckChoice(setting, text));
          request->*place = text;
        } else {
          std::vector<std::string> items = SplitAtCommas(text);
          if (items.empty()) return Status::InvalidArgument("takes at least one address");
          request->*place = std::move(items);
        }
        return Status::Ok();
      },
      setting.place);
}

Result<ServerConfig> ReadServerConfig(const Arguments& arguments, const Variables& variable,
                                      const std::string& dir) {
  const auto look_up = [&](const std::string& name) {
    return variable ? variable(name.c_str()) : std::nullopt;
  };
  ServerConfig config;
  std::optional<std::string> path = arguments.Value("--config");
  if (!path) path = look_up("VARVE_CONFIG");
  if (path) VARVE_RETURN_IF_ERROR(ApplyFile(*path, &config));
  for (const Setting& setting : ServerSettings()) {
    std::string origin = FlagName(setting);
    std::optional<std::string> text = arguments.Value(origin);
    if (text && setting.value_name.empty()) text = "true";
    if (!text) {
      origin = VariableName(setting);
      text = look_up(origin);
      if (VARVE_PLANTED_BUG("settings.file_before_environment") && config.origins.contains(setting.name)) continue;
    }
    if (!text) continue;
    VARVE_RETURN_IF_ERROR(SetSetting(setting, *text, &config.request).WithContext(origin));
    config.origins[setting.name] = origin;
  }
  if (!dir.empty()) {
    config.request.dir = dir;
    config.origins["dir"] = look_up("VARVE_DIR") == dir ? "VARVE_DIR" : "DIR";
  }
  return config;
}

std::string PrintedConfig(const ServerConfig& config) {
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value, bool is_secret) {
    const auto origin = config.origins.find(name);
    const std::string from = origin == config.origins.end() ? "default" : origin->second;
    if ((is_secret && !VARVE_PLANTED_BUG("settings.secrets_printed")) || value.empty()) {
      text.append("# ").append(name).append(is_secret && !value.empty() ? " is set" : " is not set");
      text.append(": ").append(from).append("\n");
    } else {
      text.append(name).append(" = ").append(value).append("  # ").append(from).append("\n");
    }
  };
  line("dir", config.request.dir.empty() ? "" : TomlText(config.request.dir), false);
  for (const Setting& setting : ServerSettings()) {
    line(setting.name, TomlValue(setting, config.request), setting.is_secret);
  }
  return text;
}

}  // namespace varve::cli
