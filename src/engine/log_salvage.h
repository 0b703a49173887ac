// LogSalvage: the changes of logs that may be damaged anywhere.
//
// A log ends at the first place without a valid record, unless something proves that the bytes there had
// been durable (format/wal.h). Where recovery would refuse such a log, what follows is searched, at steps
// of 8 bytes, for the next record of the same use of the file. Its sequence number says how many changes
// are gone. Taking up there is safe: a record is a batch, whole or not at all, and each change says what
// its key is from then on, whatever it was before.
#ifndef VARVE_ENGINE_LOG_SALVAGE_H_
#define VARVE_ENGINE_LOG_SALVAGE_H_

#include <functional>
#include <string>
#include <vector>

#include "env/env.h"
#include "format/version_edit.h"
#include "format/wal.h"

namespace varve {

struct LogDamage {
  std::string file;
  uint64_t offset = 0;
  std::string what;
  uint64_t lost_changes = 0;
  bool is_harmless = false;  // no change was there
};

// Thread-compatible.
class LogSalvage {
 public:
  using BeginLog = std::function<void(uint64_t log_number)>;
  using ApplyOp = std::function<void(SequenceNumber, const WalOp&)>;
  // Hears of it after the changes before it.
  using OnDamage = std::function<void(const LogDamage&)>;

  LogSalvage(Env* env, std::string dir) : env_(env), dir_(std::move(dir)) {}

  // Reads the logs with these numbers, ascending. `durable`: the log that was closed in order, and
  // `known_sequence`, of the last change then; zeros when not known. kNotSupported when a newer version
  // wrote one of them.
  Status Run(const std::vector<uint64_t>& numbers, const DurableLog& durable,
             SequenceNumber known_sequence, const BeginLog& begin, const ApplyOp& apply,
             const OnDamage& on_damage);

  SequenceNumber last_sequence() const { return last_sequence_; }

 private:
  struct Log {
    uint64_t number = 0;
    std::string path;
    std::string image;
    WalFileHeader header;
    bool is_usable = false;
  };
  Status Load(uint64_t number, Log* log, const OnDamage& on_damage);
  void ReadRecords(const Log& log, uint64_t durable_end, const ApplyOp& apply,
                   const OnDamage& on_damage);
  void TakeRecord(const Log& log, const WalRecord& record, const ApplyOp& apply,
                  const OnDamage& on_damage);
  // Tells of the damage that was met last, when what comes after it is known.
  void Settle(SequenceNumber next, const OnDamage& on_damage);

  Env* const env_;
  const std::string dir_;
  SequenceNumber last_sequence_ = 0;
  bool has_open_damage_ = false;
  LogDamage open_damage_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_LOG_SALVAGE_H_
