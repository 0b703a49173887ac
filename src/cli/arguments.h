// The command line: what verbs and flags there are, and what one invocation says.
//
// A line may begin with "client", which asks for a server and for answers in words, or with a
// server's address, such as redis://box. Flags are --name, --name VALUE or --name=VALUE, anywhere on
// the line; "--" ends them, and "-" alone is an operand. There are no abbreviations.
#ifndef VARVE_CLI_ARGUMENTS_H_
#define VARVE_CLI_ARGUMENTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "varve/status.h"

namespace varve::cli {

struct FlagSpec {
  std::string_view name;        // with its dashes
  std::string_view value_name;  // what the help calls its value; empty: the flag takes none
  std::string_view help;
};

// What a verb works on.
enum class Target {
  kDirectory,  // a store's directory
  kEither,     // that, or a server
  kServer,     // a server
  kNone,
};

// How a verb is called. Its help is made from this.
struct VerbSpec {
  std::string_view name;
  std::string_view operands;  // "KEY VALUE"
  size_t min_operands = 0;
  size_t max_operands = 0;
  std::vector<FlagSpec> flags;
  std::string_view summary;   // one line
  std::string_view examples;  // lines of shell
  std::string_view details;   // paragraphs, may be empty
  bool dir_is_operand = false;  // the first operand stands for --dir
  Target target = Target::kDirectory;
};

// The flags that every verb takes.
const std::vector<FlagSpec>& GlobalFlags();
// Those that say which server, of the verbs that work on one.
inline constexpr std::string_view kServerFlag = "--server";
const std::vector<FlagSpec>& ServerFlags();
inline bool WorksOnServer(const VerbSpec& verb) {
  return verb.target == Target::kEither || verb.target == Target::kServer;
}
// The name, flags and operands of a verb: "varve --dir DIR get [flags] KEY".
std::string UsageOf(const VerbSpec& verb, bool shows_flags);

// One invocation, checked against its verb. Immutable.
class Arguments {
 public:
  // `verbs` must outlive the result. kInvalidArgument with a message for people when the line makes
  // no sense. --help and --version need no verb and excuse missing operands; "help VERB" is VERB
  // --help.
  static Result<Arguments> Parse(const std::vector<std::string>& words,
                                 const std::vector<const VerbSpec*>& verbs);

  // nullptr only with --help or --version.
  const VerbSpec* verb() const { return verb_; }
  const std::vector<std::string>& operands() const { return operands_; }
  // Whether the line began with "client".
  bool is_client() const { return is_client_; }
  // Whether the line says that it is for a server.
  bool NamesServer() const;
  bool Has(std::string_view flag) const { return flags_.find(flag) != flags_.end(); }
  // The value of a flag; the last one counts.
  std::optional<std::string> Value(std::string_view flag) const;
  // The same as a number. kInvalidArgument names the flag; std::nullopt when it is absent.
  Result<std::optional<uint64_t>> Number(std::string_view flag) const;

 private:
  Status Read(const std::vector<std::string>& words, const std::vector<const VerbSpec*>& verbs);
  Status TakeVerb(const std::string& word, const std::vector<const VerbSpec*>& verbs);
  // Takes the flag in words[*index], and its value if that is the next word.
  Status TakeFlag(const std::vector<std::string>& words, size_t* index);
  Status CheckOperands() const;

  const VerbSpec* verb_ = nullptr;
  bool is_client_ = false;
  std::vector<std::string> operands_;
  std::map<std::string, std::string, std::less<>> flags_;
};

// The candidate closest to `word`, if one is close enough to be what was meant.
std::optional<std::string_view> Suggest(std::string_view word,
                                        const std::vector<std::string_view>& candidates);

}  // namespace varve::cli

#endif  // VARVE_CLI_ARGUMENTS_H_
