// WalNames: turns the changes of a log, which have stored keys, into those of namespaces with names.
#ifndef VARVE_ENGINE_WAL_NAMES_H_
#define VARVE_ENGINE_WAL_NAMES_H_

#include <map>
#include <string>

#include "engine/store_clock.h"
#include "engine/version.h"
#include "format/wal.h"
#include "varve/db.h"

namespace varve {

// Thread-compatible.
class WalNames {
 public:
  // Reads the table of namespaces as the segments of `version` have it.
  Status Load(std::shared_ptr<const Version> version, StoreClock* clock);

  // Visits the change that `op`, with its plain value in place, is. `deadline`: of the value, 0: none. The
  // table follows the changes. What a user has no name for, the counter of the table, is left out.
  Status Visit(SequenceNumber sequence, const WalOp& op, uint64_t deadline, const WalVisitor& visit);

 private:
  Status NoteRecord(std::string_view name, std::string_view value);
  Status VisitTable(WalChange change, const WalOp& op, std::string_view key, const WalVisitor& visit);
  std::string NameOf(uint32_t id) const;

  // Dropped ones stay: changes to them may have come before.
  std::map<uint32_t, std::string> names_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_WAL_NAMES_H_
