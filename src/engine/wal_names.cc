#include "engine/wal_names.h"

#include <vector>

#include "base/status_macros.h"
#include "engine/db_iterator.h"
#include "engine/merging_iterator.h"
#include "engine/run_iterator.h"
#include "format/namespace_record.h"
#include "format/stored_key.h"

namespace varve {

Status WalNames::Load(std::shared_ptr<const Version> version, StoreClock* clock) {
  const Keyspace table = Keyspace::Named(kStoreNamespaceId);
  const RangeTombstoneSet none;
  DbIteratorParts parts;
  parts.sequence = kMaxSequence;
  parts.tombstones = &none;
  parts.clock = clock;
  parts.keyspace = table;
  parts.lower_bound = table.begin();
  parts.upper_bound = table.end();
  std::vector<std::unique_ptr<InternalIterator>> sources;
  for (const auto& run : version->runs()) {
    if (run->slices().empty() || run->slices().back().meta().largest_key < table.begin()) continue;
    sources.push_back(std::make_unique<RunIterator>(run, ReadMode::kCached));
  }
  if (sources.empty()) return Status::Ok();
  parts.source = NewMergingIterator(std::move(sources));
  DbIterator it(std::move(parts));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    if (it.key()[0] != kNamespaceNameTag) continue;
    VARVE_RETURN_IF_ERROR(NoteRecord(it.key().substr(1), it.value()));
  }
  return it.status();
}

Status WalNames::NoteRecord(std::string_view name, std::string_view value) {
  VARVE_ASSIGN_OR_RETURN(const NamespaceRecord record, DecodeNamespaceRecord(value));
  names_[record.id] = name;
  return Status::Ok();
}

std::string WalNames::NameOf(uint32_t id) const {
  const auto found = names_.find(id);
  return found != names_.end() ? found->second : "#" + std::to_string(id);
}

Status WalNames::VisitTable(WalChange change, const WalOp& op, std::string_view key,
                            const WalVisitor& visit) {
  if (key.empty() || key[0] != kNamespaceNameTag) return Status::Ok();
  change.name_space = key.substr(1);
  change.key = change.value = {};
  const bool is_put = op.kind == static_cast<uint8_t>(EntryKind::kValue);
  if (is_put) VARVE_RETURN_IF_ERROR(NoteRecord(change.name_space, op.value));
  change.kind = is_put ? "NAMESPACE" : "DROP";
  visit(change);
  return Status::Ok();
}

Status WalNames::Visit(SequenceNumber sequence, const WalOp& op, uint64_t deadline,
                       const WalVisitor& visit) {
  WalChange change{sequence, "WRITE", {}, {}, op.value, deadline};
  if (op.kind == static_cast<uint8_t>(EntryKind::kDelete)) change.kind = "DELETE";
  const std::optional<uint32_t> id = NamespaceIdOf(op.key);
  const Keyspace keyspace = id ? Keyspace::Named(*id) : Keyspace();
  std::string name, key_buffer, end_buffer;
  change.key = keyspace.ToUser(op.key, &key_buffer);
  if (id == kStoreNamespaceId) return VisitTable(change, op, change.key, visit);
  if (id) {
    name = NameOf(*id);
    change.name_space = name;
  }
  if (op.kind == kDeleteRangeOp && op.key == keyspace.begin() && op.value == keyspace.end()) {
    change.kind = "CLEAR";
    change.value = {};
  } else if (op.kind == kDeleteRangeOp) {
    change.kind = "DELETERANGE";
    change.value = keyspace.ToUser(op.value, &end_buffer);
  }
  visit(change);
  return Status::Ok();
}

}  // namespace varve
