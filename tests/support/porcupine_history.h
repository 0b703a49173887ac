// Reads the recorded histories with known verdicts that the linearizability checker is tested on.
#ifndef VARVE_TESTS_SUPPORT_PORCUPINE_HISTORY_H_
#define VARVE_TESTS_SUPPORT_PORCUPINE_HISTORY_H_

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/checkers.h"
#include "varve/status.h"

namespace varve::test {

struct KnownHistory {
  std::string name;  // path within the folder
  bool is_linearizable = false;
};

// The folder of histories; empty when there is none.
std::string PorcupineFolder();

// The histories that verdicts.txt in `folder` lists.
Result<std::vector<KnownHistory>> ReadVerdicts(const std::string& folder);

// A register: lines "... client :invoke|:ok|:fail|:info :read|:write|:cas value". A compare-and-set
// that failed saw another value. `text` is the file's content, `name` is for messages.
Result<std::vector<Operation>> ParseRegisterHistory(std::string_view text, std::string_view name);

// A key-value store: lines "{:process 1, :type :invoke, :f :get, :key "k", :value "v"}".
Result<std::vector<Operation>> ParseKeyValueHistory(std::string_view text, std::string_view name);

// The options under which the verdict of a history of that name holds.
CheckOptions OptionsFor(const std::string& name);

Result<std::vector<Operation>> ReadHistory(const std::string& folder, const std::string& name);

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_PORCUPINE_HISTORY_H_
