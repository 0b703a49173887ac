#include "torture/store_script.h"

#include <algorithm>
#include <charconv>

#include "base/status_macros.h"

namespace varve::torture {
namespace {

constexpr std::string_view kNotUnderstood = "schedule: this line makes no sense: ";

std::optional<Durability> DurabilityOf(std::string_view word) {
  if (word == "none") return Durability::kNone;
  if (word == "process") return Durability::kProcess;
  if (word == "sync") return Durability::kSync;
  return std::nullopt;
}

// The changes from word `at` on.
bool ParseChanges(const std::vector<std::string>& words, size_t at, std::vector<Change>* changes) {
  while (at < words.size()) {
    const std::string& verb = words[at];
    const size_t length = verb == "delete" ? 2 : 3;
    if (at + length > words.size()) return false;
    Change change;
    change.key = words[at + 1];
    if (verb == "put") {
      std::optional<std::string> value = ValueOf(words[at + 2]);
      if (!value) return false;
      change.value = *std::move(value);
    } else if (verb == "range") {
      change.kind = Change::Kind::kRange;
      change.value = words[at + 2];
    } else if (verb == "delete") {
      change.kind = Change::Kind::kDelete;
    } else {
      return false;
    }
    changes->push_back(std::move(change));
    at += length;
  }
  return !changes->empty();
}

bool ParseState(const std::string& word, std::optional<std::string>* state) {
  if (word == "-") return true;
  *state = ValueOf(word);
  return state->has_value();
}

// Of the verbs without operands.
std::optional<Command::Kind> SimpleKind(std::string_view line) {
  using Kind = Command::Kind;
  if (line == "flush") return Kind::kFlush;
  if (line == "compact") return Kind::kCompact;
  if (line == "sync") return Kind::kSync;
  if (line == "wait") return Kind::kWait;
  if (line == "reopen") return Kind::kReopen;
  return std::nullopt;
}

Status ExecuteChange(const Change& change, Db* db, const WriteOptions& options) {
  switch (change.kind) {
    case Change::Kind::kPut: return db->Put(change.key, change.value, options);
    case Change::Kind::kDelete: return db->Delete(change.key, options);
    case Change::Kind::kRange: return db->DeleteRange(change.key, change.value, options);
  }
  return Status::InvalidArgument("no such change");
}

Status ExecuteChange(const Change& change, Transaction* t) {
  Status read = t->Get(change.key).status();
  if (!read.ok() && !read.IsNotFound()) return read;
  switch (change.kind) {
    case Change::Kind::kPut: return t->Put(change.key, change.value);
    case Change::Kind::kDelete: return t->Delete(change.key);
    case Change::Kind::kRange: return t->DeleteRange(change.key, change.value);
  }
  return Status::InvalidArgument("no such change");
}

Status ExecuteBatch(const std::vector<Change>& changes, Db* db, const WriteOptions& options) {
  WriteBatch batch;
  for (const Change& change : changes) {
    switch (change.kind) {
      case Change::Kind::kPut: batch.Put(change.key, change.value); break;
      case Change::Kind::kDelete: batch.Delete(change.key); break;
      case Change::Kind::kRange: batch.DeleteRange(change.key, change.value); break;
    }
  }
  return db->Write(batch, options);
}

}  // namespace

std::string Difference(const Contents& expected, const Contents& found) {
  constexpr size_t kShown = 4;
  const auto describe = [](const Contents& contents, const std::string& key) {
    const auto it = contents.find(key);
    if (it == contents.end()) return std::string("absent");
    return std::to_string(it->second.size()) + " bytes \"" + it->second.substr(0, 12) + "\"";
  };
  Contents both = expected;
  both.insert(found.begin(), found.end());
  std::string text;
  size_t count = 0;
  for (const auto& [key, value] : both) {
    const auto a = expected.find(key);
    const auto b = found.find(key);
    if (a != expected.end() && b != found.end() && a->second == b->second) continue;
    if (++count > kShown) continue;
    text += (count > 1 ? "; " : "") + key + ": expected " + describe(expected, key) + ", found " + describe(found, key);
  }
  if (count > kShown) text += "; and " + std::to_string(count - kShown) + " more";
  return text;
}

std::vector<std::string> WordsOf(std::string_view line) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(' ', begin), line.size());
    words.emplace_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

std::optional<uint64_t> NumberOf(std::string_view word) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return number;
}

std::optional<std::string> ValueOf(std::string_view word) {
  constexpr uint64_t kMostBytes = uint64_t{64} << 20;
  const size_t colon = word.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<uint64_t> size = NumberOf(word.substr(0, colon));
  const std::optional<uint64_t> salt = NumberOf(word.substr(colon + 1));
  if (!size || !salt || *size > kMostBytes) return std::nullopt;
  std::string value = std::to_string(*salt) + ".";
  Random random(*salt);
  // Half of it can be compressed.
  while (value.size() < *size) {
    value.append(8, static_cast<char>('a' + random.Uniform(26)));
    const uint64_t bits = random.Next();
    value.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
  }
  value.resize(std::max<size_t>(*size, std::min<size_t>(value.size(), 2)));
  return value;
}

Status NotUnderstood(std::string_view line) {
  return Status::InvalidArgument(std::string(kNotUnderstood) + std::string(line));
}

bool IsNotUnderstood(const Status& status) {
  return status.code() == StatusCode::kInvalidArgument && status.message().starts_with(kNotUnderstood);
}

Status AsBroken(const Status& status, std::string_view where) {
  if (status.ok() || IsNotUnderstood(status)) return status;
  const std::string prefix = where.empty() ? "" : "\"" + std::string(where) + "\": ";
  const bool says_all = status.code() == StatusCode::kCorruption;
  return Status::Corruption(prefix + (says_all ? std::string(status.message()) : status.ToString()));
}

void Apply(const Change& change, Contents* contents) {
  switch (change.kind) {
    case Change::Kind::kPut: (*contents)[change.key] = change.value; return;
    case Change::Kind::kDelete: contents->erase(change.key); return;
    case Change::Kind::kRange:
      if (change.key >= change.value) return;
      contents->erase(contents->lower_bound(change.key), contents->lower_bound(change.value));
      return;
  }
}

Result<std::optional<Command>> ParseCommand(std::string_view line) {
  Command command;
  if (const std::optional<Command::Kind> simple = SimpleKind(line)) {
    command.kind = *simple;
    return std::optional<Command>(std::move(command));
  }
  const std::vector<std::string> words = WordsOf(line);
  if (words[0] == "cas") {
    command.kind = Command::Kind::kCompareAndSet;
    if (words.size() != 4 || !ParseState(words[2], &command.expected) || !ParseState(words[3], &command.desired)) {
      return NotUnderstood(line);
    }
    command.changes.push_back({Change::Kind::kPut, words[1], ""});
    return std::optional<Command>(std::move(command));
  }
  if (words[0] != "write" && words[0] != "transact") return std::optional<Command>();
  if (words[0] == "transact") command.kind = Command::Kind::kTransact;
  const std::optional<Durability> durability = words.size() > 1 ? DurabilityOf(words[1]) : std::nullopt;
  if (!durability || !ParseChanges(words, 2, &command.changes)) return NotUnderstood(line);
  command.durability = *durability;
  return std::optional<Command>(std::move(command));
}

Result<std::vector<Command>> ParseCommands(const Schedule& schedule) {
  std::vector<Command> commands;
  for (const std::string& line : schedule) {
    VARVE_ASSIGN_OR_RETURN(std::optional<Command> command, ParseCommand(line));
    if (!command) return NotUnderstood(line);
    commands.push_back(*std::move(command));
  }
  return commands;
}

bool Matches(const Command& command, const Contents& contents) {
  const auto it = contents.find(command.changes[0].key);
  return it == contents.end() ? !command.expected : command.expected == it->second;
}

void Apply(const Command& command, Contents* contents) {
  if (command.kind != Command::Kind::kCompareAndSet) {
    for (const Change& change : command.changes) Apply(change, contents);
  } else if (Matches(command, *contents)) {
    const std::string& key = command.changes[0].key;
    if (command.desired) {
      (*contents)[key] = *command.desired;
    } else {
      contents->erase(key);
    }
  }
}

Status Execute(const Command& command, Db* db) {
  const WriteOptions options{.durability = command.durability};
  switch (command.kind) {
    case Command::Kind::kFlush: return db->Flush();
    case Command::Kind::kCompact: return db->Compact();
    case Command::Kind::kSync: return db->Sync();
    case Command::Kind::kWait: return db->WaitForBackgroundWork();
    case Command::Kind::kReopen: return Status::InvalidArgument("a reopen is the caller's");
    case Command::Kind::kCompareAndSet:
      return db->CompareAndSet(command.changes[0].key, command.expected, command.desired, options);
    case Command::Kind::kTransact:
      return db->Transact(
          [&](Transaction& t) {
            for (const Change& change : command.changes) VARVE_RETURN_IF_ERROR(ExecuteChange(change, &t));
            return Status::Ok();
          },
          {.write = options});
    case Command::Kind::kWrite: break;
  }
  if (command.changes.size() == 1) return ExecuteChange(command.changes[0], db, options);
  return ExecuteBatch(command.changes, db, options);
}

Result<Contents> ReadContents(Db* db, const Snapshot* snapshot) {
  Contents contents;
  IteratorOptions options;
  options.snapshot = snapshot;
  const auto it = db->NewIterator(options);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    contents[std::string(it->key())] = it->value();
    VARVE_RETURN_IF_ERROR(it->status());
  }
  VARVE_RETURN_IF_ERROR(it->status());
  for (const auto& [key, value] : contents) {
    const Result<std::string> got = db->Get(key, {.snapshot = snapshot});
    if (!got.ok() && !got.status().IsNotFound()) return got.status();
    if (!got.ok() || *got != value) return Status::Corruption("a get and a scan disagree on " + key);
  }
  return contents;
}

ScriptWriter::ScriptWriter(uint64_t seed, const ScriptOptions& options)
    : random_(seed),
      options_(options),
      flushes_(random_.Uniform(60)),
      compactions_(random_.Uniform(30)),
      syncs_(random_.Uniform(40)),
      reopens_(options.with_reopen ? random_.Uniform(30) : 0),
      transactions_(random_.OneIn(2) ? random_.Uniform(400) : 0),
      batches_(random_.Uniform(300)),
      deletes_(random_.Uniform(500)),
      ranges_(random_.OneIn(2) ? random_.Uniform(80) : 0) {}

std::string ScriptWriter::Key() { return "k" + std::to_string(1000 + random_.Uniform(options_.keys)); }

std::string ScriptWriter::Value() {
  const uint64_t size = random_.OneIn(12) ? 5000 + random_.Uniform(4000) : random_.Uniform(options_.largest_value + 1);
  return std::to_string(size) + ":" + std::to_string(++salt_);
}

std::string ScriptWriter::RandomDurability() {
  const uint64_t choice = random_.Uniform(10);
  if (choice < 2) return "sync";
  return choice < 4 && options_.with_none ? "none" : "process";
}

std::string ScriptWriter::RandomChange() {
  const uint64_t choice = random_.Uniform(1000);
  if (choice < ranges_) {
    const uint64_t begin = random_.Uniform(options_.keys);
    const uint64_t end = begin + 1 + random_.Uniform(options_.keys / 4 + 1);
    return "range k" + std::to_string(1000 + begin) + " k" + std::to_string(1000 + end);
  }
  if (choice < ranges_ + deletes_) return "delete " + Key();
  const std::string key = Key();
  return "put " + key + " " + (last_[key] = Value());
}

std::string ScriptWriter::Next() {
  uint64_t choice = random_.Uniform(1000);
  const auto is = [&choice](uint64_t share) {
    const bool hit = choice < share;
    choice -= hit ? 0 : share;
    return hit;
  };
  if (is(flushes_)) return "flush";
  if (is(compactions_)) return "compact";
  if (is(syncs_)) return "sync";
  if (is(reopens_)) return "reopen";
  if (options_.with_compare_and_set && is(30)) {
    const std::string key = Key();
    const auto last = last_.find(key);
    const std::string expected = last == last_.end() || random_.OneIn(3) ? "-" : last->second;
    return "cas " + key + " " + expected + " " + (random_.OneIn(4) ? "-" : last_[key] = Value());
  }
  std::string line = is(transactions_) ? "transact " : "write ";
  line += RandomDurability();
  const uint64_t changes = random_.Uniform(1000) < batches_ ? 2 + random_.Uniform(6) : 1;
  for (uint64_t i = 0; i < changes; ++i) line += " " + RandomChange();
  return line;
}

}  // namespace varve::torture
