// KeyState: what a replica holds of one key: the values that nobody has overwritten, and which writes it knows.
#ifndef VARVE_CLUSTER_KEY_STATE_H_
#define VARVE_CLUSTER_KEY_STATE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/causal_context.h"
#include "cluster/dot.h"
#include "varve/status.h"

namespace varve::cluster {

// Stamps are microseconds of some clock, pushed forwards where causality demands it. What decodes has none
// above this, which no clock and no pushing reaches.
inline constexpr uint64_t kMaxStamp = uint64_t{1} << 63;

// What a namespace does with writes of which neither has seen the other. Fixed when it is made.
enum class ConflictPolicy : uint8_t {
  kSiblings = 0,  // keeps them all, for a client to settle
  kLww = 1,       // keeps the one with the latest stamp; deletes are writes like the others
};

// A write that is not known to be overwritten.
struct Sibling {
  Dot dot;
  // Orders the writes of a kLww key. 0 under kSiblings.
  uint64_t stamp = 0;
  // A delete; under kLww only. Under kSiblings a delete leaves no more than its dot in the context.
  bool tombstone = false;
  std::string value;

  friend bool operator==(const Sibling&, const Sibling&) = default;
};

// A context as a client brings it: what it has seen, and the latest stamp among that.
struct SeenContext {
  CausalContext context;
  uint64_t stamp = 0;

  friend bool operator==(const SeenContext&, const SeenContext&) = default;
};

// The pair of a dot store and a causal context (Almeida, Shoker, Baquero 2018; as the clock of a key:
// Preguica et al. 2012). Merge is a join: idempotent, commutative, associative; Put and Delete only grow the
// state. So replicas that have merged the same writes are equal, in whatever order and however
// often these came. Every sibling's dot is in the context; a dot that is there without a sibling was
// overwritten or is a delete. Deletes take a dot as puts do, so that the context alone determines the state.
//
// All operations on one state take the same policy. Under kLww a put's stamp exceeds those of all that it
// overwrites (StampFor); otherwise the latest stamp and causality could disagree, and replicas diverge.
// A value. Thread-compatible.
class KeyState {
 public:
  const std::vector<Sibling>& siblings() const { return siblings_; }  // ascending by dot
  const CausalContext& context() const { return context_; }
  // Nothing is known of the key, not even a delete.
  bool IsUnknown() const { return context_.empty(); }
  // There is something to read.
  bool HasValue() const;
  // The latest stamp among the siblings.
  uint64_t stamp() const;
  // What a client that has read this state has seen.
  SeenContext Seen() const { return {context_, stamp()}; }
  // What such a client gets: the values, and what it has seen then.
  std::vector<std::string> TakeValues(SeenContext* seen) &&;

  // A stamp for a write onto this state by a client that has seen `seen`, at `wall_micros` of the clock
  // (taken as no later than kMaxStamp / 2).
  uint64_t StampFor(const SeenContext& seen, uint64_t wall_micros) const;

  // Writes in the name of the replica that holds this state: overwrites the siblings that `seen` covers and
  // leaves the others beside it. `dot` is new, and its actor has made no later one; the replica has all the
  // dots that it has ever made for this key. `stamp`: of StampFor, 0 under kSiblings.
  void Put(const CausalContext& seen, Dot dot, std::string_view value, uint64_t stamp,
           ConflictPolicy policy);
  void Delete(const CausalContext& seen, Dot dot, uint64_t stamp, ConflictPolicy policy);

  // The least state that has all of both.
  void Merge(KeyState other, ConflictPolicy policy);

  // Adds the floor of the partition, as is to be done before any other use of a stripped state.
  void Fill(const VersionVector& floor) { context_.Merge(floor); }
  // Leaves out what Fill(floor) brings back. REQUIRES: Fill(floor) has been done.
  void Strip(const VersionVector& floor) { context_.Strip(floor); }
  // Whether every replica knows all of this state and it holds no value, so that it may be erased: an absent
  // state, filled, is the same.
  bool IsReapable(const VersionVector& floor) const;

  // Canonical bytes, and back. Decode fills the state with `floor`; it accepts no bytes but those of a state
  // that was stripped of no more than that (kCorruption), and allocates in proportion to them.
  std::string Encode() const;
  void AppendTo(std::string* to) const;
  static Result<KeyState> Decode(std::string_view bytes, const VersionVector& floor = {});

  friend bool operator==(const KeyState&, const KeyState&) = default;

 private:
  void Write(const CausalContext& seen, Dot dot);
  void Insert(Sibling sibling);
  void KeepLatest(ConflictPolicy policy);

  std::vector<Sibling> siblings_;
  CausalContext context_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_KEY_STATE_H_
