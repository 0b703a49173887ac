#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/progress.h"

namespace varve::cli {
namespace {

// A range in words: "all keys", "key k", "from a to before b", with its namespace.
std::string RangeText(const KeyRange& range) {
  if (range.is_everything) return "all keys";
  std::string text;
  if (!range.name_space.empty()) text = "@" + range.name_space + " ";
  if (range.begin.empty() && !range.end) return text + "all keys";
  if (range.end == range.begin + '\0') return text + "key " + range.begin;
  text += range.begin.empty() ? "from the first key" : "from " + range.begin;
  return text + (range.end ? " to before " + *range.end : " to the last key");
}

Facts LossFacts(const RepairLoss& loss, bool json) {
  Facts facts;
  facts.Text("range", RangeText(loss.range));
  if (json) {
    facts.Count("everything", loss.range.is_everything ? 1 : 0);
    facts.Text("namespace", loss.range.name_space);
    facts.Text("begin", loss.range.begin);
    if (loss.range.end) facts.Text("end", *loss.range.end);
  }
  facts.Count("changes", loss.change_count);
  facts.Text("file", loss.file);
  facts.Count("offset", loss.offset);
  facts.Text("reason", loss.reason);
  return facts;
}

void PrintReport(const Context& context, const RepairReport& report, uint64_t nanos) {
  Facts facts;
  facts.Text("repaired_store", report.to);
  facts.Count("keys", report.key_count);
  facts.Bytes("bytes", report.byte_count);
  facts.Count("segments", report.segment_count);
  facts.Count("logs", report.log_count);
  facts.Seconds("seconds", nanos);
  std::vector<Facts> problems, losses, undecided;
  for (const std::string& problem : report.problems) problems.emplace_back().Text("problem", problem);
  for (const RepairLoss& loss : report.losses) losses.push_back(LossFacts(loss, context.json));
  for (const RepairLoss& loss : report.undecided) undecided.push_back(LossFacts(loss, context.json));
  facts.Table("problems", std::move(problems));
  facts.Table("lost", std::move(losses));
  facts.Table("undecided", std::move(undecided));
  facts.Print(context.console, context.json);
}

std::string HintFor(const Context& context, StatusCode code) {
  switch (code) {
    case StatusCode::kBusy:
      return "close the store first: end the process that has it open";
    case StatusCode::kInvalidArgument:
      return "name another directory with --to, or remove that one";
    case StatusCode::kNotFound:
      return "there is no store: 'varve --dir " + context.dir + " put KEY VALUE' makes one";
    case StatusCode::kNotSupported:
      return "repair it with the version of varve that wrote it, or a newer one";
    default:
      return "the original is unchanged";
  }
}

int Repair(const Context& context) {
  const uint64_t started_at = context.console.now_nanos();
  std::unique_ptr<Progress> progress;
  RepairOptions options;
  options.to = context.arguments.Value("--to").value_or("");
  options.progress = [&](const RepairProgress& state) {
    if (progress == nullptr) {
      progress = std::make_unique<Progress>(context.console, Progress::Words{"repairing", "saved"},
                                            state.bytes_total, false);
    }
    progress->Update(state.keys, state.bytes_done);
  };
  const Result<RepairReport> report = context.backend.repair(context.dir, options);
  progress.reset();
  if (!report.ok()) {
    PrintError(context.console, context.json, report.status(), HintFor(context, report.status().code()));
    return kExitError;
  }
  PrintReport(context, *report, context.console.now_nanos() - started_at);
  if (report->is_complete()) return kExitOk;
  PrintError(context.console, context.json,
             Status::Corruption(report->losses.empty() ? "deleted keys may have come back"
                                                       : "something is lost"),
             "the ranges above say where; the original is unchanged in " + context.dir);
  return kExitCorruption;
}

}  // namespace

std::vector<Command> RepairCommands() {
  return {
      {{.name = "repair",
        .flags = {{"--to", "DIR", "where the repaired store goes; without it, DIR.repaired"}},
        .summary = "Writes what can be saved of a damaged store to a new one and says what is lost",
        .examples = "varve --dir data repair\n"
                    "varve --dir data repair --to /mnt/other/data --json\n",
        .details = "The original is only read, and need not open. What is lost is named by ranges of keys: in "
                   "them\nkeys may be absent, show an older value, or have come back after they were deleted. "
                   "Undecided\nis where nothing is known to be lost, but deleted keys may have come back. Exit "
                   "code 0: nothing\nis lost; 6: something is lost or undecided, and the rest is saved; 1: nothing "
                   "could be done.\n"},
       Repair},
  };
}

}  // namespace varve::cli
