#include "server/acl.h"

#include <algorithm>
#include <utility>

namespace varve::server {

namespace {

constexpr std::string_view kDefault = "default";
// Entries of the log that a new one is compared with, and for how long.
constexpr size_t kMaxCompared = 10;
constexpr uint64_t kSameMillis = 60'000;

// Applies the words of ACL SETUSER; an error text.
std::string ApplyAll(const std::vector<std::string>& rules, AclUser* user) {
  for (const std::string& rule : rules) {
    const std::string error = user->Apply(rule);
    // Up to the first zero byte, as Redis shows it.
    const std::string_view shown = std::string_view(rule).substr(0, rule.find('\0'));
    if (!error.empty()) return "Error in ACL SETUSER modifier '" + std::string(shown) + "': " + error;
  }
  return {};
}

}  // namespace

Acl::Acl() {
  MutexLock lock(&mu_);
  Install(AclUser::Default());
}

Acl::User Acl::Find(std::string_view name) const {
  MutexLock lock(&mu_);
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : found->second;
}

std::vector<Acl::User> Acl::All() const {
  std::vector<User> all;
  MutexLock lock(&mu_);
  for (const auto& [name, user] : users_) all.push_back(user);
  return all;
}

Acl::User Acl::Authenticate(std::string_view name, std::string_view password) const {
  const User user = Find(name);
  if (user == nullptr || !user->is_on() || !user->IsPassword(password)) return nullptr;
  return user;
}

void Acl::NoteChange() {
  const User& user = users_.find(kDefault)->second;
  asks_for_password_.store(!user->is_without_password() || !user->is_on(), std::memory_order_release);
  version_.fetch_add(1, std::memory_order_acq_rel);
}

void Acl::Install(AclUser user) {
  if (user.number() == 0) user.set_number(++last_number_);
  std::string name = user.name();
  users_.insert_or_assign(std::move(name), std::make_shared<const AclUser>(std::move(user)));
  NoteChange();
}

std::string Acl::Set(std::string_view name, std::vector<std::string> rules) {
  if (HasAclSpaces(name)) return "Usernames can't contain spaces or null characters";
  if (!JoinSelectors(&rules)) {
    return "Unmatched parenthesis in acl selector starting at '" +
           rules.back().substr(0, rules.back().find(' ')) + "'.";
  }
  MutexLock lock(&mu_);
  const auto found = users_.find(name);
  AclUser user = found == users_.end() ? AclUser(std::string(name)) : *found->second;
  std::string error = ApplyAll(rules, &user);
  if (error.empty()) Install(std::move(user));
  return error;
}

void Acl::SetDefaultPassword(std::string_view password) {
  MutexLock lock(&mu_);
  AclUser user = *users_.find(kDefault)->second;
  static_cast<void>(user.Apply("resetpass"));
  static_cast<void>(user.Apply(password.empty() ? "nopass" : ">" + std::string(password)));
  Install(std::move(user));
}

bool Acl::Delete(std::string_view name) {
  MutexLock lock(&mu_);
  const auto found = users_.find(name);
  if (found == users_.end()) return false;
  users_.erase(found);
  NoteChange();
  return true;
}

std::string Acl::Write() const {
  std::string text;
  for (const User& user : All()) text.append(user->Describe()).append("\n");
  return text;
}

std::string Acl::Read(std::string_view text) {
  Users users;
  std::vector<AclUser> read;
  for (const std::string_view line : Words(text, '\n')) {
    // The name may be empty.
    constexpr std::string_view kWord = "user ";
    const size_t name_end = line.find(' ', kWord.size());
    if (!line.starts_with(kWord) || name_end == line.npos) return "a line that is no user: " + std::string(line);
    std::vector<std::string> rules;
    for (const std::string_view word : Words(line.substr(name_end))) rules.emplace_back(word);
    AclUser user(std::string(line.substr(kWord.size(), name_end - kWord.size())));
    if (!JoinSelectors(&rules)) return "a selector that is not closed: " + std::string(line);
    std::string error = ApplyAll(rules, &user);
    if (!error.empty()) return error;
    read.push_back(std::move(user));
  }
  MutexLock lock(&mu_);
  Users before = std::exchange(users_, {});
  const auto default_user = before.find(kDefault);
  users_.insert(*default_user);
  for (AclUser& user : read) {
    // Whoever is connected as a user that has not changed stays so.
    const auto known = before.find(user.name());
    if (known != before.end() && (known->second->Describe() == user.Describe() || user.name() == kDefault)) {
      user.set_number(known->second->number());
    }
    Install(std::move(user));
  }
  NoteChange();
  return {};
}

// --- The log.

void AclLog::Add(Entry entry) {
  entry.count = 1;
  MutexLock lock(&mu_);
  const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(std::min(entries_.size(), kMaxCompared));
  const auto same = std::find_if(entries_.begin(), end, [&](const Entry& old) {
    return old.reason == entry.reason && old.context == entry.context && old.object == entry.object &&
           old.user == entry.user && entry.at_millis <= old.at_millis + kSameMillis;
  });
  if (same != end) {
    entry.count += same->count;
    entries_.erase(same);
  }
  entries_.push_front(std::move(entry));
  while (entries_.size() > static_cast<uint64_t>(max_entries())) entries_.pop_back();
}

std::vector<AclLog::Entry> AclLog::Newest(size_t count) const {
  MutexLock lock(&mu_);
  return {entries_.begin(),
          entries_.begin() + static_cast<std::ptrdiff_t>(std::min(count, entries_.size()))};
}

void AclLog::Clear() {
  MutexLock lock(&mu_);
  entries_.clear();
}

void AclLog::set_max_entries(int64_t count) {
  max_entries_.store(count, std::memory_order_relaxed);
  MutexLock lock(&mu_);
  while (entries_.size() > static_cast<uint64_t>(count)) entries_.pop_back();
}

std::string_view AclReasonName(AclDenial::Reason reason) {
  switch (reason) {
    case AclDenial::Reason::kCommand: return "command";
    case AclDenial::Reason::kKey: return "key";
    case AclDenial::Reason::kChannel: return "channel";
    case AclDenial::Reason::kAuth: return "auth";
  }
  return {};
}

}  // namespace varve::server
