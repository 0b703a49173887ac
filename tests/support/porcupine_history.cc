#include "tests/support/porcupine_history.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/status_macros.h"

namespace varve::test {
namespace {

Result<std::string> ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Status::NotFound("open " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Pairs calls with returns by client. Time is the number of the line.
class HistoryBuilder {
 public:
  explicit HistoryBuilder(std::string_view name) : name_(name) {}

  void NextLine() { line_++; }

  Status Call(Operation operation) {
    operation.call_time = line_;
    operation.outcome = Outcome::kUnknown;  // until an answer comes
    const int client = operation.client;
    if (!pending_.emplace(client, history_.size()).second) return Malformed("a second call");
    history_.push_back(std::move(operation));
    return Status::Ok();
  }

  // The pending operation of `client`, now returned.
  Result<Operation*> Return(int client) {
    const auto it = pending_.find(client);
    if (it == pending_.end()) return Malformed("a return without a call");
    Operation* operation = &history_[it->second];
    operation->return_time = line_;
    operation->outcome = Outcome::kOk;
    pending_.erase(it);
    return operation;
  }

  // The pending operation of `client` has no answer; the client goes on with others.
  void GiveUp(int client) { pending_.erase(client); }

  Status Malformed(std::string_view what) const {
    return Status::Corruption(name_ + " line " + std::to_string(line_) + ": " + std::string(what));
  }

  std::vector<Operation> Take() { return std::move(history_); }

 private:
  const std::string name_;
  uint64_t line_ = 0;
  std::map<int, size_t> pending_;
  std::vector<Operation> history_;
};

KeyState RegisterValue(const std::string& word) {
  if (word == "nil") return std::nullopt;
  return word;
}

// "[3 0]" arrives as the words "[3" and "0]".
Status ParseCompareAndSet(std::istream& words, const HistoryBuilder& builder, Operation* op) {
  std::string expected;
  std::string desired;
  words >> expected >> desired;
  if (expected.size() < 2 || desired.size() < 2) return builder.Malformed("cas without [a b]");
  op->kind = OperationKind::kCompareAndSet;
  op->expected = RegisterValue(expected.substr(1));
  op->argument = RegisterValue(desired.substr(0, desired.size() - 1));
  return Status::Ok();
}

Status ParseRegisterCall(int client, const std::string& function, std::istream& words,
                         HistoryBuilder* builder) {
  Operation operation;
  operation.client = client;
  std::string value;
  if (function == ":read") {
    operation.kind = OperationKind::kGet;
  } else if (function == ":write") {
    words >> value;
    operation.kind = OperationKind::kPut;
    operation.argument = RegisterValue(value);
  } else if (function == ":cas") {
    VARVE_RETURN_IF_ERROR(ParseCompareAndSet(words, *builder, &operation));
  } else {
    return builder->Malformed("unknown function " + function);
  }
  return builder->Call(std::move(operation));
}

Status ParseRegisterReturn(int client, const std::string& type, const std::string& function,
                           std::istream& words, HistoryBuilder* builder) {
  std::string value;
  words >> value;
  if (type == ":info" || value == ":timed-out") {
    builder->GiveUp(client);
    return Status::Ok();
  }
  VARVE_ASSIGN_OR_RETURN(Operation * operation, builder->Return(client));
  if (function == ":read") operation->observed = RegisterValue(value);
  if (type != ":fail") return Status::Ok();
  if (function != ":cas") return builder->Malformed("only a cas can fail");
  operation->outcome = Outcome::kConflict;
  return Status::Ok();
}

// The text after `name` in `line` up to the closing quote, comma or brace.
std::string Field(std::string_view line, std::string_view name) {
  const size_t at = line.find(name);
  if (at == std::string_view::npos) return {};
  std::string_view rest = line.substr(at + name.size());
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  if (!rest.empty() && rest.front() == '"') {
    rest.remove_prefix(1);
    return std::string(rest.substr(0, rest.find('"')));
  }
  return std::string(rest.substr(0, rest.find_first_of(",}")));
}

Status ParseKeyValueCall(std::string_view line, int client, HistoryBuilder* builder) {
  Operation operation;
  operation.client = client;
  operation.key = Field(line, ":key");
  const std::string function = Field(line, ":f");
  if (function == ":get") {
    operation.kind = OperationKind::kGet;
  } else if (function == ":put" || function == ":append") {
    operation.kind = function == ":put" ? OperationKind::kPut : OperationKind::kAppend;
    operation.argument = Field(line, ":value");
  } else {
    return builder->Malformed("unknown function " + function);
  }
  return builder->Call(std::move(operation));
}

}  // namespace

std::string PorcupineFolder() {
  // The folder lies beside the checkout; tests run from somewhere below it.
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::path at = VARVE_SOURCE_DIR; at.has_relative_path(); at = at.parent_path()) {
    const fs::path folder = at / "shared" / "testdata" / "porcupine";
    if (fs::exists(folder / "verdicts.txt", error)) return folder.string();
  }
  return {};
}

Result<std::vector<KnownHistory>> ReadVerdicts(const std::string& folder) {
  VARVE_ASSIGN_OR_RETURN(const std::string text, ReadText(folder + "/verdicts.txt"));
  std::istringstream lines(text);
  std::vector<KnownHistory> histories;
  std::string name;
  std::string verdict;
  while (lines >> name >> verdict) histories.push_back({name, verdict == "true"});
  if (histories.empty()) return Status::Corruption(folder + "/verdicts.txt: empty");
  return histories;
}

Result<std::vector<Operation>> ParseRegisterHistory(std::string_view text, std::string_view name) {
  HistoryBuilder builder(name);
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    builder.NextLine();
    std::istringstream words(line);
    std::string level, source, dash, type, function;
    int client = 0;
    if (!(words >> level >> source >> dash >> client >> type >> function)) continue;
    if (type == ":invoke") {
      VARVE_RETURN_IF_ERROR(ParseRegisterCall(client, function, words, &builder));
    } else {
      VARVE_RETURN_IF_ERROR(ParseRegisterReturn(client, type, function, words, &builder));
    }
  }
  return builder.Take();
}

Result<std::vector<Operation>> ParseKeyValueHistory(std::string_view text, std::string_view name) {
  HistoryBuilder builder(name);
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    builder.NextLine();
    if (line.find(":process") == std::string::npos) continue;
    const int client = std::atoi(Field(line, ":process").c_str());
    if (Field(line, ":type") == ":invoke") {
      VARVE_RETURN_IF_ERROR(ParseKeyValueCall(line, client, &builder));
      continue;
    }
    VARVE_ASSIGN_OR_RETURN(Operation * operation, builder.Return(client));
    if (operation->kind == OperationKind::kGet) operation->observed = Field(line, ":value");
  }
  return builder.Take();
}

CheckOptions OptionsFor(const std::string& name) {
  CheckOptions options;
  options.absent_reads_as_empty = name.starts_with("kv/");
  return options;
}

Result<std::vector<Operation>> ReadHistory(const std::string& folder, const std::string& name) {
  VARVE_ASSIGN_OR_RETURN(const std::string text, ReadText(folder + "/" + name));
  if (name.starts_with("kv/")) return ParseKeyValueHistory(text, name);
  return ParseRegisterHistory(text, name);
}

}  // namespace varve::test
