// The lines that schedules of a store are made of, their meaning for a store, and for a std::map.
//
//   write D CHANGE...      D: none, process, sync. One change is the plain call, several are a batch
//   transact D CHANGE...   the same as a transaction, which reads each key before
//   cas KEY VALUE VALUE    compare-and-set; "-" is an absent key
//   flush, compact, sync, wait, reopen
//
//   CHANGE: put KEY VALUE, delete KEY, range BEGIN END
//   VALUE:  SIZE:SALT, so many bytes that follow from the salt, which no other write of the schedule has
//
// Campaigns add lines of their own.
#ifndef VARVE_TORTURE_STORE_SCRIPT_H_
#define VARVE_TORTURE_STORE_SCRIPT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "torture/campaign.h"
#include "varve/db.h"

namespace varve::torture {

// Every key of a store with its value.
using Contents = std::map<std::string, std::string>;

// "key: expected 12 bytes, found absent", for the first keys that differ; empty when none does.
std::string Difference(const Contents& expected, const Contents& found);

// The words of a line, between single spaces.
std::vector<std::string> WordsOf(std::string_view line);
// The bytes that SIZE:SALT stands for; nothing when it is no such word.
std::optional<std::string> ValueOf(std::string_view word);
// A decimal number, all of `word`.
std::optional<uint64_t> NumberOf(std::string_view word);
// The line makes no sense: kInvalidArgument, with words that no store says.
Status NotUnderstood(std::string_view line);
bool IsNotUnderstood(const Status& status);
// What a store has answered, as a finding: an error of any code that nothing excuses is a broken promise
// (kCorruption). OK, and what is not understood, stay. `where`, unless empty: the line at which that was.
Status AsBroken(const Status& status, std::string_view where = "");

struct Change {
  enum class Kind : uint8_t { kPut, kDelete, kRange };
  Kind kind = Kind::kPut;
  std::string key;
  std::string value;  // of a range: its end
};
void Apply(const Change& change, Contents* contents);

struct Command {
  enum class Kind : uint8_t { kWrite, kTransact, kCompareAndSet, kFlush, kCompact, kSync, kWait, kReopen };
  Kind kind = Kind::kWrite;
  Durability durability = Durability::kProcess;
  std::vector<Change> changes;
  std::optional<std::string> expected;  // of a compare-and-set
  std::optional<std::string> desired;

  bool changes_contents() const { return kind <= Kind::kCompareAndSet; }
  // When it is acknowledged, it and all before it must survive loss of power.
  bool MakesDurable() const {
    return kind == Kind::kSync || (changes_contents() && durability == Durability::kSync);
  }
};
// Nothing: some other line. kInvalidArgument: it begins like one of these and makes no sense.
Result<std::optional<Command>> ParseCommand(std::string_view line);
// All lines must be of these: kInvalidArgument.
Result<std::vector<Command>> ParseCommands(const Schedule& schedule);

// What `contents` are after it.
void Apply(const Command& command, Contents* contents);
// Whether a compare-and-set must find what it expects.
bool Matches(const Command& command, const Contents& contents);
// A compare-and-set that finds something else is kConflict. REQUIRES: it is no reopen.
Status Execute(const Command& command, Db* db);

// Reads everything by an iterator, and again key by key; kCorruption when the two differ.
Result<Contents> ReadContents(Db* db, const Snapshot* snapshot = nullptr);

// Lines by chance. Every schedule draws how often there is what.
struct ScriptOptions {
  uint64_t lines = 200;
  uint64_t keys = 40;
  uint64_t largest_value = 400;  // one in twelve is 5 to 9 KB, in the value log
  bool with_none = false;        // durability none
  bool with_reopen = true;
  bool with_compare_and_set = true;
};
class ScriptWriter {
 public:
  ScriptWriter(uint64_t seed, const ScriptOptions& options);
  std::string Next();
  std::string Key();
  std::string Value();
  Random* random() { return &random_; }

 private:
  std::string RandomChange();
  std::string RandomDurability();

  Random random_;
  const ScriptOptions options_;
  uint64_t salt_ = 0;
  std::map<std::string, std::string> last_;  // that was put, by key
  // Of 1000 lines.
  uint64_t flushes_;
  uint64_t compactions_;
  uint64_t syncs_;
  uint64_t reopens_;
  uint64_t transactions_;
  uint64_t batches_;
  uint64_t deletes_;  // of 1000 changes
  uint64_t ranges_;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_STORE_SCRIPT_H_
