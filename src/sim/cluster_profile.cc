#include "sim/cluster_profile.h"

#include <algorithm>
#include <array>

namespace varve::sim {
namespace {

constexpr std::array<std::string_view, kProfiles> kNames = {"mixed", "hints", "repair", "floors",
                                                            "moves", "news",  "strays", "versions", "restored",
                                                            "namespaces", "bounds"};
constexpr Nanos kNever = 3600 * kSecond;

// What would find a lost write later.
void LeaveOutBackground(ClusterOptions* options) {
  options->exchange_period = kNever;
  options->floor_period = kNever;
  options->hint_bytes = 0;
}

// No joins, no leaves, no lost disks, and what is acknowledged is durable.
void StayTheSame(ClusterOptions* options) {
  options->changes = 0;
  options->wipes = false;
  options->syncs = true;
  options->sloppy = false;
}

// So many keys that the next write of one, which brings what was written before, is a while away.
void SpreadOut(Stream* random, ClusterOptions* options) {
  options->keys = 10 + static_cast<uint32_t>(random->Uniform(50));
  options->idle = 20 * kMillisecond;
}

// Few keys under many requests, while any copies go anywhere.
void ShapeMoves(Stream* random, uint32_t most_nodes, ClusterOptions* options) {
  StayTheSame(options);
  LeaveOutBackground(options);
  if (random->Chance(300)) options->floor_period = kSecond;
  options->nodes = std::max(options->nodes, most_nodes);
  options->spares = 0;
  options->copies = 1 + static_cast<uint32_t>(random->Uniform(std::min(5u, most_nodes)));
  options->reshapes = 10 + static_cast<uint32_t>(random->Uniform(30));
  options->partition_bits = static_cast<uint32_t>(random->Uniform(2));
  options->keys = 1 + static_cast<uint32_t>(random->Uniform(4));
  options->clients = 3 + static_cast<uint32_t>(random->Uniform(3));
  options->small = 0;
  options->linear = random->Chance(500) ? 10 : 70;
  options->reads = random->Chance(500) ? 15 : 50;
  options->idle = random->Chance(500) ? 10 * kMillisecond : 60 * kMillisecond;
  options->patience = random->Chance(500) ? 1500 * kMillisecond : 5 * kSecond;
  options->exchange_patience = random->Chance(500) ? 300 * kMillisecond : 2 * kSecond;
}

void ShapeNews(Stream* random, ClusterOptions* options) {
  options->small_sets = random->Chance(500) ? 600 : 0;
  options->partition_bits = 0;
  if (random->Chance(500)) {
    options->topology_lag = 3 * kSecond;
    return;
  }
  options->gossip_period = kNever;
  options->watches = false;
  options->store_period = (300 + random->Uniform(1500)) * kMillisecond;
  // What is written tells who has not heard: then less.
  options->idle = (100 + random->Uniform(300)) * kMillisecond;
}

// Keys of none, and of two or three namespaces, one of each policy at least. Half of these worlds are those of moves.
void ShapeNamespaces(Stream* random, uint32_t most_nodes, ClusterOptions* options) {
  if (random->Chance(500)) {
    ShapeMoves(random, most_nodes, options);
    options->keeps_copies = true;
  }
  StayTheSame(options);
  options->copies = std::min(random->Chance(700) ? 3u : 1 + static_cast<uint32_t>(random->Uniform(5)), most_nodes);
  options->nodes = std::max(options->nodes, options->copies);
  options->small = 0;
  options->changes = options->reshapes == 0 ? 1 + static_cast<uint32_t>(random->Uniform(10)) : 0;
  options->keys = 3 + static_cast<uint32_t>(random->Uniform(6));
  if (random->Chance(500)) {  // nodes hear of settings one long after the other
    options->watches = false;
    options->store_period = (500 + random->Uniform(1500)) * kMillisecond;
  }
  const auto quorum = [&] { return 1 + static_cast<uint32_t>(random->Uniform(options->copies)); };
  for (const char* name : {"a", "b", "c"}) {
    const bool is_lww = options->namespaces.empty() || (options->namespaces.size() == 2 && random->Chance(500));
    const auto policy = is_lww ? cluster::ConflictPolicy::kLww : cluster::ConflictPolicy::kSiblings;
    options->namespaces.push_back({name, policy, quorum(), quorum(), random->Chance(300)});
    if (options->namespaces.size() == 2 && random->Chance(400)) return;
  }
}

// So little room that all of it is taken. Hints are kept for those who are gone, and siblings settle late.
void ShapeBounds(Stream* random, uint32_t most_nodes, ClusterOptions* options) {
  StayTheSame(options);
  options->sloppy = true;
  options->policy = cluster::ConflictPolicy::kSiblings;
  options->copies = std::min(options->copies, 3u);
  options->nodes = most_nodes;
  options->spares = 0;
  options->partition_bits = static_cast<uint32_t>(random->Uniform(2));
  options->keys = 1 + static_cast<uint32_t>(random->Uniform(3));
  options->clients = 8 + static_cast<uint32_t>(random->Uniform(8));
  options->idle = 10 * kMillisecond;
  options->reads = 25;
  options->blind = random->Chance(500) ? 900 : 600;
  options->lease_size = 2;
  options->max_siblings = 2 + random->Uniform(6);
  options->max_queued = 2 + random->Uniform(6);
  options->max_requests = 2 + random->Uniform(4);
  options->hint_bytes = 100 + random->Uniform(300);
}

}  // namespace

Profile ProfileOf(uint64_t seed) {
  Stream random(seed, 0x9F0F11E);
  if (random.Chance(300)) return static_cast<Profile>(1 + random.Uniform(kProfiles - 3));
  // By other numbers, as these came later, and no other seed became another world.
  if (Stream(seed, 0xB0D5).Chance(40)) return Profile::kBounds;
  return Stream(seed, 0x4A3E5).Chance(50) ? Profile::kNamespaces : Profile::kMixed;
}

std::string_view ProfileName(Profile profile) { return kNames[static_cast<size_t>(profile)]; }

std::optional<Profile> ParseProfile(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Profile>(found - kNames.begin());
}

void Shape(Profile profile, Stream* random, uint32_t most_nodes, ClusterOptions* options) {
  options->profile = profile;
  switch (profile) {
    case Profile::kMixed: return;
    case Profile::kHints:
      StayTheSame(options);
      LeaveOutBackground(options);
      options->hint_bytes = 1 << 16;
      options->reads = 0;
      SpreadOut(random, options);
      return;
    case Profile::kRepair:
      StayTheSame(options);
      LeaveOutBackground(options);
      options->reads = 20;
      SpreadOut(random, options);
      return;
    case Profile::kFloors:
      StayTheSame(options);
      LeaveOutBackground(options);
      options->floor_period = 300 * kMillisecond;
      SpreadOut(random, options);
      options->linear = 0;
      options->small = 60;
      options->reads = 5;
      return;
    case Profile::kMoves: return ShapeMoves(random, most_nodes, options);
    case Profile::kNews:
      ShapeMoves(random, most_nodes, options);
      return ShapeNews(random, options);
    case Profile::kStrays:
      ShapeMoves(random, most_nodes, options);
      options->exchange_period = kSecond;
      return;
    case Profile::kVersions: options->is_rolling = random->Chance(500); return;
    case Profile::kRestored:
      StayTheSame(options);
      SpreadOut(random, options);
      options->exchange_period = 500 * kMillisecond;
      options->lease_size = 4;
      return;
    case Profile::kNamespaces: return ShapeNamespaces(random, most_nodes, options);
    case Profile::kBounds: return ShapeBounds(random, most_nodes, options);
  }
}

void Shape(Profile profile, FaultOptions* faults) {
  switch (profile) {
    case Profile::kHints:
      // A coordinator that dies takes with it what it had not yet put aside.
      faults->Without(FaultKind::kCrash).Without(FaultKind::kPowerCut).Without(FaultKind::kPause);
      return;
    case Profile::kMoves:
      faults->most = 40;
      faults->Only({FaultKind::kCut, FaultKind::kSplit, FaultKind::kClog, FaultKind::kLose, FaultKind::kDelay,
                    FaultKind::kCrash, FaultKind::kSlowDisk});
      return;
    case Profile::kNews:
      faults->most = 40;
      faults->Only({FaultKind::kCut, FaultKind::kSplit, FaultKind::kLose, FaultKind::kCrash, FaultKind::kPowerCut,
                    FaultKind::kPause, FaultKind::kStoreStale});
      return;
    case Profile::kStrays: faults->most = 40; return;
    case Profile::kRestored:
      faults->Only({FaultKind::kRestore, FaultKind::kCut, FaultKind::kLose, FaultKind::kCrash});
      return;
    default: return;
  }
}

}  // namespace varve::sim
