#include "cli/help.h"

#include <algorithm>

namespace varve::cli {
namespace {

constexpr std::string_view kToolExamples =
    "varve --dir data put fruit/apple red      # the first put makes the store\n"
    "varve --dir data get fruit/apple\n"
    "varve --dir data scan --prefix fruit/\n"
    "varve --dir data load records.tsv         # or .jsonl; dump writes them back\n"
    "varve --dir data stats --json\n"
    "varve server data &                       # from now on without --dir\n"
    "varve get fruit/apple\n"
    "varve client put fruit/apple green        # an answer in words\n"
    "varve redis://user:password@host:6379 get fruit/apple\n";

constexpr std::string_view kExitCodes =
    "0 ok   1 error   2 wrong usage   3 key not found   4 no connection   5 not authenticated\n"
    "6 damaged data   7 no answer in time\n";

std::string Indented(std::string_view lines) {
  std::string text;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    if (end > 0) text.append("  ").append(lines.substr(0, end));
    text.push_back('\n');
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return text;
}

struct Row {
  std::string left;
  std::string_view right;
};

std::string TwoColumns(const std::vector<Row>& rows) {
  size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.left.size());
  std::string text;
  for (const Row& row : rows) {
    text.append("  ").append(row.left).append(width - row.left.size() + 2, ' ');
    text.append(row.right).push_back('\n');
  }
  return text;
}

std::string FlagTable(const std::vector<FlagSpec>& flags) {
  std::vector<Row> rows;
  for (const FlagSpec& flag : flags) {
    std::string left(flag.name);
    if (!flag.value_name.empty()) left.append(" ").append(flag.value_name);
    rows.push_back({std::move(left), flag.help});
  }
  return TwoColumns(rows);
}

std::string Heading(std::string_view title, const Console& console) {
  return "\n" + console.OnOut(Console::Style::kBold, title) + "\n";
}

}  // namespace

std::string_view ToolExamples() { return kToolExamples; }
std::string_view ExitCodes() { return kExitCodes; }

std::string ToolHelp(const std::vector<const VerbSpec*>& verbs, const Console& console) {
  std::vector<Row> rows;
  for (const VerbSpec* verb : verbs) {
    std::string left(verb->name);
    if (!verb->operands.empty()) left.append(" ").append(verb->operands);
    rows.push_back({std::move(left), verb->summary});
  }
  std::string text =
      "varve keeps keys and values, in the order of the keys, in one directory, and serves them.\n";
  text += Heading("Examples", console) + Indented(kToolExamples);
  text += Heading("Commands", console) + TwoColumns(rows);
  text += Heading("Flags of every command", console) + FlagTable(GlobalFlags());
  text += Heading("Which server, where there is no --dir", console) + FlagTable(ServerFlags());
  text += Heading("Exit codes", console) + Indented(kExitCodes);
  return text + "\n'varve COMMAND --help' says more about a command.\n";
}

std::string VerbHelp(const VerbSpec& verb, const Console& console) {
  const std::string usage = UsageOf(verb, /*shows_flags=*/true);
  std::string text = console.OnOut(Console::Style::kBold, usage) + "\n";
  text.append(verb.summary).append(".\n");
  text += Heading("Examples", console) + Indented(verb.examples);
  if (!verb.details.empty()) text.append("\n").append(verb.details);
  if (!verb.flags.empty()) text += Heading("Flags", console) + FlagTable(verb.flags);
  if (WorksOnServer(verb)) text += Heading("Which server", console) + FlagTable(ServerFlags());
  return text + Heading("Flags of every command", console) + FlagTable(GlobalFlags());
}

}  // namespace varve::cli
