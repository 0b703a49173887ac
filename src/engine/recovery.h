// Recovery: from what a directory holds to a running store.
//
//   1. no CURRENT: an empty directory becomes a store; one that holds something else is refused
//   2. CURRENT -> manifest -> version. No segment is opened
//   3. logs from the oldest one needed, in order, into memtables
//   4. files that nothing refers to are removed
//
// Logs form a chain: each names the one before it and where that ended. Replay follows the chain and
// stops at the first place where it breaks, so that what is recovered is always a prefix of history.
// Whether the break may be there is judged by what was promised: if anything proves that the bytes
// beyond it had been synced, it is corruption; if not, they are what a loss of power may take.
#ifndef VARVE_ENGINE_RECOVERY_H_
#define VARVE_ENGINE_RECOVERY_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/super_version.h"
#include "engine/tuning.h"
#include "engine/value_log_set.h"
#include "engine/version_set.h"
#include "format/wal.h"

namespace varve {

// What a log that was replayed to its end looks like to its successor.
struct ReplayedLog {
  uint64_t number = 0;
  uint64_t end = 0;
  bool ended_clean = false;  // nothing of a torn record behind the end: may be continued
  WalFileHeader header;
};

// Reads logs in order. Thread-compatible.
class LogReplay {
 public:
  using ApplyOp = std::function<Status(SequenceNumber, const WalOp&)>;
  // Called at the start of each log that has an intact header.
  using BeginLog = std::function<Status(uint64_t log_number)>;

  LogReplay(Env* env, std::string dir) : env_(env), dir_(std::move(dir)) {}

  // Replays the logs numbered >= `oldest`, in order, as far as the chain holds. A record whose `is_whole`
  // is false (its separated value did not survive) ends the replay like a torn one.
  Status Run(uint64_t oldest, const DurableLog& durable, const BeginLog& begin,
             const std::function<Result<bool>(const WalRecord&)>& is_whole, const ApplyOp& apply);

  // The logs that were replayed, in order; all others are not part of history.
  const std::vector<ReplayedLog>& replayed() const { return replayed_; }
  SequenceNumber last_sequence() const { return last_sequence_; }

 private:
  struct Candidate {
    uint64_t number;
    std::string image;
    WalFileHeader header;
  };
  Result<std::vector<uint64_t>> ListLogs(uint64_t oldest);
  Result<std::string> ReadLog(uint64_t number);
  // How much of log `number` the header of the next log says was durable.
  Result<uint64_t> ShownDurable(uint64_t next, uint64_t number);
  // For a log that does not continue the chain. OK when nothing in logs from `next` on proves that history went on durably after the break.
  Status JudgeBreak(const std::vector<uint64_t>& numbers, size_t next, uint64_t broken_log,
                    uint64_t broken_offset);
  Status ReplayOne(const Candidate& log, uint64_t durable_offset,
                   const std::function<Result<bool>(const WalRecord&)>& is_whole,
                   const ApplyOp& apply);

  Env* const env_;
  const std::string dir_;
  std::vector<ReplayedLog> replayed_;
  SequenceNumber last_sequence_ = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_RECOVERY_H_
