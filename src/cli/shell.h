// Shell: the tool as a conversation.
#ifndef VARVE_CLI_SHELL_H_
#define VARVE_CLI_SHELL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/line_editor.h"

namespace varve::cli {

// A line is a verb of the tool with its flags and operands (put, scan --prefix a), or, on a server, one of
// its commands, in capitals or without a verb of that name (SET k v, incr n). Words are split as in a shell.
//
// Thread-compatible; borrows what its context borrows. A connection is kept for commands; one that breaks is
// made anew for the next line.
class Shell {
 public:
  explicit Shell(const Context& context);

  // Until the end of the input; at a terminal, or from the console's input without prompts. Returns the exit
  // code: of the last line that failed, from a file; kExitOk at a terminal.
  int Run();

  // What may follow. For the editor, and for tests.
  Completion Complete(std::string_view text);
  std::string Hint(std::string_view line);

 private:
  enum class Next { kGoOn, kEnd };

  int RunFromTerminal();
  int RunFromInput();
  std::string Prompt() const;
  Next Execute(const std::string& line);
  void ExecuteWords(const std::vector<std::string>& words);
  int RunVerb(const std::vector<std::string>& words);
  int RunCommand(const std::vector<std::string>& words);
  // Shows what the server goes on sending until a key is pressed.
  void Follow();
  // What a command changes for the verbs: the database, the password.
  void NoteSession(const std::vector<std::string>& words);
  void Help(const std::vector<std::string>& words);
  Result<client::Client*> Connection();
  void LearnCommands();
  std::vector<std::string> KeysFrom(std::string_view prefix);
  std::vector<std::string> CandidatesFor(const std::vector<std::string>& before, std::string_view word);

  const Context& context_;
  const Console& console_;
  std::optional<ServerTarget> server_;
  std::unique_ptr<client::Client> client_;
  // Lower-case names of the server's commands with what they do; asked for once.
  std::map<std::string, std::string> commands_;
  bool has_asked_for_commands_ = false;
  bool shows_timing_ = false;
  int last_failure_ = kExitOk;
};

// The verb 'shell'.
int RunShell(const Context& context);
// Whether a line may be kept for later shells: not when it names a password.
bool MayBeKept(const std::vector<std::string>& words);

}  // namespace varve::cli

#endif  // VARVE_CLI_SHELL_H_
