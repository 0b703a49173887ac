// Profiles: worlds in which one promise of the cluster stands alone. In most worlds several mechanisms mend the same loss, and
// hide that one of them does not work. A profile leaves the others out, or makes rare moments common.
#ifndef VARVE_SIM_CLUSTER_PROFILE_H_
#define VARVE_SIM_CLUSTER_PROFILE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sim/cluster_run.h"
#include "sim/fault.h"
#include "sim/stream.h"

namespace varve::sim {

// Each seed has one: of a hundred, some 66 are kMixed, and the others have about equal shares.
Profile ProfileOf(uint64_t seed);
// "mixed", "hints", ...; nothing: there is no such profile.
std::string_view ProfileName(Profile profile);
std::optional<Profile> ParseProfile(std::string_view name);

// Makes one of its worlds out of one by chance.
void Shape(Profile profile, Stream* random, uint32_t most_nodes, ClusterOptions* options);
void Shape(Profile profile, FaultOptions* faults);

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_PROFILE_H_
