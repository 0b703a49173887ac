// AclUser: who may do what: passwords, and rules over commands, keys and channels, as Redis 7.0 has them.
#ifndef VARVE_SERVER_ACL_USER_H_
#define VARVE_SERVER_ACL_USER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/command.h"

namespace varve::server {

// Why a command is refused, the weakest reason first, and the argument that it is about.
struct AclDenial {
  enum class Reason : uint8_t { kCommand, kKey, kAuth, kChannel };
  Reason reason = Reason::kCommand;
  size_t index = 0;
};

// One set of rules. A command is allowed when some selector of the user allows all of it.
class AclSelector {
 public:
  // Takes one rule: "+get", "-@all", "~pattern", "%R~pattern", "&channel", ... An error text; empty: taken.
  std::string Apply(std::string_view rule);

  std::optional<AclDenial> Check(const Command& command, const std::vector<std::string_view>& args) const;

  bool allows_everything() const {
    return has_all_commands_ && rules_.empty() && has_all_keys_ && has_all_channels_;
  }
  // Whether every channel that `other` may use is allowed, as far as the patterns show.
  bool HasChannelsOf(const AclSelector& other) const;

  // As rules that make the same again.
  std::string Commands() const;
  std::string Keys() const;
  std::string Channels() const;
  std::string Describe() const;

 private:
  struct KeyPattern {
    std::string text;
    bool reads = false;
    bool writes = false;
  };

  std::string ApplyKeys(std::string_view rule);
  std::string ApplyChannels(std::string_view rule);
  std::string ApplyCommand(std::string_view rule);
  std::string ApplyCategory(std::string_view rule);
  void SetAll(bool is_allowed);
  void SetCommand(const Command& command, bool is_allowed);
  void NoteRule(std::string_view rule);
  bool MayRun(const Command& command, const std::vector<std::string_view>& args) const;
  bool MayUseKey(std::string_view key, bool reads, bool writes) const;
  bool MayUseKeysWith(std::string_view prefix, bool reads, bool writes) const;
  bool MayUseChannel(std::string_view channel, bool is_pattern) const;
  std::optional<AclDenial> CheckKeys(const Command& command, const std::vector<std::string_view>& args) const;

  bool has_all_keys_ = false;
  bool has_all_channels_ = false;
  // Those of the rules that began with all of them, and before any that takes some away.
  bool has_all_commands_ = false;
  std::vector<bool> allowed_ = std::vector<bool>(CommandCount());  // by Command::id
  std::map<int, std::vector<std::string>> first_args_;             // by Command::id
  std::vector<std::string> rules_;  // behind "+@all" or "-@all", in their order
  std::vector<KeyPattern> keys_;
  std::vector<std::string> channels_;
};

// Thread-compatible; shared only when it does not change any more.
class AclUser {
 public:
  explicit AclUser(std::string name) : name_(std::move(name)), selectors_(1) {}
  // The one that everybody is before they authenticate: everything, without a password.
  static AclUser Default();

  const std::string& name() const { return name_; }
  bool is_on() const { return is_on_; }
  bool is_without_password() const { return is_without_password_; }
  bool allows_everything() const { return allows_everything_; }
  // Tells a user from a later one of the same name.
  uint64_t number() const { return number_; }
  void set_number(uint64_t number) { number_ = number; }

  // Takes one word of ACL SETUSER. An error text; empty: taken.
  std::string Apply(std::string_view rule);
  // In a time that does not depend on how much of it is right.
  bool IsPassword(std::string_view password) const;
  std::optional<AclDenial> Check(const Command& command, const std::vector<std::string_view>& args) const;
  bool HasChannelsOf(const AclUser& other) const;

  std::vector<std::string_view> Flags() const;
  const std::vector<std::string>& password_hashes() const { return hashes_; }
  const std::vector<AclSelector>& selectors() const { return selectors_; }
  // "user name on nopass ~* &* +@all"
  std::string Describe() const;

 private:
  std::string ApplyPassword(std::string_view rule);
  std::string ApplySelector(std::string_view rule);
  void Reset();

  std::string name_;
  uint64_t number_ = 0;
  bool is_on_ = false;
  bool is_without_password_ = false;
  bool allows_everything_ = false;
  // Of RESTORE's payloads: kept and shown, for they are always checked.
  enum class Sanitizes : uint8_t { kUnsaid, kYes, kNo };
  Sanitizes sanitizes_ = Sanitizes::kUnsaid;
  std::vector<std::string> hashes_;  // SHA-256, in hexadecimal
  std::vector<AclSelector> selectors_;
};

// Words that stand in parentheses put together: {"on", "(+get", "~x)"} is {"on", "(+get ~x)"}. False: one is
// not closed; `words` then ends with it.
bool JoinSelectors(std::vector<std::string>* words);

// Spaces, ends of lines and zero bytes, which no name and no pattern has.
bool HasAclSpaces(std::string_view text);

}  // namespace varve::server

#endif  // VARVE_SERVER_ACL_USER_H_
