// The campaign `power`: the power fails at I/O calls of a workload, and what is left is opened (power_run.h).
//
// A line "cuts SEED STRIDE" asks for power cuts at every STRIDE-th call: one that loses all that was not synced, one
// that keeps a random part, one that also tears; and for the end of the process alone. One in 64 is followed by
// another while the store recovers. The threads of the store take turns, and no clock runs: the same workload makes
// the same calls.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "torture/campaigns.h"
#include "torture/power_run.h"
#include "torture/store_options.h"
#include "torture/store_script.h"
#include "torture/trials.h"

namespace varve::torture {
namespace {

struct Cuts {
  uint64_t seed = 0;
  uint64_t stride = 1;
};

Status ActOn(const Command& command, Db* db) {
  Status status = Execute(command, db);
  const bool is_refused = status.code() == StatusCode::kConflict && command.kind == Command::Kind::kCompareAndSet;
  return is_refused ? Status::Ok() : status;
}

// `lines`: the text of the commands.
std::vector<PowerStep> StepsOf(const std::vector<Command>& commands, const Schedule& lines) {
  std::vector<PowerStep> steps;
  Contents contents;
  for (size_t i = 0; i < commands.size(); ++i) {
    const Command& command = commands[i];
    // A compare-and-set that is refused writes nothing, and so says nothing of what was written before it.
    const bool is_refused = command.kind == Command::Kind::kCompareAndSet && !Matches(command, contents);
    Apply(command, &contents);
    PowerStep step{.text = lines[i], .act = nullptr, .after = contents};
    if (command.kind != Command::Kind::kReopen) step.act = [command](Db* db) { return ActOn(command, db); };
    step.makes_durable = command.MakesDurable() && !is_refused;
    const bool asks_for_it = !command.changes_contents() || command.durability != Durability::kNone;
    step.survives_process = asks_for_it && !is_refused;
    steps.push_back(std::move(step));
  }
  return steps;
}

class PowerTrials final : public Trials {
 public:
  PowerTrials()
      : Trials("power", "what was acknowledged as synced survives any loss of power, and the rest is a prefix", 1) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    ScriptWriter writer(seed, {.lines = 0, .keys = 12 + seed % 3 * 20, .with_none = seed % 3 == 0});
    Schedule schedule{"cuts " + std::to_string(seed) + " " + std::to_string(1 + seed % 4)};
    while (schedule.size() < 80) schedule.push_back(writer.Next());
    return schedule;
  }
  std::string World(uint64_t seed) const override { return CalmStoreConfig(seed).ToString(); }
  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    Schedule lines = schedule;
    Cuts cuts;
    bool has_cuts = false;
    for (size_t i = 0; i < lines.size(); ++i) {
      if (!lines[i].starts_with("cuts ")) continue;
      const std::vector<std::string> words = WordsOf(lines[i]);
      const std::optional<uint64_t> cut_seed = words.size() == 3 ? NumberOf(words[1]) : std::nullopt;
      const std::optional<uint64_t> stride = words.size() == 3 ? NumberOf(words[2]) : std::nullopt;
      if (!cut_seed || !stride || *stride == 0) return {NotUnderstood(lines[i]), {}};
      cuts = {*cut_seed, *stride};
      has_cuts = true;
      lines.erase(lines.begin() + static_cast<ptrdiff_t>(i--));
    }
    Result<std::vector<Command>> commands = ParseCommands(lines);
    if (!commands.ok()) return {commands.status(), {}};
    if (!has_cuts) return {};
    counts->Add("commands", commands->size());
    const PowerOptions options{.seed = cuts.seed, .stride = cuts.stride, .takes_turns = true};
    PowerRun run(TurnsOpenerFor(CalmStoreConfig(seed)), StepsOf(*commands, lines), options, counts);
    Status status = run.Run(SimClock::Mode::kManual);
    return {std::move(status), {}, run.digest()};
  }
};

}  // namespace

std::unique_ptr<Campaign> PowerCampaign() { return std::make_unique<PowerTrials>(); }

}  // namespace varve::torture
