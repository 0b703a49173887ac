#include "cli/server_info.h"

#include <algorithm>
#include <charconv>

#include "cli/facts.h"

namespace varve::cli {

std::optional<uint64_t> WholeNumber(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

ServerInfo::ServerInfo(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (line.starts_with('#') || colon == line.npos) continue;
    lines_.emplace_back(line.substr(0, colon), line.substr(colon + 1));
  }
}

std::string_view ServerInfo::Text(std::string_view name) const {
  for (const auto& [known, value] : lines_) {
    if (known == name) return value;
  }
  return {};
}

uint64_t ServerInfo::Number(std::string_view name) const {
  return WholeNumber(Text(name)).value_or(0);
}

int PrintServerStats(const Context& context) {
  const Result<std::unique_ptr<client::Client>> client = ConnectTo(context);
  if (!client.ok()) return FailToOpen(context, client.status());
  const bool is_prometheus = context.arguments.Has("--prometheus");
  const Result<client::Reply> reply =
      is_prometheus ? (*client)->Call({"V.STATS", "PROMETHEUS"}) : (*client)->Call({"INFO"});
  if (!reply.ok()) return Fail(context, reply.status());
  if (is_prometheus) {
    context.console.out << reply->text;
    return kExitOk;
  }
  Facts facts;
  const ServerInfo info(reply->text);
  for (const auto& [name, value] : info.lines()) {
    const std::optional<uint64_t> number = WholeNumber(value);
    // A number in another form, such as 007, is a text.
    if (number && std::to_string(*number) == value) {
      facts.Count(name, *number);
    } else {
      facts.Text(name, value);
    }
  }
  facts.Print(context.console, context.json);
  return kExitOk;
}

}  // namespace varve::cli
