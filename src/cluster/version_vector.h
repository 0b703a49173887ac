// VersionVector: of each actor, up to which counter all its dots are in the set.
#ifndef VARVE_CLUSTER_VERSION_VECTOR_H_
#define VARVE_CLUSTER_VERSION_VECTOR_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/dot.h"

namespace varve::cluster {

// A set of dots that has, of each actor, a prefix. Also the floor of a partition: every current replica has
// merged every dot in it (Preguica et al., "Dotted Version Vectors", 2012, for the vectors; the floors are
// what DottedDB strips its clocks by, Goncalves et al. 2015). A value. Operations on two of them are linear
// in their entries, on one dot logarithmic.
class VersionVector {
 public:
  struct Entry {
    ActorId actor;
    uint64_t counter;  // > 0
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }  // ascending by actor

  // The counter of `actor`; 0 if it has none.
  uint64_t Of(ActorId actor) const;
  bool Covers(Dot dot) const { return dot.counter <= Of(dot.actor); }
  bool Covers(const VersionVector& other) const;

  // Makes the counter of `actor` at least `counter`.
  void Raise(ActorId actor, uint64_t counter);
  void Merge(const VersionVector& other);
  // Takes away the entries that `floor` covers.
  void Strip(const VersionVector& floor);

  // Canonical: equal sets have equal bytes.
  void AppendTo(std::string* to) const;
  // Consumes from the front of `*input` what AppendTo writes. False when it is anything else; then both are
  // unspecified. Allocates in proportion to the input.
  static bool Consume(std::string_view* input, VersionVector* vector);

  friend bool operator==(const VersionVector&, const VersionVector&) = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_VERSION_VECTOR_H_
