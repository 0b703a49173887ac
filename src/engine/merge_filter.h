// MergeFilter: which entries a flush or merge keeps. A pure function of the entries it is shown.
//
// Readers exist at the boundaries b0 < b1 < ... (live snapshots, and the visible sequence at the start of
// the job) and, later on, anywhere above the last. Of the versions of a key between two boundaries only
// the newest can ever be read; above the last boundary each of them may be:
//
//   versions of k:   90  70 | 60  50 | 10         boundaries 65 and 20
//   kept:            90  70 | 60     | 10
//
// An entry past its deadline is a tombstone from then on.
//
// In the bottom run (nothing older exists below) a tombstone that every reader sees has done its work.
#ifndef VARVE_ENGINE_MERGE_FILTER_H_
#define VARVE_ENGINE_MERGE_FILTER_H_

#include <string>
#include <vector>

#include "engine/range_tombstones.h"
#include "format/internal_key.h"

namespace varve {

struct MergeRules {
  std::vector<SequenceNumber> boundaries;       // ascending, never empty
  const RangeTombstones* tombstones = nullptr;  // applied where every reader sees them
  bool is_bottom = false;
  // Replaces sequence numbers that every reader sees by kOldestSequence, which takes a byte. Only in the
  // bottom run, and only when no range delete is alive: one older than the entry would then hide it.
  bool forget_sequences = false;
  // Entries with a deadline up to here become tombstones: no reader will ever see them again, whatever its
  // snapshot. Milliseconds since 1970; 0: none.
  uint64_t expired_until = 0;
};

// Small enough for every reader; smaller ones do not exist.
inline constexpr SequenceNumber kOldestSequence = 1;

// Thread-compatible.
class MergeFilter {
 public:
  explicit MergeFilter(const MergeRules& rules) : rules_(rules) {}

  // To be called for every entry in internal order. False: drop it. May lower entry->sequence, and turn an
  // expired entry into a tombstone.
  bool Keep(Entry* entry);

  // Versions kept only because a snapshot can read them: garbage once it is gone. Bytes.
  uint64_t kept_for_snapshots() const { return kept_for_snapshots_; }

 private:
  size_t StripeOf(SequenceNumber sequence) const;

  const MergeRules rules_;
  bool has_key_ = false;
  std::string key_;         // of the entry before
  size_t last_stripe_ = 0;  // of the newest version seen of key_ in the current stripe
  uint64_t kept_for_snapshots_ = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_MERGE_FILTER_H_
