// The bytes of a topology (topology.h).
#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/hash.h"
#include "base/planted_bug.h"
#include "cluster/topology.h"

namespace varve::cluster {
namespace {

constexpr uint32_t kMagic = 0x504F5456;  // "VTOP"
constexpr uint64_t kTopologyVersion = 1;
constexpr size_t kChecksumBytes = 8;


void AppendList(const Topology& topology, std::span<const NodeId> list, std::string* to) {
  AppendVarint(to, list.size());
  for (const NodeId node : list) {
    AppendVarint(to, static_cast<uint64_t>(topology.Find(node) - topology.members.data()));
  }
}

// Consumes from the front of `input`. After a failure nothing that it returns means anything.
class Reader {
 public:
  explicit Reader(std::string_view input) : input_(input) {}
  bool failed() const { return failed_; }
  bool is_at_end() const { return input_.empty(); }

  // A number of at most `most`.
  uint64_t Number(uint64_t most = ~uint64_t{0}) {
    uint64_t value = 0;
    if (!ConsumeVarint(&input_, &value) || value > most) Fail();
    return failed_ ? 0 : value;
  }
  uint64_t Fixed() {
    uint64_t value = 0;
    if (!ConsumeFixed(&input_, &value)) Fail();
    return value;
  }
  std::string Text() {
    std::string_view bytes;
    if (!ConsumeLengthPrefixed(&input_, &bytes) || bytes.size() > kMaxMemberTextBytes) Fail();
    return failed_ ? std::string() : std::string(bytes);
  }
  // Replicas by their places; none twice.
  std::vector<NodeId> List(const std::vector<Member>& members, uint32_t most) {
    std::vector<NodeId> list;
    for (uint64_t left = Number(most); left > 0 && !failed_; --left) {
      const uint64_t place = Number();
      if (failed_ || place >= members.size() || IsIn(members[place].id, list)) {
        Fail();
      } else {
        list.push_back(members[place].id);
      }
    }
    return list;
  }

 private:
  void Fail() {
    failed_ = true;
    input_ = {};
  }
  std::string_view input_;
  bool failed_ = false;
};

Member ReadMember(Reader* reader) {
  Member member;
  member.id = NodeId{reader->Number()};
  member.actor = ActorId{static_cast<uint32_t>(reader->Number(~uint32_t{0}))};
  member.state =
      static_cast<MemberState>(reader->Number(static_cast<uint64_t>(MemberState::kRemoved)));
  member.weight = static_cast<uint32_t>(reader->Number(~uint32_t{0}));
  member.rack = reader->Text();
  member.address = reader->Text();
  return member;
}

void ReadPartitions(Reader* reader, Topology* topology) {
  for (uint32_t p = 0; p < topology->placement.partitions() && !reader->failed(); ++p) {
    const uint64_t age = reader->Number(Value(topology->epoch));
    topology->since.push_back(Epoch{Value(topology->epoch) - age});
    topology->placement.SetReplicas(PartitionIdOf(p),
                                    reader->List(topology->members, topology->placement.copies()));
  }
}

void ReadTarget(Reader* reader, Topology* topology) {
  topology->target = topology->placement;
  if (reader->Number(1) == 0) return;
  const uint64_t copies = reader->Number(kMaxCopies);
  if (copies == 0) return;
  topology->target = Placement(topology->placement.bits(), static_cast<uint32_t>(copies));
  for (uint32_t p = 0; p < topology->target.partitions() && !reader->failed(); ++p) {
    topology->target.SetReplicas(PartitionIdOf(p),
                                 reader->List(topology->members, topology->target.copies()));
  }
}

void ReadMoves(Reader* reader, Topology* topology) {
  for (uint64_t left = reader->Number(topology->placement.partitions());
       left > 0 && !reader->failed(); --left) {
    Move move;
    move.partition =
        PartitionIdOf(static_cast<uint32_t>(reader->Number(topology->placement.partitions() - 1)));
    move.stage = static_cast<MoveStage>(reader->Number(static_cast<uint64_t>(MoveStage::kSettle)));
    move.next = reader->List(topology->members, kMaxCopies);
    topology->moves.push_back(std::move(move));
  }
}

Topology Read(Reader* reader) {
  Topology topology;
  topology.cluster = reader->Fixed();
  topology.epoch = Epoch{reader->Number()};
  topology.last_actor = ActorId{static_cast<uint32_t>(reader->Number(~uint32_t{0}))};
  const auto bits = static_cast<uint32_t>(reader->Number(kMaxPartitionBits));
  const auto copies = static_cast<uint32_t>(reader->Number(kMaxCopies));
  for (uint64_t left = reader->Number(kMaxMembers); left > 0 && !reader->failed(); --left) {
    topology.members.push_back(ReadMember(reader));
  }
  topology.placement =
      Placement(bits, std::max(copies, 1u));  // 0 is found when the bytes are compared
  // What is out of order could not be looked up, and Validate says so.
  NodeId previous = kNoNode;
  for (const Member& member : topology.members) {
    if (reader->failed() || member.id <= previous) return topology;
    previous = member.id;
  }
  if (!reader->failed()) ReadPartitions(reader, &topology);
  if (!reader->failed()) ReadTarget(reader, &topology);
  if (!reader->failed()) ReadMoves(reader, &topology);
  return topology;
}

}  // namespace

std::string EncodeTopology(const Topology& topology) {
  std::string bytes;
  AppendFixed(&bytes, kMagic);
  AppendVarint(&bytes, kTopologyVersion);
  AppendFixed(&bytes, topology.cluster);
  const Placement& placement = topology.placement;
  for (const uint64_t number :
       {Value(topology.epoch), uint64_t{Value(topology.last_actor)}, uint64_t{placement.bits()},
        uint64_t{placement.copies()}, uint64_t{topology.members.size()}}) {
    AppendVarint(&bytes, number);
  }
  for (const Member& member : topology.members) {
    AppendVarint(&bytes, Value(member.id));
    AppendVarint(&bytes, Value(member.actor));
    AppendVarint(&bytes, static_cast<uint64_t>(member.state));
    AppendVarint(&bytes, member.weight);
    AppendLengthPrefixed(&bytes, member.rack);
    AppendLengthPrefixed(&bytes, member.address);
  }
  for (uint32_t p = 0; p < placement.partitions(); ++p) {
    AppendVarint(&bytes, Value(topology.epoch) - Value(topology.since[p]));
    AppendList(topology, placement.Replicas(PartitionIdOf(p)), &bytes);
  }
  const bool has_target = topology.target != placement;
  AppendVarint(&bytes, has_target ? 1 : 0);
  if (has_target) {
    AppendVarint(&bytes, topology.target.copies());
    for (uint32_t p = 0; p < placement.partitions(); ++p)
      AppendList(topology, topology.target.Replicas(PartitionIdOf(p)), &bytes);
  }
  AppendVarint(&bytes, topology.moves.size());
  for (const Move& move : topology.moves) {
    AppendVarint(&bytes, Value(move.partition));
    AppendVarint(&bytes, static_cast<uint64_t>(move.stage));
    AppendList(topology, move.next, &bytes);
  }
  AppendFixed(&bytes, Hash64(bytes));
  return bytes;
}

Result<Topology> DecodeTopology(std::string_view bytes) {
  std::string_view rest = bytes;
  uint32_t magic = 0;
  uint64_t version = 0;
  if (!ConsumeFixed(&rest, &magic) || magic != kMagic || !ConsumeVarint(&rest, &version)) {
    return Status::Corruption("topology: these bytes are something else");
  }
  if (version != kTopologyVersion) {
    return Status::NotSupported("topology: of format version " + std::to_string(version));
  }
  if (rest.size() < kChecksumBytes ||
      Hash64(bytes.substr(0, bytes.size() - kChecksumBytes)) !=
          LoadFixed<uint64_t>(bytes.data() + bytes.size() - kChecksumBytes)) {
    return Status::Corruption("topology: wrong checksum");
  }
  rest.remove_suffix(kChecksumBytes);
  Reader reader(rest);
  Topology topology = Read(&reader);
  if (reader.failed()) return Status::Corruption("topology: cut off or out of range");
  const Status status = Validate(topology);
  if (!status.ok()) return status;
  if (VARVE_PLANTED_BUG("topology.other_spellings_accepted")) return topology;
  if (EncodeTopology(topology) != bytes) return Status::Corruption("topology: not in its one form");
  return topology;
}

}  // namespace varve::cluster
