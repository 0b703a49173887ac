// CausalContext: which writes of a key are known, as a set of dots.
#ifndef VARVE_CLUSTER_CAUSAL_CONTEXT_H_
#define VARVE_CLUSTER_CAUSAL_CONTEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "cluster/dot.h"
#include "cluster/version_vector.h"

namespace varve::cluster {

// A version vector and a cloud: single dots beyond it. The cloud is what lets the acknowledgement of a put
// name that put without naming what its client has never seen (Almeida, Shoker, Baquero, "Delta state
// replicated data types", 2018). Always compact: no dot of the cloud is in the vector or follows it without
// a gap, so that equal sets are equal. A value; unions are linear in both but for the insertions.
class CausalContext {
 public:
  bool empty() const { return vector_.empty() && cloud_.empty(); }
  const VersionVector& vector() const { return vector_; }
  const std::vector<Dot>& cloud() const { return cloud_; }  // ascending

  bool Covers(Dot dot) const;
  bool Covers(const CausalContext& other) const;

  void Add(Dot dot);
  // Adds all dots of `actor` up to `counter`.
  void Raise(ActorId actor, uint64_t counter);
  void Merge(const CausalContext& other);
  void Merge(const VersionVector& vector);
  // Takes away what `floor` covers. Only of a context into which `floor` has been merged, so that
  // merging it again gives that context back.
  void Strip(const VersionVector& floor);

  // The highest counter of `actor` in the set; 0 if there is none.
  uint64_t HighestOf(ActorId actor) const;

  // Canonical, as in VersionVector.
  void AppendTo(std::string* to) const;
  static bool Consume(std::string_view* input, CausalContext* context);

  friend bool operator==(const CausalContext&, const CausalContext&) = default;

 private:
  void Compact();

  VersionVector vector_;
  std::vector<Dot> cloud_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_CAUSAL_CONTEXT_H_
