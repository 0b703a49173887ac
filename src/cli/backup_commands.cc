#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/progress.h"

namespace varve::cli {
namespace {

constexpr std::string_view kStandardStream = "-";
constexpr FlagSpec kProgressFlag = {"--progress", "",
                                    "a line on the error stream for each piece, instead of a bar"};

class StreamSink : public BackupSink {
 public:
  explicit StreamSink(std::ostream& out) : out_(out) {}
  Status Append(std::string_view bytes) override {
    out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return out_.good() ? Status::Ok() : Status::IoError("writing the backup failed");
  }
  Status Finish() override {
    out_.flush();
    return out_.good() ? Status::Ok() : Status::IoError("writing the backup failed");
  }

 private:
  std::ostream& out_;
};

class StreamSource : public BackupSource {
 public:
  explicit StreamSource(std::istream& in) : in_(in) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    in_.read(buffer, static_cast<std::streamsize>(size));
    if (in_.bad()) return Status::IoError("reading the backup failed");
    return static_cast<size_t>(in_.gcount());
  }

 private:
  std::istream& in_;
};

Result<std::unique_ptr<BackupSource>> SourceFor(const Context& context, const std::string& path) {
  if (path != kStandardStream) return NewFileBackupSource(path);
  return std::unique_ptr<BackupSource>(std::make_unique<StreamSource>(context.console.in));
}

// Draws the progress of one backup after the other.
class Drawing {
 public:
  Drawing(const Context& context, Progress::Words words) : context_(context), words_(words) {}

  BackupProgressCallback Callback() {
    return [this](const BackupProgress& now) {
      if (progress_ == nullptr || now.done_bytes < last_.done_bytes ||
          now.total_bytes != last_.total_bytes) {
        progress_ = std::make_unique<Progress>(context_.console, words_, now.total_bytes,
                                               context_.arguments.Has("--progress"));
      }
      last_ = now;
      progress_->Update(0, now.done_bytes);
      return true;
    };
  }
  void Wipe() { progress_.reset(); }

 private:
  const Context& context_;
  const Progress::Words words_;
  std::unique_ptr<Progress> progress_;
  BackupProgress last_;
};

// What is wrong with a backup, which no look at the store would tell.
int FailBackup(const Context& context, const Status& status) {
  const bool is_damage = status.IsCorruption();
  PrintError(context.console, context.json, status,
             is_damage ? "this backup cannot be used: take another one" : "");
  return is_damage ? kExitCorruption : kExitError;
}

std::string IdText(uint64_t id) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(id));
  return text;
}

void PrintSummary(const Context& context, const BackupSummary& summary, uint64_t nanos) {
  Facts facts;
  facts.Text("id", IdText(summary.id));
  if (summary.since != 0) facts.Text("since", IdText(summary.since));
  facts.Count("sequence", summary.sequence);
  facts.Count("files", summary.file_count);
  facts.Bytes("store_bytes", summary.store_bytes);
  facts.Bytes("bytes", summary.carried_bytes);
  facts.Seconds("seconds", nanos);
  const double seconds = static_cast<double>(nanos) / 1e9;
  const double rate = seconds > 0 ? static_cast<double>(summary.carried_bytes) / seconds : 0;
  facts.Bytes("bytes_per_second", static_cast<uint64_t>(rate));
  facts.Print(context.console, context.json);
}

int CheckFile(const Context& context, const std::string& path) {
  const auto source = SourceFor(context, path);
  if (!source.ok()) return FailBackup(context, source.status());
  const uint64_t started_at = context.console.now_nanos();
  Drawing drawing(context, {"checking", "checked", true});
  const Result<BackupSummary> summary = VerifyBackup(**source, drawing.Callback());
  drawing.Wipe();
  if (!summary.ok()) return FailBackup(context, summary.status());
  PrintSummary(context, *summary, context.console.now_nanos() - started_at);
  return kExitOk;
}

Status CheckBackupUsage(const Context& context, const std::string& path) {
  if (path == kStandardStream && context.console.out_is_terminal) {
    return Status::InvalidArgument("a backup is not for a terminal: name a file, or redirect the output");
  }
  if (context.arguments.Value("--since") == path) {
    return Status::InvalidArgument("the increment would take the place of the backup it builds on");
  }
  return Status::Ok();
}

// What V.BACKUP STATUS says.
struct ServerBackup {
  bool is_running = false;
  BackupProgress progress;
  std::string error;
};

Result<ServerBackup> LookAtServerBackup(client::Client& client) {
  VARVE_ASSIGN_OR_RETURN(const client::Reply reply, client.Call({"V.BACKUP", "STATUS"}));
  ServerBackup state;
  for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const std::string& name = reply.elements[i].text;
    const client::Reply& value = reply.elements[i + 1];
    if (name == "running") state.is_running = value.integer != 0;
    if (name == "done_bytes") state.progress.done_bytes = static_cast<uint64_t>(value.integer);
    if (name == "total_bytes") state.progress.total_bytes = static_cast<uint64_t>(value.integer);
    if (name == "error") state.error = value.text;
  }
  return state;
}

// Has the server make the backup, in its own directory for them, and watches.
Result<ServerBackup> MakeServerBackup(const Context& context, client::Client& client,
                                      const std::string& name, uint64_t bytes_per_second) {
  constexpr uint64_t kLookEveryNanos = 100'000'000;
  const std::string since = context.arguments.Value("--since").value_or("");
  const std::string rate = std::to_string(bytes_per_second);
  client::Request request = {"V.BACKUP", "START", name};
  if (!since.empty()) request.insert(request.end(), {"SINCE", since});
  if (bytes_per_second > 0) request.insert(request.end(), {"RATE", rate});
  VARVE_RETURN_IF_ERROR(client.Call(request).status());
  Drawing drawing(context, {"backing up", "backed up", true});
  const BackupProgressCallback draw = drawing.Callback();
  while (true) {
    VARVE_ASSIGN_OR_RETURN(ServerBackup state, LookAtServerBackup(client));
    if (!state.is_running) return state;
    draw(state.progress);
    context.server->options.clock->SleepNanos(kLookEveryNanos);
  }
}

int BackupOfServer(const Context& context, const std::string& name, uint64_t bytes_per_second) {
  if (name == kStandardStream) {
    return FailUsage(context, Status::InvalidArgument(
                                  "a server writes backups to its own directory for them: give a name"));
  }
  const Result<std::unique_ptr<client::Client>> client = ConnectTo(context);
  if (!client.ok()) return FailToOpen(context, client.status());
  const uint64_t started_at = context.console.now_nanos();
  const Result<ServerBackup> made = MakeServerBackup(context, **client, name, bytes_per_second);
  if (!made.ok()) return Fail(context, made.status());
  if (!made->error.empty()) return Fail(context, Status::IoError("the server's backup failed: " + made->error));
  Facts facts;
  facts.Text("name", name);
  facts.Bytes("bytes", made->progress.done_bytes);
  facts.Seconds("seconds", context.console.now_nanos() - started_at);
  facts.Print(context.console, context.json);
  return kExitOk;
}

int Backup(const Context& context) {
  const std::string& path = context.arguments.operands()[0];
  if (context.arguments.Has("--check")) return CheckFile(context, path);
  const Status usage = CheckBackupUsage(context, path);
  if (!usage.ok()) return FailUsage(context, usage);
  const Result<std::optional<uint64_t>> rate = context.arguments.Number("--rate");
  if (!rate.ok()) return FailUsage(context, rate.status());
  if (context.server) return BackupOfServer(context, path, rate->value_or(0));
  BackupOptions options;
  options.bytes_per_second = rate->value_or(0);
  BackupSummary earlier;
  if (const std::optional<std::string> since = context.arguments.Value("--since")) {
    Result<BackupSummary> read = ReadBackupSummary(*since);
    if (!read.ok()) return FailBackup(context, read.status());
    earlier = *std::move(read);
    options.since = &earlier;
  }
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  const bool to_stream = path == kStandardStream;
  Result<std::unique_ptr<BackupSink>> sink =
      to_stream ? std::unique_ptr<BackupSink>(std::make_unique<StreamSink>(context.console.out))
                : NewFileBackupSink(path);
  if (!sink.ok()) return FailBackup(context, sink.status());
  const uint64_t started_at = context.console.now_nanos();
  Drawing drawing(context, {"backing up", "backed up", true});
  options.progress = drawing.Callback();
  const Result<BackupSummary> summary = (*db)->Backup(**sink, options);
  drawing.Wipe();
  if (!summary.ok()) return Fail(context, summary.status());
  if (!to_stream) PrintSummary(context, *summary, context.console.now_nanos() - started_at);
  return kExitOk;
}

int Restore(const Context& context) {
  std::vector<std::unique_ptr<BackupSource>> sources;
  std::vector<BackupSource*> chain;
  for (const std::string& path : context.arguments.operands()) {
    Result<std::unique_ptr<BackupSource>> source = SourceFor(context, path);
    if (!source.ok()) return FailBackup(context, source.status());
    chain.push_back(source->get());
    sources.push_back(*std::move(source));
  }
  const uint64_t started_at = context.console.now_nanos();
  Drawing drawing(context, {"restoring", "restored", true});
  RestoreOptions options;
  options.progress = drawing.Callback();
  const Result<BackupSummary> summary = Db::Restore(chain, context.dir, options);
  drawing.Wipe();
  if (!summary.ok()) return FailBackup(context, summary.status());
  PrintSummary(context, *summary, context.console.now_nanos() - started_at);
  return kExitOk;
}

int Checkpoint(const Context& context) {
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  const Status status = (*db)->Checkpoint(context.arguments.operands()[0]);
  return status.ok() ? kExitOk : Fail(context, status);
}

}  // namespace

std::vector<Command> BackupCommands() {
  return {
      {{.name = "backup",
        .operands = "FILE|-",
        .min_operands = 1,
        .max_operands = 1,
        .flags = {{"--since", "EARLIER", "only what this earlier backup of the store has not"},
                  {"--check", "", "read the backup FILE and check every byte; no store is needed"},
                  {"--rate", "BYTES", "at most so many bytes a second"},
                  kProgressFlag},
        .summary = "Writes a backup of the store to a file or standard output",
        .examples = "varve --dir data backup monday.backup\n"
                    "varve --dir data backup tuesday.backup --since monday.backup\n"
                    "varve --dir data backup - | ssh host 'cat > data.backup'\n"
                    "varve backup --check monday.backup\n"
                    "varve client backup monday.backup            # the server writes it\n",
        .details = "FILE gets its name when the backup is whole; until then it is FILE.partial.\n"
                   "A damaged or cut off backup ends --check with exit code 6.\n"
                   "A server writes FILE, which is a name without a path, to the directory that it was given with\n"
                   "--backup-dir, and goes on when nobody waits any more.\n",
        .target = Target::kEither},
       Backup},
      {{.name = "restore",
        .operands = "FILE|-...",
        .min_operands = 1,
        .max_operands = 1000,
        .flags = {kProgressFlag},
        .summary = "Makes a store from a backup and the increments that follow it",
        .examples = "varve --dir data restore monday.backup\n"
                    "varve --dir data restore monday.backup tuesday.backup wednesday.backup\n"
                    "ssh host 'cat data.backup' | varve --dir data restore -\n",
        .details = "First the full backup, then each increment. The directory must be missing or empty.\n"
                   "Nothing becomes a store there before all has been read, checked and made durable.\n"},
       Restore},
      {{.name = "checkpoint",
        .operands = "DIR",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Makes a copy of the store in a new directory, by hard links",
        .examples = "varve --dir data checkpoint data.checkpoint\n",
        .details = "Takes no time and little space. DIR must be on the file system of the store; it is then a\n"
                   "store like any other.\n"},
       Checkpoint},
  };
}

}  // namespace varve::cli
