#include <algorithm>

#include "base/planted_bug.h"
#include "server/acl_user.h"
#include "server/glob.h"

namespace varve::server {

namespace {

constexpr std::string_view kSyntaxError = "Syntax error";
constexpr std::string_view kUnknown = "Unknown command or category name in ACL";

std::string AfterAll(std::string_view flag, std::string_view reset, std::string_view what) {
  return "Adding a pattern after the * pattern (or the '" + std::string(flag) +
         "' flag) is not valid and does not have any effect. Try '" + std::string(reset) +
         "' to start with an empty list of " + std::string(what);
}

bool IsOneOf(std::string_view word, std::string_view a, std::string_view b) {
  return EqualsIgnoreCase(word, a) || EqualsIgnoreCase(word, b);
}

// Which arguments are channels: the first of these, and how many, 0: all that follow.
struct ChannelArguments {
  std::string_view command;
  size_t count;
  bool is_pattern;
};
constexpr ChannelArguments kChannelArguments[] = {{"subscribe", 0, false},
                                                  {"psubscribe", 0, true},
                                                  {"ssubscribe", 0, false},
                                                  {"publish", 1, false},
                                                  {"spublish", 1, false}};

}  // namespace

bool HasAclSpaces(std::string_view text) {
  constexpr std::string_view kSpaces("\0 \t\n\v\f\r", 7);
  return text.find_first_of(kSpaces) != text.npos;
}

// --- Rules.

std::string AclSelector::Apply(std::string_view rule) {
  if (IsOneOf(rule, "allkeys", "~*")) {
    has_all_keys_ = true;
    keys_.clear();
  } else if (EqualsIgnoreCase(rule, "resetkeys")) {
    has_all_keys_ = false;
    keys_.clear();
  } else if (IsOneOf(rule, "allchannels", "&*")) {
    has_all_channels_ = true;
    channels_.clear();
  } else if (EqualsIgnoreCase(rule, "resetchannels")) {
    has_all_channels_ = false;
    channels_.clear();
  } else if (IsOneOf(rule, "allcommands", "+@all")) {
    SetAll(true);
  } else if (IsOneOf(rule, "nocommands", "-@all")) {
    SetAll(false);
  } else if (rule.starts_with('~') || rule.starts_with('%')) {
    return ApplyKeys(rule);
  } else if (rule.starts_with('&')) {
    return ApplyChannels(rule);
  } else if (rule.starts_with("+@") || rule.starts_with("-@")) {
    return ApplyCategory(rule);
  } else if (rule.starts_with('+') || rule.starts_with('-')) {
    return ApplyCommand(rule);
  } else {
    return std::string(kSyntaxError);
  }
  return {};
}

std::string AclSelector::ApplyKeys(std::string_view rule) {
  if (has_all_keys_) return AfterAll("allkeys", "resetkeys", "patterns");
  KeyPattern pattern{.text = "", .reads = rule[0] == '~', .writes = rule[0] == '~'};
  size_t i = 1;
  if (rule[0] == '%') {
    for (; i < rule.size() && rule[i] != '~'; ++i) {
      if (EqualsIgnoreCase(rule.substr(i, 1), "r") && !pattern.reads) {
        pattern.reads = true;
      } else if (EqualsIgnoreCase(rule.substr(i, 1), "w") && !pattern.writes) {
        pattern.writes = true;
      } else {
        return std::string(kSyntaxError);
      }
    }
    if (!pattern.reads && !pattern.writes) return std::string(kSyntaxError);
    i = std::min(i + 1, rule.size());
  }
  pattern.text = rule.substr(i);
  if (HasAclSpaces(pattern.text)) return std::string(kSyntaxError);
  for (KeyPattern& known : keys_) {
    if (known.text != pattern.text) continue;
    known.reads = known.reads || pattern.reads;
    known.writes = known.writes || pattern.writes;
    return {};
  }
  keys_.push_back(std::move(pattern));
  return {};
}

std::string AclSelector::ApplyChannels(std::string_view rule) {
  if (has_all_channels_) return AfterAll("allchannels", "resetchannels", "channels");
  if (HasAclSpaces(rule)) return std::string(kSyntaxError);
  std::string pattern(rule.substr(1));
  if (std::find(channels_.begin(), channels_.end(), pattern) == channels_.end()) {
    channels_.push_back(std::move(pattern));
  }
  return {};
}

void AclSelector::SetAll(bool is_allowed) {
  has_all_commands_ = is_allowed;
  allowed_.assign(allowed_.size(), is_allowed);
  first_args_.clear();
  rules_.clear();
}

void AclSelector::SetCommand(const Command& command, bool is_allowed) {
  allowed_[static_cast<size_t>(command.id)] = is_allowed;
  first_args_.erase(command.id);
  for (const auto& [name, sub] : command.subcommands) SetCommand(*sub, is_allowed);
}

std::string AclSelector::ApplyCategory(std::string_view rule) {
  const std::string name = LowerCase(rule.substr(2));
  const auto& all = AllCategories();
  if (std::find(all.begin(), all.end(), name) == all.end()) return std::string(kUnknown);
  const auto apply = [&](const Command& command) {
    const auto& has = command.categories;
    if (std::find(has.begin(), has.end(), name) != has.end()) SetCommand(command, rule[0] == '+');
  };
  for (const auto& [key, command] : AllCommands()) {
    apply(*command);
    for (const auto& [sub_name, sub] : command->subcommands) apply(*sub);
  }
  NoteRule(std::string(rule.substr(0, 2)) + name);
  return {};
}

std::string AclSelector::ApplyCommand(std::string_view rule) {
  const std::string name = LowerCase(rule.substr(1));
  const size_t bar = name.rfind('|');
  if (rule[0] == '-' || bar == name.npos) {
    const Command* const command = FindCommandByFullName(name);
    if (command == nullptr) return std::string(kUnknown);
    SetCommand(*command, rule[0] == '+');
    NoteRule(std::string(rule.substr(0, 1)) + name);
    return {};
  }
  const Command* const command = FindCommandByFullName(std::string_view(name).substr(0, bar));
  if (command == nullptr) return std::string(kUnknown);
  if (name.find('|') != bar) return "Allowing first-arg of a subcommand is not supported";
  if (bar + 1 == name.size() || HasAclSpaces(name)) return std::string(kSyntaxError);
  if (!command->subcommands.empty()) {
    const Command* const sub = FindCommandByFullName(name);
    if (sub == nullptr) return std::string(kUnknown);
    SetCommand(*sub, true);
  } else {
    // The command with this first argument only.
    if (allowed_[static_cast<size_t>(command->id)]) return {};
    std::vector<std::string>& first_args = first_args_[command->id];
    const std::string first = name.substr(bar + 1);
    if (std::find(first_args.begin(), first_args.end(), first) == first_args.end()) first_args.push_back(first);
  }
  NoteRule("+" + name);
  return {};
}

// A rule makes those before it of the same command, or of a part of it, pointless; and is so itself when
// nothing before it says otherwise.
void AclSelector::NoteRule(std::string_view rule) {
  const std::string_view name = rule.substr(1);
  std::erase_if(rules_, [&](const std::string& old) {
    const std::string_view old_name = std::string_view(old).substr(1);
    return old_name == name || (old_name.starts_with(name) && old_name[name.size()] == '|');
  });
  const char base = has_all_commands_ ? '+' : '-';
  const bool has_effect = rule[0] != base || std::any_of(rules_.begin(), rules_.end(), [&](std::string_view old) {
    return old[0] != base && (old[1] == '@' || name[0] == '@' || name.starts_with(std::string(old.substr(1)) + "|"));
  });
  if (has_effect) rules_.emplace_back(rule);
}

// --- Checks.

bool AclSelector::MayRun(const Command& command, const std::vector<std::string_view>& args) const {
  if ((command.flags & kFlagNoAuth) != 0 || allowed_[static_cast<size_t>(command.id)]) return true;
  const auto first_args = first_args_.find(command.id);
  if (first_args == first_args_.end() || args.size() < 2) return false;
  return std::any_of(first_args->second.begin(), first_args->second.end(),
                     [&](const std::string& first) { return EqualsIgnoreCase(first, args[1]); });
}

bool AclSelector::MayUseKey(std::string_view key, bool reads, bool writes) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const KeyPattern& pattern) {
    return (pattern.reads || !reads) && (pattern.writes || !writes) && MatchesGlob(pattern.text, key);
  });
}

// Whether all keys that begin with `prefix` may be used: only a pattern of the form "text*" says so.
bool AclSelector::MayUseKeysWith(std::string_view prefix, bool reads, bool writes) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const KeyPattern& pattern) {
    const std::string_view text = pattern.text;
    const std::string_view literal = LiteralPrefix(text);
    return (pattern.reads || !reads) && (pattern.writes || !writes) && text.ends_with('*') &&
           literal.size() + 1 == text.size() && !literal.empty() && prefix.starts_with(literal);
  });
}

std::optional<AclDenial> AclSelector::CheckKeys(const Command& command,
                                                const std::vector<std::string_view>& args) const {
  for (const KeyPosition& position : KeysOf(command, args)) {
    bool reads = false;
    bool writes = false;
    bool is_key = true;
    for (const std::string_view flag : KeyFlagsFor(command, *position.spec, args)) {
      if (flag == "access") reads = true;
      if (flag == "insert" || flag == "delete" || flag == "update") writes = true;
      if (flag == "not_key") is_key = false;
    }
    if (!is_key) continue;
    const std::string_view key = args[position.index];
    if (VARVE_PLANTED_BUG("acl.readers_write")) writes = false;
    const bool is_allowed = command.spans == Command::Spans::kOne ||
                                    VARVE_PLANTED_BUG("acl.ranges_are_one_key")
                                ? MayUseKey(key, reads, writes)
                                : MayUseKeysWith(key, reads, writes);
    if (!is_allowed) return AclDenial{AclDenial::Reason::kKey, position.index};
    if (VARVE_PLANTED_BUG("acl.first_key_alone")) break;
  }
  return std::nullopt;
}

// A pattern that is subscribed to must be one of those that are allowed, as it is written.
bool AclSelector::MayUseChannel(std::string_view channel, bool is_pattern) const {
  return std::any_of(channels_.begin(), channels_.end(), [&](const std::string& pattern) {
    return is_pattern && !VARVE_PLANTED_BUG("acl.wider_patterns_heard") ? pattern == channel : MatchesGlob(pattern, channel);
  });
}

std::optional<AclDenial> AclSelector::Check(const Command& command,
                                            const std::vector<std::string_view>& args) const {
  if (!MayRun(command, args)) return AclDenial{AclDenial::Reason::kCommand, 0};
  if (!has_all_keys_) {
    if (const auto denial = CheckKeys(command, args)) return denial;
  }
  if (has_all_channels_) return std::nullopt;
  for (const ChannelArguments& channels : kChannelArguments) {
    if (command.spec.name != channels.command) continue;
    const size_t end = channels.count == 0 ? args.size() : 1 + channels.count;
    for (size_t i = 1; i < end; ++i) {
      if (!MayUseChannel(args[i], channels.is_pattern)) return AclDenial{AclDenial::Reason::kChannel, i};
    }
  }
  return std::nullopt;
}

bool AclSelector::HasChannelsOf(const AclSelector& other) const {
  if (has_all_channels_) return true;
  if (other.has_all_channels_) return false;
  return std::all_of(other.channels_.begin(), other.channels_.end(),
                     [&](const std::string& pattern) { return MayUseChannel(pattern, true); });
}

// --- Texts.

std::string AclSelector::Commands() const {
  std::string text = has_all_commands_ ? "+@all" : "-@all";
  for (const std::string& rule : rules_) text.append(" ").append(rule);
  return text;
}

std::string AclSelector::Keys() const {
  if (has_all_keys_) return "~*";
  std::string text;
  for (const KeyPattern& pattern : keys_) {
    if (!text.empty()) text.push_back(' ');
    text.append(pattern.reads && pattern.writes ? "~" : pattern.reads ? "%R~" : "%W~").append(pattern.text);
  }
  return text;
}

std::string AclSelector::Channels() const {
  if (has_all_channels_) return "&*";
  std::string text;
  for (const std::string& pattern : channels_) {
    if (!text.empty()) text.push_back(' ');
    text.append("&").append(pattern);
  }
  return text;
}

std::string AclSelector::Describe() const {
  std::string text = Keys();
  if (!text.empty()) text.push_back(' ');
  text.append(has_all_channels_ ? "" : "resetchannels ");
  const std::string channels = Channels();
  if (!channels.empty()) text.append(channels).push_back(' ');
  return text + Commands();
}

}  // namespace varve::server
