#include "cli/documents.h"

#include <algorithm>

#include "cli/help.h"
#include "varve/version.h"

namespace varve::cli {
namespace {

std::vector<FlagSpec> FlagsOf(const VerbSpec& verb) {
  std::vector<FlagSpec> flags = verb.flags;
  flags.insert(flags.end(), GlobalFlags().begin(), GlobalFlags().end());
  if (!WorksOnServer(verb)) return flags;
  for (const FlagSpec& flag : ServerFlags()) flags.push_back(flag);
  return flags;
}

std::string NamesOf(const std::vector<FlagSpec>& flags) {
  std::string names;
  for (const FlagSpec& flag : flags) names.append(names.empty() ? "" : " ").append(flag.name);
  return names;
}

// The flags that a value follows, for the case of a shell: "--dir|--port".
std::string FlagsWithValues(const std::vector<const VerbSpec*>& verbs) {
  std::vector<std::string_view> names;
  const auto add = [&](const std::vector<FlagSpec>& flags) {
    for (const FlagSpec& flag : flags) {
      if (!flag.value_name.empty()) names.push_back(flag.name);
    }
  };
  add(GlobalFlags());
  add(ServerFlags());
  for (const VerbSpec* verb : verbs) add(verb->flags);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string pattern;
  for (const std::string_view name : names) pattern.append(pattern.empty() ? "" : "|").append(name);
  return pattern;
}

// In single quotes, with what zsh gives a meaning of its own made harmless.
std::string ZshText(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      if (c == ':' || c == '[' || c == ']' || c == '\\') quoted.push_back('\\');
      quoted.push_back(c);
    }
  }
  return quoted;
}

std::string ZshFlags(const std::vector<FlagSpec>& flags) {
  std::string lines;
  for (const FlagSpec& flag : flags) {
    lines.append(" \\\n        '").append(flag.name).append("[").append(ZshText(flag.help)).append("]");
    if (!flag.value_name.empty()) {
      lines.append(":").append(ZshText(flag.value_name)).append(":");
      lines += flag.name == "--dir" || flag.name == "--socket" ? "_files" : "";
    }
    lines += "'";
  }
  return lines;
}

// Text of a manual page: its own signs are plain signs, and a line does not begin with a command.
std::string Roff(std::string_view text) {
  std::string escaped;
  bool begins_line = true;
  for (const char c : text) {
    if (begins_line && (c == '.' || c == '\'')) escaped += "\\&";
    begins_line = c == '\n';
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

std::string RoffFlags(const std::vector<FlagSpec>& flags) {
  std::string text;
  for (const FlagSpec& flag : flags) {
    text.append(".TP\n\\fB").append(Roff(flag.name)).append("\\fR");
    if (!flag.value_name.empty()) text.append(" \\fI").append(Roff(flag.value_name)).append("\\fR");
    text.append("\n").append(Roff(flag.help)).append("\n");
  }
  return text;
}

std::string RoffExample(std::string_view lines) {
  return ".PP\n.nf\n.RS 4\n" + Roff(lines) + ".RE\n.fi\n";
}

std::string RoffVerb(const VerbSpec& verb) {
  std::string text = ".SS " + Roff(verb.name) + "\n.PP\n\\fB" +
                     Roff(UsageOf(verb, /*shows_flags=*/true)) + "\\fR\n.PP\n" + Roff(verb.summary) +
                     ".\n";
  if (!verb.details.empty()) text.append(Roff(verb.details));
  text += RoffFlags(verb.flags);
  return text + RoffExample(verb.examples);
}

}  // namespace

std::string BashCompletion(const std::vector<const VerbSpec*>& verbs) {
  std::string names = "client help";
  std::string cases;
  for (const VerbSpec* verb : verbs) {
    names.append(" ").append(verb->name);
    cases.append("    ").append(verb->name).append(") flags='");
    cases.append(NamesOf(FlagsOf(*verb))).append("' ;;\n");
  }
  return "# Completion of varve for bash. Made by 'varve completion bash'.\n"
         "_varve() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} verb= flags word i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    word=${COMP_WORDS[i]}\n"
         "    case $word in\n"
         "      " + FlagsWithValues(verbs) + ") ((i++)) ;;\n"
         "      -* | client | help | *:* | //*) ;;\n"
         "      *) verb=$word; break ;;\n"
         "    esac\n"
         "  done\n"
         "  case $verb in\n" + cases +
         "    '') flags='" + NamesOf(GlobalFlags()) + " " + NamesOf(ServerFlags()) + "' ;;\n"
         "  esac\n"
         "  COMPREPLY=()\n"
         "  if [[ $current == -* ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$current\")\n"
         "  elif [[ -z $verb ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W '" + names + "' -- \"$current\")\n"
         "  fi\n"
         "}\n"
         "complete -o default -F _varve varve\n";
}

std::string ZshCompletion(const std::vector<const VerbSpec*>& verbs) {
  std::string text = "#compdef varve\n# Completion of varve for zsh. Made by 'varve completion zsh'.\n"
                     "_varve() {\n  local context state line curcontext=$curcontext\n"
                     "  local -a commands\n  commands=(\n";
  std::string cases;
  for (const VerbSpec* verb : verbs) {
    text.append("    '").append(verb->name).append(":").append(ZshText(verb->summary)).append("'\n");
    cases.append("    ").append(verb->name).append(")\n      _arguments -C");
    cases.append(ZshFlags(FlagsOf(*verb))).append(" \\\n        '*:operand:_files'\n      ;;\n");
  }
  std::vector<FlagSpec> flags = GlobalFlags();
  flags.insert(flags.end(), ServerFlags().begin(), ServerFlags().end());
  return text + "  )\n  _arguments -C" + ZshFlags(flags) +
         " \\\n        '1:command:->command' '*::operand:->operand' && return\n"
         "  case $state in\n  command) _describe command commands ;;\n  operand)\n"
         "    case $words[1] in\n" + cases + "    esac\n    ;;\n  esac\n}\n"
         // From a directory of functions it is the function's body; otherwise somebody has sourced it.
         "if [[ $funcstack[1] == _varve ]]; then _varve \"$@\"; else compdef _varve varve; fi\n";
}

std::string ManPage(const std::vector<const VerbSpec*>& verbs) {
  std::string text = ".TH VARVE 1 \"\" \"varve " + Roff(kVersion) + "\" \"User Commands\"\n"
                     ".SH NAME\nvarve \\- keeps keys and values in order, in a directory, and serves them\n"
                     ".SH SYNOPSIS\n.B varve\n[\\fB\\-\\-dir\\fR \\fIDIR\\fR | \\fBclient\\fR | "
                     "\\fIURI\\fR] \\fICOMMAND\\fR [\\fIflags\\fR] [\\fIoperands\\fR]\n"
                     ".SH DESCRIPTION\nA command works on the store in a directory, or through a server: "
                     "that of \\-\\-dir or VARVE_DIR, else the server of \\-\\-server or VARVE_URL, else the one at "
                     "127.0.0.1:6379. Alone on a terminal, varve starts a conversation.\n"
                     ".SH EXAMPLES\n";
  text += RoffExample(ToolExamples());
  text += ".SH COMMANDS\n";
  for (const VerbSpec* verb : verbs) text += RoffVerb(*verb);
  text += ".SH FLAGS OF EVERY COMMAND\n" + RoffFlags(GlobalFlags());
  text += ".SH WHICH SERVER\n" + RoffFlags(ServerFlags());
  text += ".SH ENVIRONMENT\n.TP\n\\fBVARVE_DIR\\fR\nthe store's directory\n"
          ".TP\n\\fBVARVE_URL\\fR\nthe server\n"
          ".TP\n\\fBVARVE_PASSWORD\\fR\nthe password, where the address has none\n"
          ".TP\n\\fBNO_COLOR\\fR\nno colours\n";
  return text + ".SH EXIT STATUS\n.nf\n" + Roff(ExitCodes()) + ".fi\n";
}

}  // namespace varve::cli
