#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <vector>

#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/record_stream.h"

namespace varve::cli {
namespace {

constexpr std::string_view kStandardStream = "-";
// A batch costs one log record; beyond some hundred records a larger one gains nothing.
constexpr uint32_t kBatchRecords = 1000;
constexpr size_t kBatchBytes = size_t{1} << 20;
constexpr size_t kFileBufferBytes = size_t{1} << 20;

constexpr FlagSpec kFormatFlag = {"--format", "F",
                                  "tsv or json; without it, from the file's extension"};
constexpr FlagSpec kProgressFlag = {"--progress", "",
                                    "a line on the error stream for each batch, instead of a bar"};

struct Transferred {
  uint64_t records = 0;
  uint64_t bytes = 0;
};

Result<RecordFormat> FormatFrom(const Context& context, std::string_view path, bool json_hint) {
  const std::optional<std::string> name = context.arguments.Value("--format");
  if (!name.has_value()) {
    if (path == kStandardStream) return json_hint ? RecordFormat::kJson : RecordFormat::kTsv;
    return GuessRecordFormat(path);
  }
  const std::optional<RecordFormat> format = ParseRecordFormat(*name);
  if (format.has_value()) return *format;
  return Status::InvalidArgument("flag --format is tsv or json, not '" + *name + "'");
}

void PrintSummary(const Context& context, const Transferred& total, uint64_t nanos) {
  Facts facts;
  facts.Count("records", total.records);
  facts.Bytes("bytes", total.bytes);
  facts.Seconds("seconds", nanos);
  const double seconds = static_cast<double>(nanos) / 1e9;
  const double rate = seconds > 0 ? static_cast<double>(total.records) / seconds : 0;
  facts.Count("records_per_second", static_cast<uint64_t>(rate));
  facts.Print(context.console, context.json);
}

// The last moment there is, for what lies beyond it.
std::chrono::system_clock::time_point TimePoint(uint64_t millis) {
  using Moment = std::chrono::system_clock::time_point;
  constexpr uint64_t kMost =
      std::chrono::floor<std::chrono::milliseconds>(Moment::max().time_since_epoch()).count();
  return millis >= kMost ? Moment::max() : Moment(std::chrono::milliseconds(millis));
}

// Writes records in batches and counts what the store has acknowledged.
class Loader {
 public:
  // `space`: where records go that name no namespace.
  Loader(const Context& context, Db& db, Namespace& space, RecordReader& reader, Progress& progress)
      : db_(db),
        space_(space),
        reader_(reader),
        progress_(progress),
        options_(WriteOptionsFrom(context)) {}

  // Loads everything, or everything before what went wrong; the message then says how much.
  Status Run() {
    const Status read = ReadAll();
    VARVE_RETURN_IF_ERROR(WriteBatchOut());
    if (read.ok()) return read;
    return Status(read.code(), std::string(read.message()) + " (" + std::to_string(total_.records) +
                                   " records are loaded)");
  }
  const Transferred& total() const { return total_; }

 private:
  Status ReadAll() {
    Record record;
    while (true) {
      VARVE_ASSIGN_OR_RETURN(const bool has_record, reader_.Next(&record));
      if (!has_record) return Status::Ok();
      VARVE_ASSIGN_OR_RETURN(Namespace * space, SpaceOf(record));
      if (record.expire_at_millis == 0) {
        batch_.Put(*space, record.key, record.value);
      } else {
        // Past already: the batch deletes the key.
        batch_.Put(*space, record.key, record.value, TimePoint(record.expire_at_millis));
      }
      if (batch_.count() < kBatchRecords && batch_.byte_size() < kBatchBytes) continue;
      VARVE_RETURN_IF_ERROR(WriteBatchOut());
    }
  }

  Result<Namespace*> SpaceOf(const Record& record) {
    if (record.name_space.empty()) return &space_;
    auto found = named_.find(record.name_space);
    if (found == named_.end()) {
      VARVE_ASSIGN_OR_RETURN(std::shared_ptr<Namespace> space,
                             OpenSpace(db_, record.name_space, Access::kChangeOrCreate));
      found = named_.emplace(record.name_space, std::move(space)).first;
    }
    return found->second.get();
  }

  Status WriteBatchOut() {
    if (batch_.empty()) return Status::Ok();
    const Status status = db_.Write(batch_, options_);
    // Not tried again, whatever the caller does next.
    const uint32_t count = batch_.count();
    batch_.Clear();
    VARVE_RETURN_IF_ERROR(status);
    total_.records += count;
    total_.bytes = reader_.bytes_read();
    progress_.Update(total_.records, total_.bytes);
    return Status::Ok();
  }

  Db& db_;
  Namespace& space_;
  std::map<std::string, std::shared_ptr<Namespace>> named_;  // those met so far
  RecordReader& reader_;
  Progress& progress_;
  const WriteOptions options_;
  WriteBatch batch_;
  Transferred total_;
};

int LoadFrom(const Context& context, std::istream& in, uint64_t size, RecordFormat format) {
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kChangeOrCreate);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kChangeOrCreate);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  Transferred total;
  uint64_t nanos = 0;
  Status status;
  {
    Progress progress(context.console, {.activity = "loading", .past = "loaded"}, size,
                      context.arguments.Has("--progress"));
    RecordReader reader(in, format);
    Loader loader(context, **db, **space, reader, progress);
    status = loader.Run();
    total = loader.total();
    nanos = progress.ElapsedNanos();
  }
  if (!status.ok()) return Fail(context, status);
  PrintSummary(context, total, nanos);
  return kExitOk;
}

int Load(const Context& context) {
  const std::string& path = context.arguments.operands()[0];
  const Result<RecordFormat> format = FormatFrom(context, path, /*json_hint=*/false);
  if (!format.ok()) return FailUsage(context, format.status());
  if (path == kStandardStream) return LoadFrom(context, context.console.in, 0, *format);
  std::string buffer(kFileBufferBytes, '\0');
  std::ifstream file;
  file.rdbuf()->pubsetbuf(buffer.data(), static_cast<std::streamsize>(buffer.size()));
  file.open(path, std::ios::binary | std::ios::ate);
  if (!file) {
    return Fail(context, Status::IoError("cannot read " + path + ": " + std::strerror(errno)));
  }
  const std::streamoff size = file.tellg();
  file.seekg(0);
  // What cannot seek, such as a named pipe, has no size.
  if (size < 0) file.clear();
  return LoadFrom(context, file, size < 0 ? 0 : static_cast<uint64_t>(size), *format);
}

// A namespace to be dumped, and the name that its records get.
struct DumpedSpace {
  std::shared_ptr<Namespace> space;
  std::string shown_name;
};

// With -n that one; with a range, which is one of the default namespace, that one; else all.
Result<std::vector<DumpedSpace>> SpacesToDump(const Context& context, Db& db, const Range& range) {
  std::vector<DumpedSpace> spaces(1);
  VARVE_ASSIGN_OR_RETURN(spaces[0].space, OpenSpace(context, db, Access::kRead));
  if (context.arguments.Has("-n") || !range.IsEverything()) return spaces;
  VARVE_ASSIGN_OR_RETURN(const std::vector<NamespaceInfo> infos, db.ListNamespaces());
  for (const NamespaceInfo& info : infos) {
    VARVE_ASSIGN_OR_RETURN(auto space, OpenSpace(db, info.name, Access::kRead));
    spaces.push_back({std::move(space), info.name});
  }
  return spaces;
}

Result<Transferred> DumpTo(const Context& context, const std::vector<DumpedSpace>& spaces,
                           uint64_t expected, const Range& range, RecordFormat format,
                           std::ostream& out) {
  Progress progress(context.console, {.activity = "dumping", .past = "dumped"}, expected,
                    context.arguments.Has("--progress"));
  Transferred total;
  std::string lines;
  const auto write_out = [&] {
    out.write(lines.data(), static_cast<std::streamsize>(lines.size()));
    total.bytes += lines.size();
    lines.clear();
    progress.Update(total.records, total.records);
    return out.good();
  };
  for (const DumpedSpace& dumped : spaces) {
    VARVE_RETURN_IF_ERROR(Walk(
        *dumped.space, range, {.deadlines = true},
        [&](std::string_view key, std::string_view value, uint64_t expire_at) {
          AppendRecord(&lines, format, key, value, dumped.shown_name, expire_at);
          ++total.records;
          return lines.size() < kBatchBytes || write_out();
        }));
    if (!out.good()) break;
  }
  if (!lines.empty()) write_out();
  out.flush();
  return total;
}

int Dump(const Context& context) {
  const std::vector<std::string>& operands = context.arguments.operands();
  const std::string path(operands.empty() ? kStandardStream : operands[0]);
  const Result<RecordFormat> format = FormatFrom(context, path, context.json);
  if (!format.ok()) return FailUsage(context, format.status());
  const Result<Range> range = RangeFrom(context);
  if (!range.ok()) return FailUsage(context, range.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  // Before the file is made: a slip in a name must not cost an old dump.
  const auto spaces = SpacesToDump(context, **db, *range);
  if (!spaces.ok()) return FailToOpenSpace(context, spaces.status());
  // Overwritten entries count until they are merged away, so the bar may jump to its end.
  const uint64_t expected = range->IsEverything() ? (*db)->Stats().entry_count : 0;
  if (path == kStandardStream) {
    const Result<Transferred> total =
        DumpTo(context, *spaces, expected, *range, *format, context.console.out);
    return total.ok() ? kExitOk : Fail(context, total.status());
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) {
    return Fail(context, Status::IoError("cannot write " + path + ": " + std::strerror(errno)));
  }
  const uint64_t started_at = context.console.now_nanos();
  const Result<Transferred> total = DumpTo(context, *spaces, expected, *range, *format, file);
  if (!total.ok()) return Fail(context, total.status());
  file.close();
  if (!file) {
    return Fail(context, Status::IoError("writing " + path + " failed; is the disk full?"));
  }
  PrintSummary(context, *total, context.console.now_nanos() - started_at);
  return kExitOk;
}

}  // namespace

std::vector<Command> TransferCommands() {
  return {
      {{.name = "load",
        .operands = "FILE|-",
        .min_operands = 1,
        .max_operands = 1,
        .flags = {{"-n", "NAME", "records that name no namespace go to this one"},
                  kFormatFlag,
                  kProgressFlag,
                  {"--sync", "", "each batch survives loss of power before the next one"}},
        .summary = "Stores the records of a file; makes the store if there is none",
        .examples = "varve --dir data load records.tsv\n"
                    "varve --dir data load records.jsonl\n"
                    "zcat records.tsv.gz | varve --dir data load -\n",
        .details =
            "TSV: key, tab, value; \\t \\n \\r \\\\ and \\xNN stand for these bytes.\n"
            "JSON lines: {\"key\":\"...\",\"value\":\"...\"}; key_b64 and value_b64 hold base64.\n"
            "A record of a namespace: @name, tab, key, tab, value; or a member \"namespace\".\n"
            "A last column, or \"expire_at_ms\", is when the record expires: milliseconds since 1970.\n"
            "A record that --progress has counted is stored: it survives kill -9.\n",
        .target = Target::kEither},
       Load},
      {{.name = "dump",
        .operands = "[FILE]",
        .max_operands = 1,
        .flags = RangeFlagsAnd({kFormatFlag, kProgressFlag}),
        .summary = "Writes records to a file or standard output, so that load takes them back",
        .examples = "varve --dir data dump backup.tsv\n"
                    "varve --dir data dump backup.jsonl\n"
                    "varve --dir data dump | gzip > backup.tsv.gz\n"
                    "varve --dir data dump -n users users.tsv\n",
        .details =
            "Without -n and range flags: the records of all namespaces, named as 'load' reads them.\n"
            "With -n: those of one, without its name.\n",
        .target = Target::kEither},
       Dump},
  };
}

}  // namespace varve::cli
