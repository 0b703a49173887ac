#include "tests/support/batch_changes.h"

#include "base/check.h"
#include "format/stored_key.h"
#include "format/wal.h"

namespace varve::test {

std::vector<Change> ChangesOf(const WriteBatch& batch) {
  std::vector<Change> changes;
  WalOpReader ops(batch.rep(), batch.count());
  for (WalOp op; ops.Next(&op);) {
    Change change{Change::Kind::kPut, Keyspace().ToUser(op.key), std::string(op.value)};
    if (op.kind == kDeleteRangeOp) {
      change.kind = Change::Kind::kDeleteRange;
      change.value = Keyspace().ToUser(op.value);
    }
    if (op.kind == static_cast<uint8_t>(EntryKind::kDelete)) change.kind = Change::Kind::kDelete;
    changes.push_back(std::move(change));
  }
  VARVE_CHECK(ops.ok());
  return changes;
}

}  // namespace varve::test
