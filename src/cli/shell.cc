#include "cli/shell.h"

#include <algorithm>

#include "base/status_macros.h"
#include "cli/help.h"
#include "cli/reply_text.h"
#include "cli/run.h"
#include "cli/text.h"
#include "resp/request_parser.h"

namespace varve::cli {

namespace {

constexpr size_t kMostKeys = 50;
constexpr uint64_t kFollowNanos = 100'000'000;

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

const Command* FindVerb(std::string_view name) {
  for (const Command& command : AllCommands()) {
    if (command.spec.name == name) return &command;
  }
  return nullptr;
}

// A word as SplitWords reads it back.
std::string QuotedWord(std::string_view word) {
  const bool is_plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '"' && c != '\'' && c != '\\' && c != '\x7f';
  });
  if (is_plain && IsUtf8(word)) return std::string(word);
  std::string quoted = "\"";
  for (const char c : Escape(word)) {
    if (c == '"') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + "\"";
}

bool IsFollowed(const std::string& command) {
  return command == "MONITOR" || command == "SUBSCRIBE" || command == "PSUBSCRIBE" ||
         command == "SSUBSCRIBE";
}

client::Request RequestOf(const std::vector<std::string>& words) { return {words.begin(), words.end()}; }

}  // namespace

bool MayBeKept(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const std::string upper = Upper(word);
    if (upper == "AUTH" || upper == "ACL" || upper == "REQUIREPASS" || upper == "MASTERAUTH" ||
        upper == "MIGRATE") {
      return false;
    }
    if (word.find("://") != word.npos && word.find('@') != word.npos) return false;
  }
  return true;
}

Shell::Shell(const Context& context)
    : context_(context), console_(context.console), server_(context.server) {}

int Shell::Run() { return console_.terminal != nullptr ? RunFromTerminal() : RunFromInput(); }

int Shell::RunFromInput() {
  std::string line;
  while (std::getline(console_.in, line) && Execute(line) == Next::kGoOn) {
  }
  return last_failure_;
}

int Shell::RunFromTerminal() {
  LineEditor editor(&console_, console_.terminal,
                    {.complete = [this](std::string_view text) { return Complete(text); },
                     .hint = [this](std::string_view line) { return Hint(line); }});
  editor.history() = console_.terminal->LoadHistory();
  console_.out << "varve: 'help' says what there is, Tab completes, Ctrl-D leaves\n" << std::flush;
  while (true) {
    std::string line;
    const LineEditor::Outcome outcome = editor.Read(Prompt(), &line);
    if (outcome == LineEditor::Outcome::kEnd) return kExitOk;
    if (outcome == LineEditor::Outcome::kCancelled || line.empty()) continue;
    std::vector<std::string> words;
    const bool is_whole = resp::SplitWords(line, &words);
    const bool is_new = editor.history().empty() || editor.history().back() != line;
    if (is_new && is_whole && MayBeKept(words)) {
      editor.history().push_back(line);
      console_.terminal->AppendHistory(line);
    }
    const Next next = Execute(line);
    console_.out << std::flush;
    if (next == Next::kEnd) return kExitOk;
  }
}

std::string Shell::Prompt() const {
  if (!server_) return context_.dir + "> ";
  const client::Endpoint& endpoint = server_->endpoint;
  const std::string database =
      endpoint.database == 0 ? "" : "[" + std::to_string(endpoint.database) + "]";
  return endpoint.Name() + database + "> ";
}

Shell::Next Shell::Execute(const std::string& line) {
  std::vector<std::string> words;
  if (!resp::SplitWords(line, &words)) {
    PrintError(console_, context_.json, Status::InvalidArgument("the quotes do not match"), "");
    last_failure_ = kExitUsage;
    return Next::kGoOn;
  }
  if (words.empty() || words[0].starts_with('#')) return Next::kGoOn;
  const std::string& name = words[0];
  if (name == "quit" || name == "exit" || name == "\\q") return Next::kEnd;
  if (name == "help" || name == "\\h" || name == "?") {
    Help(words);
  } else if (name == "\\timing") {
    shows_timing_ = !shows_timing_;
    console_.out << "timing is " << (shows_timing_ ? "on" : "off") << "\n";
  } else {
    ExecuteWords(words);
  }
  return Next::kGoOn;
}

void Shell::ExecuteWords(const std::vector<std::string>& words) {
  const uint64_t started_at = console_.now_nanos();
  const Command* const verb = FindVerb(words[0]);
  const bool is_verb = verb != nullptr || !server_;
  const int exit_code = is_verb ? RunVerb(words) : RunCommand(words);
  if (exit_code != kExitOk) last_failure_ = exit_code;
  if (!shows_timing_) return;
  const std::string took = HumanDuration(console_.now_nanos() - started_at);
  console_.out << console_.OnOut(Console::Style::kDim, "(" + took + ")") << "\n";
}

int Shell::RunVerb(const std::vector<std::string>& words) {
  if (words[0] == "shell") {
    PrintError(console_, context_.json, Status::InvalidArgument("this is one"), "");
    return kExitUsage;
  }
  return RunOn(words, {.dir = context_.dir, .server = server_}, console_, context_.backend);
}

Result<client::Client*> Shell::Connection() {
  if (client_ == nullptr || client_->is_broken()) {
    VARVE_ASSIGN_OR_RETURN(client_, client::Client::Connect(server_->endpoint, server_->options));
  }
  return client_.get();
}

int Shell::RunCommand(const std::vector<std::string>& words) {
  const Result<client::Client*> client = Connection();
  if (!client.ok()) return FailToOpen(context_, client.status());
  const Result<std::vector<client::Reply>> replies = (*client)->Run({RequestOf(words)});
  // No answer is what a server says that has done it.
  const bool is_the_end = Upper(words[0]) == "SHUTDOWN" && (*client)->is_broken() &&
                          replies.status().code() == StatusCode::kUnavailable;
  if (is_the_end) return kExitOk;
  if (!replies.ok()) return Fail(context_, replies.status());
  const client::Reply& reply = replies->front();
  console_.out << ReplyText(reply, console_) << std::flush;
  if (reply.is_error()) return kExitError;
  NoteSession(words);
  if (IsFollowed(Upper(words[0])) && console_.terminal != nullptr) Follow();
  return kExitOk;
}

void Shell::Follow() {
  Terminal* const terminal = console_.terminal;
  console_.out << console_.OnOut(Console::Style::kDim, "(a key ends this)") << "\n" << std::flush;
  terminal->BeginKeys();
  while (true) {
    const Result<client::Reply> reply = client_->Await(kFollowNanos);
    if (reply.ok()) {
      std::string text = ReplyText(*reply, console_);
      for (size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 2)) {
        text.insert(at, 1, '\r');
      }
      terminal->Write(text);
    } else if (reply.status().code() != StatusCode::kTimedOut) {
      break;
    }
    const std::optional<std::string> keys = terminal->Read(0);
    if (!keys || !keys->empty()) break;
  }
  terminal->EndKeys();
  client_.reset();
}

void Shell::NoteSession(const std::vector<std::string>& words) {
  const std::string name = Upper(words[0]);
  client::Endpoint& endpoint = server_->endpoint;
  if (name == "SELECT" && words.size() == 2) {
    endpoint.database = static_cast<uint32_t>(std::strtoul(words[1].c_str(), nullptr, 10));
  } else if (name == "AUTH" && (words.size() == 2 || words.size() == 3)) {
    endpoint.user = words.size() == 3 ? words[1] : "";
    endpoint.password = words.back();
  }
}

void Shell::Help(const std::vector<std::string>& words) {
  if (words.size() > 1) {
    if (const Command* const verb = FindVerb(words[1])) {
      console_.out << VerbHelp(verb->spec, console_);
      return;
    }
    LearnCommands();
    const auto found = commands_.find(Lower(words[1]));
    console_.out << (found == commands_.end() ? "there is no '" + words[1] + "'"
                                              : Upper(words[1]) + ": " + found->second)
                 << "\n";
    return;
  }
  size_t width = 0;
  std::vector<std::pair<std::string, std::string_view>> rows;
  for (const Command& command : AllCommands()) {
    if (server_ ? !WorksOnServer(command.spec) : command.spec.target == Target::kServer) continue;
    std::string left(command.spec.name);
    if (!command.spec.operands.empty()) left.append(" ").append(command.spec.operands);
    width = std::max(width, left.size());
    rows.emplace_back(std::move(left), command.spec.summary);
  }
  for (const auto& [left, right] : rows) {
    console_.out << "  " << left << std::string(width - left.size() + 2, ' ') << right << "\n";
  }
  console_.out << "\n  help NAME   more about one       \\timing   shows how long each line takes\n"
                  "  quit        leaves, as Ctrl-D does\n";
  if (server_) {
    console_.out << "\nAll else goes to the server: SET k v, incr n, INFO. In capitals everything does.\n";
  }
}

int RunShell(const Context& context) { return Shell(context).Run(); }

// --- Completion and hints.

void Shell::LearnCommands() {
  if (has_asked_for_commands_ || !server_) return;
  has_asked_for_commands_ = true;
  const Result<client::Client*> client = Connection();
  if (!client.ok()) return;
  const Result<client::Reply> docs = (*client)->Call({"COMMAND", "DOCS"});
  if (!docs.ok()) return;
  for (size_t i = 0; i + 1 < docs->elements.size(); i += 2) {
    const std::vector<client::Reply>& fields = docs->elements[i + 1].elements;
    std::string& summary = commands_[Lower(docs->elements[i].text)];
    for (size_t j = 0; j + 1 < fields.size(); j += 2) {
      if (fields[j].text == "summary") summary = fields[j + 1].text;
    }
  }
}

std::vector<std::string> Shell::KeysFrom(std::string_view prefix) {
  Result<std::unique_ptr<Db>> db = OpenStore(Context{context_.arguments, console_, context_.backend,
                                                     context_.dir, context_.json, server_},
                                             Access::kRead);
  std::vector<std::string> keys;
  if (!db.ok()) return keys;
  const std::unique_ptr<Iterator> it = (*db)->NewIterator({.prefix = prefix});
  for (it->SeekToFirst(); it->Valid() && keys.size() < kMostKeys; it->Next()) {
    keys.emplace_back(it->key());
  }
  return keys;
}

std::vector<std::string> Shell::CandidatesFor(const std::vector<std::string>& before,
                                              std::string_view word) {
  std::vector<std::string> candidates;
  const auto offer = [&](std::string_view candidate) {
    if (candidate.starts_with(word)) candidates.push_back(QuotedWord(candidate));
  };
  if (before.empty()) {
    for (const Command& command : AllCommands()) {
      const bool works = server_ ? WorksOnServer(command.spec) : command.spec.target != Target::kServer;
      if (works && command.spec.name != "shell") offer(command.spec.name);
    }
    for (const std::string_view own : {"help", "quit", "\\timing"}) offer(own);
    LearnCommands();
    const bool is_upper = !word.empty() && word == Upper(word);
    for (const auto& [name, summary] : commands_) {
      if (is_upper) {
        offer(Upper(name));
      } else if (FindVerb(name) == nullptr) {
        offer(name);
      }
    }
    std::sort(candidates.begin(), candidates.end());
    return candidates;
  }
  if (before[0] == "help") {
    for (const Command& command : AllCommands()) offer(command.spec.name);
    return candidates;
  }
  const Command* const verb = FindVerb(before[0]);
  if (word.starts_with("-") && verb != nullptr) {
    for (const FlagSpec& flag : verb->spec.flags) offer(flag.name);
    for (const FlagSpec& flag : GlobalFlags()) offer(flag.name);
    return candidates;
  }
  for (const std::string& key : KeysFrom(word)) offer(key);
  return candidates;
}

Completion Shell::Complete(std::string_view text) {
  // The word under way is what follows the last blank that splits words.
  std::vector<std::string> words;
  if (!resp::SplitWords(text, &words)) return {};
  const bool begins_word = text.empty() || text.back() == ' ';
  Completion completion;
  completion.start = text.size();
  std::string word;
  if (!begins_word) {
    completion.start = text.rfind(' ') == text.npos ? 0 : text.rfind(' ') + 1;
    word = words.back();
    words.pop_back();
    // A word with blanks in quotes: left alone.
    if (text.substr(completion.start) != word) return {};
  }
  completion.words = CandidatesFor(words, word);
  return completion;
}

std::string Shell::Hint(std::string_view line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view name = line.substr(0, end);
  const Command* const verb = FindVerb(name);
  if (verb == nullptr) {
    const auto found = commands_.find(Lower(name));
    return found == commands_.end() || end < line.size() ? "" : "   " + found->second;
  }
  std::vector<std::string> words;
  if (!resp::SplitWords(line, &words) || words.size() > verb->spec.max_operands) return "";
  // The operands that are still missing.
  std::string_view operands = verb->spec.operands;
  for (size_t given = words.size() - 1; given > 0; --given) {
    operands.remove_prefix(std::min(operands.find(' ') + 1, operands.size()));
  }
  if (operands.empty()) return "";
  return (line.back() == ' ' ? "" : " ") + std::string(operands);
}

}  // namespace varve::cli
