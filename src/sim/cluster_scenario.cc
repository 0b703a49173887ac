#include "sim/cluster_scenario.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "sim/cluster_client.h"
#include "sim/cluster_disk.h"
#include "sim/cluster_namespaces.h"
#include "sim/cluster_operator.h"
#include "sim/cluster_profile.h"
#include "sim/stream.h"

namespace varve::sim {

using cluster::Member;
using cluster::MemberState;
using cluster::NodeId;
using cluster::PartitionId;
namespace {

// `key`: as replicas know it.
Result<cluster::KeyState> StateOf(const ReplicaView& replica, const std::string& key) {
  const auto stored = replica.stored.find(key);
  if (stored != replica.stored.end()) return cluster::KeyState::Decode(stored->second, replica.floor);
  cluster::KeyState state;
  state.Fill(replica.floor);
  return state;
}

}  // namespace

ClusterOptions RandomClusterOptions(uint64_t seed, uint32_t most_nodes, std::optional<Profile> profile) {
  Stream random(seed, 0xC1057E4);
  ClusterOptions options;
  options.copies = random.Chance(800) ? 3 : 1 + static_cast<uint32_t>(random.Uniform(5));
  options.copies = std::min(options.copies, most_nodes);
  options.nodes = options.copies + static_cast<uint32_t>(random.Uniform(most_nodes - options.copies + 1));
  options.spares = static_cast<uint32_t>(random.Uniform(std::min(3u, most_nodes - options.nodes + 1)));
  options.clients = 2 + static_cast<uint32_t>(random.Uniform(4));
  options.partition_bits = static_cast<uint32_t>(random.Uniform(3));
  options.keys = 1 + static_cast<uint32_t>(random.Uniform(5));
  options.policy = random.Chance(800) ? cluster::ConflictPolicy::kSiblings : cluster::ConflictPolicy::kLww;
  options.sloppy = random.Chance(300);
  options.changes = random.Chance(500) ? 1 + static_cast<uint32_t>(random.Uniform(10)) : 0;
  options.lease_size = random.Chance(500) ? 4 : 1000;
  options.wipes = options.copies >= 3 && random.Chance(150);
  options.syncs = !random.Chance(100);
  options.linear = random.Chance(700) ? 25 : 60;
  if (random.Chance(300)) {  // fewer keys, and more at once
    options.keys = 1 + static_cast<uint32_t>(random.Uniform(2));
    options.idle = 8 * kMillisecond;
  }
  // By another number, as these came later.
  Stream places(seed, 0x4AC5);
  options.racks = places.Chance(400) ? 1 + static_cast<uint32_t>(places.Uniform(4)) : 0;
  options.is_weighted = places.Chance(300);
  if (options.sloppy && places.Chance(300)) {  // fallbacks stand in for several at once
    options.sloppy_writes = 900;
    options.all = 70;
  }
  Shape(profile.value_or(ProfileOf(seed)), &random, most_nodes, &options);
  return options;
}

WorldOptions WorldOptionsFor(const ClusterOptions& options) {
  WorldOptions world;
  world.least = options.least;
  world.calm = options.calm;
  world.may_tear = false;
  world.connections = true;
  world.most_events = 3'000'000;
  return world;
}

FaultOptions FaultOptionsFor(const ClusterOptions& options) {
  FaultOptions faults;
  faults.duration = options.least;
  faults.longest = 3 * kSecond;
  faults.most_down = options.copies;
  faults.most_wiped = options.wipes ? 1 : 0;
  Shape(options.profile, &faults);
  return faults;
}

std::string ClusterScenario::FirstTopology() const {
  return EncodeRecord(run_.options, {FirstSettingsOf(run_.options), FirstTopologyOf(run_.options)});
}

std::unique_ptr<Node> ClusterScenario::NewNode(Endpoint endpoint, const Disk* disk, uint64_t random_seed) {
  if (endpoint < servers()) return std::make_unique<ClusterServer>(endpoint, disk, &run_, random_seed);
  if (endpoint < servers() + run_.options.clients) return std::make_unique<ClusterClient>(endpoint, &run_, random_seed);
  return std::make_unique<ClusterOperator>(&run_, random_seed);
}

Status ClusterScenario::Check(const World& world) {
  run_.world = &world;
  if (run_.calm_since == 0 && world.IsCalm() && world.now() >= run_.options.least) run_.calm_since = world.now();
  while (revision_ < world.store().revision()) {
    const StoreRecord record = SplitRecord(run_.options, world.store().At(++revision_));
    if (record.topology == last_topology_) continue;  // the settings have changed
    last_topology_ = record.topology;
    VARVE_RETURN_IF_ERROR(run_.topologies.OnVersion(last_topology_));
    run_.acks.OnTopology(run_.topologies.last());
  }
  VARVE_RETURN_IF_ERROR(run_.status);
  if (run_.options.profile == Profile::kHints && run_.IsLastRound() && !is_last_round_) {
    is_last_round_ = true;
    return CheckEverywhere(world);
  }
  return Status::Ok();
}

// Nobody has read anything yet, or compared: what was acknowledged is nevertheless at every replica.
Status ClusterScenario::CheckEverywhere(const World& world) const {
  for (const std::string& key : run_.history.Keys()) {
    const PartitionId partition = run_.PartitionOf(key);
    for (const NodeId node : run_.topologies.last().placement.Replicas(partition)) {
      const ReplicaView view = View(world, node, partition);
      VARVE_ASSIGN_OR_RETURN(const cluster::KeyState state, StateOf(view, run_.ReplicaKeyOf(key)));
      const Status status = run_.history.CheckFinal(key, state);
      if (!status.ok()) {
        return Status::Corruption(std::string(status.message()) + ", at node " + std::to_string(Value(node)) +
                                  ", after all hints");
      }
    }
  }
  return Status::Ok();
}

const ClusterServer& ClusterScenario::Server(const World& world, Endpoint endpoint) const {
  return *static_cast<const ClusterServer*>(world.node(endpoint));
}

Status ClusterScenario::CheckServers(const World& world) const {
  const cluster::Topology& topology = run_.topologies.last();
  for (Endpoint endpoint = 0; endpoint < servers(); ++endpoint) {
    const ClusterServer& server = Server(world, endpoint);
    const std::string name = "I6: server " + std::to_string(endpoint);
    if (server.calls() != 0) return Status::Corruption(name + " has not answered " + std::to_string(server.calls()));
    if (server.core() == nullptr) continue;
    const cluster::NodeStatus status = server.core()->status();
    if (status.requests != 0) return Status::Corruption(name + " has requests that do not end");
    if (status.epoch != topology.epoch) return Status::Corruption(name + " has not heard of the last topology");
    const Member* member = topology.Find(server.id());
    if (member == nullptr || member->state == MemberState::kRemoved) continue;
    if (status.hints != 0) return Status::Corruption(name + " keeps " + std::to_string(status.hints) + " hints");
    if (status.actor == cluster::kNoActor) return Status::Corruption(name + " has no actor");
    if (status.partitions_loading + status.partitions_filling != 0) {
      return Status::Corruption(name + " is still loading or filling");
    }
  }
  return Status::Ok();
}

ReplicaView ClusterScenario::View(const World& world, NodeId node, PartitionId partition) const {
  const auto endpoint = static_cast<Endpoint>(std::stoul(run_.topologies.last().Find(node)->address));
  const Disk& disk = world.disk(endpoint);
  ReplicaView view;
  view.node = node;
  view.floor = FloorOf(disk, partition);
  ForEachKey(disk, partition,
             [&view](std::string_view key, std::string_view bytes) { view.stored.emplace(key, bytes); });
  const cluster::NodeCore* core = Server(world, endpoint).core();
  const cluster::Replica* replica = core == nullptr ? nullptr : core->replica(partition);
  if (replica != nullptr) view.root = replica->tree().Root();
  return view;
}

// Its replicas are equal, hold what was acknowledged, and nobody else has anything of it.
Status ClusterScenario::CheckPartition(const World& world, PartitionId partition) const {
  const auto nodes = run_.topologies.last().placement.Replicas(partition);
  std::vector<ReplicaView> views;
  for (const NodeId node : nodes) views.push_back(View(world, node, partition));
  if (run_.options.profile != Profile::kRestored) VARVE_RETURN_IF_ERROR(CheckEqual(views));
  for (const std::string& key : run_.history.Keys()) {
    if (run_.PartitionOf(key) != partition) continue;
    VARVE_ASSIGN_OR_RETURN(const cluster::KeyState state, StateOf(views[0], run_.ReplicaKeyOf(key)));
    VARVE_RETURN_IF_ERROR(run_.history.CheckFinal(key, state));
  }
  for (Endpoint endpoint = 0; endpoint < servers(); ++endpoint) {
    const NodeId id = Server(world, endpoint).id();
    if (id == cluster::kNoNode || std::find(nodes.begin(), nodes.end(), id) != nodes.end()) continue;
    Status left;
    ForEachKey(world.disk(endpoint), partition, [&](std::string_view key, std::string_view) {
      left = Status::Corruption("I6: server " + std::to_string(endpoint) + " keeps " + std::string(key) +
                                ", and is no replica of it");
    });
    VARVE_RETURN_IF_ERROR(left);
  }
  return Status::Ok();
}

Status ClusterScenario::CheckEnd(const World& world) {
  VARVE_RETURN_IF_ERROR(run_.topologies.CheckSettled());
  // Where copies went anywhere no planner has had a word.
  if (run_.options.reshapes == 0) VARVE_RETURN_IF_ERROR(run_.topologies.CheckPlanned(run_.options.copies));
  VARVE_RETURN_IF_ERROR(CheckServers(world));
  for (uint32_t p = 0; p < run_.topologies.last().placement.partitions(); ++p) {
    VARVE_RETURN_IF_ERROR(CheckPartition(world, PartitionId{static_cast<uint16_t>(p)}));
  }
  if (run_.last_reads != run_.options.keys) {
    return Status::Corruption("I6: " + std::to_string(run_.last_reads) + " of " + std::to_string(run_.options.keys) +
                              " keys could be read from all replicas");
  }
  // Not of machines that have not become members yet, as they have not reached the topology store.
  const bool has_asked_for_much = run_.taken > 200;
  if (has_asked_for_much && run_.history.acknowledged() == 0) return Status::Corruption("I6: nothing was acknowledged");
  return Status::Ok();
}

}  // namespace varve::sim
