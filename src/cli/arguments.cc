#include "cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "base/status_macros.h"

namespace varve::cli {
namespace {

constexpr std::string_view kHelpVerb = "help";
constexpr std::string_view kClientWord = "client";

std::string Quoted(std::string_view word) { return "'" + std::string(word) + "'"; }

// " (did you mean 'x'?)", or nothing.
std::string SuggestionFor(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::optional<std::string_view> match = Suggest(word, candidates);
  return match.has_value() ? "; did you mean " + Quoted(*match) + "?" : "";
}

const FlagSpec* FindFlag(const std::vector<FlagSpec>& flags, std::string_view name) {
  for (const FlagSpec& flag : flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

bool IsFlag(std::string_view word) { return word.size() > 1 && word[0] == '-'; }

// Edits (insert, delete, replace, swap of neighbours) from `a` to `b`.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replace});
      const bool swaps = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swaps) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

const std::vector<FlagSpec>& GlobalFlags() {
  static const std::vector<FlagSpec> flags = {
      {"--dir", "DIR", "the store's directory; without it, $VARVE_DIR"},
      {"--json", "", "output as JSON, one object a line"},
      {"--escaped", "", "keys and values on the command line use the escapes of the output"},
      {"--help", "", "this help, or a verb's"},
      {"--version", "", "the version"},
  };
  return flags;
}

const std::vector<FlagSpec>& ServerFlags() {
  static const std::vector<FlagSpec> flags = {
      {kServerFlag, "URI", "redis://user:password@host:port/db, unix:///path; without it, $VARVE_URL"},
      {"--host", "HOST", "the server's host (127.0.0.1)"},
      {"--port", "N", "its port (6379)"},
      {"--socket", "PATH", "its Unix socket, instead of these"},
      {"--tls", "", "by TLS, as rediss:// says"},
      {"--cacert", "FILE", "who signs servers' certificates; without it $VARVE_CACERT, the system's"},
      {"--cert", "FILE", "the certificate to show to the server"},
      {"--cert-key", "FILE", "the key of that"},
      {"--user", "NAME", "as this user; $VARVE_PASSWORD has the password"},
      {"--timeout", "T", "how long to wait for it: 500ms, 30s (30s)"},
  };
  return flags;
}

std::string UsageOf(const VerbSpec& verb, bool shows_flags) {
  std::string usage = verb.target == Target::kDirectory ? "varve --dir DIR " : "varve ";
  if (verb.target == Target::kEither) usage = "varve [--dir DIR] ";
  usage.append(verb.name);
  if (shows_flags && !verb.flags.empty()) usage += " [flags]";
  if (!verb.operands.empty()) usage.append(" ").append(verb.operands);
  return usage;
}

std::optional<std::string_view> Suggest(std::string_view word,
                                        const std::vector<std::string_view>& candidates) {
  // Two slips in a long word, one in a short one: more would be guessing.
  size_t best = (word.size() <= 4 ? 1 : 2) + 1;
  std::optional<std::string_view> match;
  for (const std::string_view candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance < best) {
      best = distance;
      match = candidate;
    }
  }
  return match;
}

Result<Arguments> Arguments::Parse(const std::vector<std::string>& words,
                                   const std::vector<const VerbSpec*>& verbs) {
  Arguments arguments;
  VARVE_RETURN_IF_ERROR(arguments.Read(words, verbs));
  if (arguments.Has("--help") || arguments.Has("--version")) return arguments;
  if (arguments.verb_ == nullptr) return Status::InvalidArgument("no command given");
  VARVE_RETURN_IF_ERROR(arguments.CheckOperands());
  return arguments;
}

Status Arguments::Read(const std::vector<std::string>& words,
                       const std::vector<const VerbSpec*>& verbs) {
  bool flags_ended = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!flags_ended && word == "--") {
      flags_ended = true;
    } else if (!flags_ended && word == "-h") {
      flags_["--help"] = "";
    } else if (!flags_ended && IsFlag(word)) {
      VARVE_RETURN_IF_ERROR(TakeFlag(words, &i));
    } else if (verb_ != nullptr) {
      operands_.push_back(word);
    } else if (word == kHelpVerb) {
      flags_["--help"] = "";
    } else if (word == kClientWord) {
      is_client_ = true;
    } else if (word.find("://") != word.npos) {
      flags_[std::string(kServerFlag)] = word;
    } else {
      VARVE_RETURN_IF_ERROR(TakeVerb(word, verbs));
    }
  }
  return Status::Ok();
}

Status Arguments::TakeVerb(const std::string& word, const std::vector<const VerbSpec*>& verbs) {
  std::vector<std::string_view> names;
  for (const VerbSpec* verb : verbs) {
    if (verb->name == word) verb_ = verb;
    names.push_back(verb->name);
  }
  if (verb_ != nullptr) return Status::Ok();
  return Status::InvalidArgument("unknown command " + Quoted(word) + SuggestionFor(word, names));
}

Status Arguments::TakeFlag(const std::vector<std::string>& words, size_t* index) {
  const std::string& word = words[*index];
  const size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const FlagSpec* flag = FindFlag(GlobalFlags(), name);
  if (flag == nullptr && verb_ != nullptr) flag = FindFlag(verb_->flags, name);
  if (flag == nullptr) flag = FindFlag(ServerFlags(), name);
  if (flag == nullptr) {
    std::vector<std::string_view> names;
    for (const FlagSpec& known : GlobalFlags()) names.push_back(known.name);
    for (const FlagSpec& known : ServerFlags()) names.push_back(known.name);
    if (verb_ != nullptr) {
      for (const FlagSpec& known : verb_->flags) names.push_back(known.name);
    }
    std::string message = "unknown flag " + Quoted(name);
    if (verb_ != nullptr) message += " for " + Quoted(verb_->name);
    const std::string suggestion = SuggestionFor(name, names);
    if (!suggestion.empty()) return Status::InvalidArgument(message + suggestion);
    return Status::InvalidArgument(
        message + (verb_ == nullptr ? "; a command's own flags come after the command"
                                    : "; write -- before a key or value that begins with -"));
  }
  const bool wants_value = !flag->value_name.empty();
  if (equals != std::string::npos) {
    if (!wants_value) return Status::InvalidArgument("flag " + name + " takes no value");
    flags_[name] = word.substr(equals + 1);
  } else if (!wants_value) {
    flags_[name] = "";
  } else if (*index + 1 == words.size()) {
    return Status::InvalidArgument("flag " + name + " needs a value: " + name + " " +
                                   std::string(flag->value_name));
  } else {
    flags_[name] = words[++*index];
  }
  return Status::Ok();
}

Status Arguments::CheckOperands() const {
  const size_t count = operands_.size();
  if (count >= verb_->min_operands && count <= verb_->max_operands) return Status::Ok();
  const std::string usage = "usage: " + UsageOf(*verb_, /*shows_flags=*/false);
  if (count < verb_->min_operands) {
    return Status::InvalidArgument(Quoted(verb_->name) + " needs more operands; " + usage);
  }
  return Status::InvalidArgument("unexpected operand " + Quoted(operands_[verb_->max_operands]) +
                                 " for " + Quoted(verb_->name) + "; " + usage);
}

bool Arguments::NamesServer() const {
  if (is_client_) return true;
  for (const FlagSpec& flag : ServerFlags()) {
    const bool is_own = verb_ != nullptr && FindFlag(verb_->flags, flag.name) != nullptr;
    if (!is_own && flag.name != "--timeout" && Has(flag.name)) return true;
  }
  return false;
}

std::optional<std::string> Arguments::Value(std::string_view flag) const {
  const auto found = flags_.find(flag);
  if (found == flags_.end()) return std::nullopt;
  return found->second;
}

Result<std::optional<uint64_t>> Arguments::Number(std::string_view flag) const {
  const std::optional<std::string> text = Value(flag);
  if (!text.has_value()) return std::optional<uint64_t>();
  uint64_t number = 0;
  const char* end = text->data() + text->size();
  const auto [stopped_at, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc() || stopped_at != end) {
    return Status::InvalidArgument("flag " + std::string(flag) + " needs a number, not " +
                                   Quoted(*text));
  }
  return std::optional<uint64_t>(number);
}

}  // namespace varve::cli
