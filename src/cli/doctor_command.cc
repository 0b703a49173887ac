#include <algorithm>

#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/json.h"

namespace varve::cli {
namespace {

void PrintFinding(const Context& context, const Finding& finding) {
  const Console& console = context.console;
  const std::string_view level = LevelName(finding.level);
  if (context.json) {
    JsonObject object;
    object.Bytes("level", level).Bytes("subject", finding.subject).Bytes("text", finding.text);
    console.out << object.Take() << "\n";
  } else if (!console.out_is_terminal) {
    console.out << level << "\t" << finding.subject << "\t" << finding.text << "\n";
  } else {
    const Console::Style style = finding.level == Finding::Level::kGood  ? Console::Style::kDim
                                 : finding.level == Finding::Level::kNote ? Console::Style::kBold
                                                                          : Console::Style::kRed;
    std::string subject = finding.subject;
    subject.resize(std::max<size_t>(subject.size(), 12), ' ');
    console.out << console.OnOut(style, level) << "  " << subject << " " << finding.text << "\n";
  }
}

int Doctor(const Context& context) {
  const std::string dir = context.dir.empty() ? "." : context.dir;
  const Result<MachineFacts> facts = context.backend.examine(dir);
  if (!facts.ok()) {
    PrintError(context.console, context.json, facts.status(),
               "name a directory that is there and may be written: varve doctor DIR");
    return kExitError;
  }
  const std::vector<Finding> findings = Diagnose(*facts);
  for (const Finding& finding : findings) PrintFinding(context, finding);
  const bool is_bad = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.level == Finding::Level::kBad;
  });
  return is_bad ? kExitError : kExitOk;
}

}  // namespace

std::vector<Command> DoctorCommands() {
  return {
      {{.name = "doctor",
        .operands = "[DIR]",
        .max_operands = 1,
        .summary = "Says what this machine's disk, limits and clock mean for the promises",
        .examples = "varve doctor /var/lib/varve\n"
                    "varve doctor --json\n",
        .details = "Writes a file of 1 MiB in DIR, which need hold no store, and removes it. Exit code 1 when\n"
                   "something is bad. docs/durability.md says what is promised.\n",
        .dir_is_operand = true,
        .target = Target::kNone},
       Doctor},
  };
}

}  // namespace varve::cli
