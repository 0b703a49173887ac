#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/json.h"
#include "cli/server_info.h"
#include "cli/text.h"

namespace varve::cli {
namespace {

uint64_t DiskBytes(const Statistics& stats) {
  return stats.segment_bytes + stats.value_log_bytes + stats.wal_bytes;
}

Facts RunFacts(const RunStatistics& run) {
  Facts facts;
  facts.Count("id", run.id);
  facts.Count("segments", run.segment_count);
  facts.Count("entries", run.entry_count);
  facts.Count("tombstones", run.tombstone_count);
  facts.Bytes("bytes", run.disk_bytes);
  return facts;
}

Facts OperationFacts(Operation kind, const OperationStatistics& done) {
  Facts facts;
  facts.Text("operation", OperationName(kind));
  facts.Count("count", done.count);
  facts.Nanos("mean_ns", static_cast<uint64_t>(done.MeanNanos()));
  facts.Nanos("p50_ns", done.p50_ns);
  facts.Nanos("p90_ns", done.p90_ns);
  facts.Nanos("p99_ns", done.p99_ns);
  facts.Nanos("p999_ns", done.p999_ns);
  facts.Nanos("max_ns", done.max_ns);
  return facts;
}

// What a process has done with the store since it opened it. Kinds that it has not used are left out.
void AddOperations(const Statistics& stats, Facts* facts) {
  std::vector<Facts> operations;
  for (size_t i = 0; i < kOperationCount; ++i) {
    if (stats.operations[i].count == 0) continue;
    operations.push_back(OperationFacts(static_cast<Operation>(i), stats.operations[i]));
  }
  facts->Table("operations", std::move(operations));
}

// Contents, disk, memory, and what was done since the store was opened; for one invocation of the tool
// that is little.
Facts StoreFacts(const Statistics& stats) {
  Facts facts;
  facts.Count("last_sequence", stats.last_sequence);
  facts.Count("entries", stats.entry_count);
  facts.Count("memtable_entries", stats.memtable_entry_count);
  facts.Count("range_tombstones", stats.range_tombstone_count);
  facts.Bytes("disk_bytes", DiskBytes(stats));
  facts.Bytes("segment_bytes", stats.segment_bytes);
  facts.Bytes("value_log_bytes", stats.value_log_bytes);
  facts.Bytes("value_log_dead_bytes", stats.value_log_dead_bytes);
  facts.Count("value_log_files", stats.value_log_file_count);
  facts.Bytes("wal_bytes", stats.wal_bytes);
  facts.Count("wal_files", stats.wal_file_count);
  facts.Bytes("memory_budget_bytes", stats.memory_budget_bytes);
  facts.Bytes("memtable_bytes", stats.memtable_bytes);
  facts.Bytes("index_bytes", stats.index_bytes);
  facts.Bytes("cache_bytes", stats.cache_bytes);
  facts.Bytes("iterator_bytes", stats.iterator_bytes);
  facts.Bytes("range_tombstone_bytes", stats.range_tombstone_bytes);
  facts.Bytes("statistics_bytes", stats.statistics_bytes);
  facts.Ratio("space_amplification", stats.SpaceAmplification());
  facts.Ratio("write_amplification", stats.WriteAmplification());
  facts.Ratio("read_amplification", stats.ReadAmplification());
  facts.Ratio("disk_reads_per_get", stats.DiskReadsPerGet());
  facts.Count("stalls", stats.slowdown_count);
  facts.Micros("stall_us", stats.slowdown_us);
  facts.Micros("stall_max_us", stats.slowdown_us_max);
  if (!stats.background_error.empty()) facts.Text("background_error", stats.background_error);
  std::vector<Facts> runs;
  for (const RunStatistics& run : stats.runs) runs.push_back(RunFacts(run));
  facts.Table("runs", std::move(runs));
  AddOperations(stats, &facts);
  return facts;
}

int Stats(const Context& context) {
  if (context.server) return PrintServerStats(context);
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  if (context.arguments.Has("--prometheus")) {
    context.console.out << (*db)->Stats().ToPrometheus();
  } else {
    StoreFacts((*db)->Stats()).Print(context.console, context.json);
  }
  return kExitOk;
}

int Verify(const Context& context) {
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  const uint64_t started_at = context.console.now_nanos();
  const Result<VerifyReport> report = (*db)->Verify();
  if (!report.ok()) return Fail(context, report.status());
  Facts facts;
  facts.Count("files", report->file_count);
  facts.Count("blocks", report->block_count);
  facts.Count("entries", report->entry_count);
  facts.Bytes("bytes", report->byte_count);
  facts.Seconds("seconds", context.console.now_nanos() - started_at);
  std::vector<Facts> problems;
  for (const std::string& problem : report->problems) {
    problems.emplace_back().Text("problem", problem);
  }
  const size_t problem_count = problems.size();
  facts.Table("problems", std::move(problems));
  std::vector<Facts> orphans;
  for (const std::string& orphan : report->orphans) orphans.emplace_back().Text("orphan", orphan);
  if (!orphans.empty()) facts.Table("orphans", std::move(orphans));
  facts.Print(context.console, context.json);
  if (problem_count == 0) return kExitOk;
  return Fail(context, Status::Corruption(std::to_string(problem_count) +
                                          (problem_count == 1 ? " problem" : " problems") +
                                          " found; the rest of the store stays readable"));
}

int Compact(const Context& context) {
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kChange);
  if (!db.ok()) return FailToOpen(context, db.status());
  const uint64_t before = DiskBytes((*db)->Stats());
  const uint64_t started_at = context.console.now_nanos();
  const Status status = (*db)->Compact();
  if (!status.ok()) return Fail(context, status);
  Facts facts;
  facts.Bytes("disk_bytes_before", before);
  facts.Bytes("disk_bytes_after", DiskBytes((*db)->Stats()));
  facts.Seconds("seconds", context.console.now_nanos() - started_at);
  facts.Print(context.console, context.json);
  return kExitOk;
}

// What a change has besides its kind.
bool HasKey(std::string_view kind) {
  return kind == "WRITE" || kind == "DELETE" || kind == "DELETERANGE";
}
bool HasValue(std::string_view kind) { return HasKey(kind) && kind != "DELETE"; }

std::string WalLine(const WalChange& change) {
  std::string line(change.kind);
  // The default namespace goes without saying.
  if (!change.name_space.empty()) {
    line.append("\t@");
    AppendEscaped(&line, change.name_space);
  }
  if (HasKey(change.kind)) {
    line.push_back('\t');
    AppendEscaped(&line, change.key);
  }
  if (HasValue(change.kind)) {
    line.push_back('\t');
    AppendEscaped(&line, change.value);
  }
  if (change.expire_at_millis != 0) {
    line.append("\t").append(std::to_string(change.expire_at_millis));
  }
  return line;
}

std::string WalJson(const WalChange& change) {
  JsonObject object;
  object.Number("sequence", change.sequence).Bytes("kind", change.kind);
  if (!change.name_space.empty()) object.Bytes("namespace", change.name_space);
  const bool is_range = change.kind == "DELETERANGE";
  if (HasKey(change.kind)) object.Bytes(is_range ? "begin" : "key", change.key);
  if (HasValue(change.kind)) object.Bytes(is_range ? "end" : "value", change.value);
  if (change.expire_at_millis != 0) object.Number("expire_at_ms", change.expire_at_millis);
  return object.Take();
}

int Wal(const Context& context) {
  const Status status = context.backend.read_wal(
      context.dir, Options{.create_if_missing = false, .read_only = true},
      [&](const WalChange& change) {
        context.console.out << (context.json ? WalJson(change) : WalLine(change)) << "\n";
      });
  return status.ok() ? kExitOk : FailToOpen(context, status);
}

}  // namespace

std::vector<Command> StoreCommands() {
  return {
      {{.name = "stats",
        .flags = {{"--prometheus", "", "print the text format of Prometheus"}},
        .summary = "Prints what the store holds, on disk and in memory",
        .examples = "varve --dir data stats\n"
                    "varve --dir data stats --json\n"
                    "varve --dir data stats --prometheus\n",
        .details = "entries counts overwritten and deleted records until they are merged away;\n"
                   "'count' counts keys. The runs are the levels, newest first. The figures about work\n"
                   "(amplification of writes and reads, stalls, operations) are those of this process,\n"
                   "which has only opened the store; a program asks its own by Db::Stats().\n"
                   "Of a server: its INFO.\n",
        .target = Target::kEither},
       Stats},
      {{.name = "verify",
        .summary = "Reads every byte and checks it; exit code 6 when something is damaged",
        .examples = "varve --dir data verify\n"
                    "varve --dir data verify --json\n",
        .details = "Each problem names the file and the offset. Nothing is changed. Orphans are files that a\n"
                   "crash has left and nothing needs; the store removes them when it is opened to write.\n"},
       Verify},
      {{.name = "compact",
        .summary = "Merges everything into one run and gives back the space of what was deleted",
        .examples = "varve --dir data compact\n",
        .details = "The store does this by itself in time; this is for doing it now.\n"},
       Compact},
      {{.name = "wal",
        .summary = "Prints the write-ahead log, oldest change first",
        .examples = "varve --dir data wal\n"
                    "varve --dir data wal --json\n",
        .details =
            "WRITE, key, value; DELETE, key; DELETERANGE, begin, end; CLEAR: with tabs between, "
            "escaped as\n'scan' does. In a namespace @name comes before the key; NAMESPACE and DROP are "
            "its beginning, or\na change of its options, and its end.\nChanges that are in segments are no longer in the log.\n"},
       Wal},
  };
}

}  // namespace varve::cli
