#include "server/acl_user.h"

#include <algorithm>

#include "base/sha256.h"

namespace varve::server {

namespace {

constexpr size_t kHashDigits = 64;

bool IsHash(std::string_view text) {
  return text.size() == kHashDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

AclUser AclUser::Default() {
  AclUser user("default");
  for (const std::string_view rule : {"on", "nopass", "~*", "&*", "+@all"}) {
    static_cast<void>(user.Apply(rule));
  }
  return user;
}

std::string AclUser::Apply(std::string_view rule) {
  const auto is = [&](std::string_view word) { return EqualsIgnoreCase(rule, word); };
  std::string error;
  if (rule.empty()) return error;
  if (is("on") || is("off")) {
    is_on_ = is("on");
  } else if (is("nopass") || is("resetpass")) {
    is_without_password_ = is("nopass");
    hashes_.clear();
  } else if (is("sanitize-payload") || is("skip-sanitize-payload")) {
    sanitizes_ = is("sanitize-payload") ? Sanitizes::kYes : Sanitizes::kNo;
  } else if (is("clearselectors")) {
    selectors_.erase(selectors_.begin() + 1, selectors_.end());
  } else if (is("reset")) {
    Reset();
  } else if (std::string_view("><#!").find(rule[0]) != std::string_view::npos) {
    error = ApplyPassword(rule);
  } else if (rule[0] == '(' && rule.back() == ')') {
    error = ApplySelector(rule);
  } else {
    error = selectors_[0].Apply(rule);
  }
  allows_everything_ = selectors_[0].allows_everything();
  return error;
}

std::string AclUser::ApplyPassword(std::string_view rule) {
  const bool is_hash = rule[0] == '#' || rule[0] == '!';
  if (is_hash && !IsHash(rule.substr(1))) {
    return "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
  }
  const std::string hash = is_hash ? std::string(rule.substr(1)) : Sha256Hex(rule.substr(1));
  const auto found = std::find(hashes_.begin(), hashes_.end(), hash);
  if (rule[0] == '<' || rule[0] == '!') {
    if (found == hashes_.end()) return "The password you are trying to remove from the user does not exist";
    hashes_.erase(found);
    return {};
  }
  if (found == hashes_.end()) hashes_.push_back(hash);
  is_without_password_ = false;
  return {};
}

std::string AclUser::ApplySelector(std::string_view rule) {
  AclSelector selector;
  for (const std::string_view word : Words(rule.substr(1, rule.size() - 2))) {
    // What a text of all rules could not tell from the end of the selector.
    std::string error = word.ends_with(')') ? "Syntax error" : selector.Apply(word);
    if (!error.empty()) return error;
  }
  selectors_.push_back(std::move(selector));
  return {};
}

void AclUser::Reset() {
  is_on_ = false;
  is_without_password_ = false;
  sanitizes_ = Sanitizes::kYes;
  hashes_.clear();
  selectors_.assign(1, AclSelector());
}

bool AclUser::IsPassword(std::string_view password) const {
  if (is_without_password_) return true;
  const std::string hash = Sha256Hex(password);
  bool is_one = false;
  for (const std::string& known : hashes_) {
    unsigned difference = 0;
    for (size_t i = 0; i < kHashDigits; ++i) difference |= static_cast<unsigned char>(hash[i] ^ known[i]);
    is_one = is_one | (difference == 0);
  }
  return is_one;
}

// Of several refusals the one that came furthest is told.
std::optional<AclDenial> AclUser::Check(const Command& command,
                                        const std::vector<std::string_view>& args) const {
  if (allows_everything_) return std::nullopt;
  std::optional<AclDenial> worst;
  for (const AclSelector& selector : selectors_) {
    const std::optional<AclDenial> denial = selector.Check(command, args);
    if (!denial) return std::nullopt;
    if (!worst || denial->reason > worst->reason ||
        (denial->reason == worst->reason && denial->index > worst->index)) {
      worst = denial;
    }
  }
  return worst;
}

bool AclUser::HasChannelsOf(const AclUser& other) const {
  return std::all_of(other.selectors_.begin(), other.selectors_.end(), [&](const AclSelector& old) {
    return std::any_of(selectors_.begin(), selectors_.end(),
                       [&](const AclSelector& now) { return now.HasChannelsOf(old); });
  });
}

std::vector<std::string_view> AclUser::Flags() const {
  std::vector<std::string_view> flags = {is_on_ ? "on" : "off"};
  if (is_without_password_) flags.push_back("nopass");
  if (sanitizes_ == Sanitizes::kYes) flags.push_back("sanitize-payload");
  if (sanitizes_ == Sanitizes::kNo) flags.push_back("skip-sanitize-payload");
  return flags;
}

std::string AclUser::Describe() const {
  std::string text = "user " + name_;
  for (const std::string_view flag : Flags()) text.append(" ").append(flag);
  for (const std::string& hash : hashes_) text.append(" #").append(hash);
  text.append(" ").append(selectors_[0].Describe());
  for (size_t i = 1; i < selectors_.size(); ++i) text.append(" (").append(selectors_[i].Describe()).append(")");
  return text;
}

bool JoinSelectors(std::vector<std::string>* words) {
  std::vector<std::string> joined;
  bool is_open = false;
  for (std::string& word : *words) {
    // One that begins within another takes its place, as in Redis.
    const bool begins = word.starts_with('(') && !word.ends_with(')');
    if (is_open && begins) {
      joined.back() = std::move(word);
    } else if (is_open) {
      joined.back().append(" ").append(word);
    } else {
      joined.push_back(std::move(word));
      is_open = joined.back().starts_with('(');
    }
    if (is_open && joined.back().ends_with(')')) is_open = false;
  }
  *words = std::move(joined);
  return !is_open;
}

}  // namespace varve::server
