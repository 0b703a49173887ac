#include "sim/cluster_disk.h"

#include <charconv>
#include <utility>

#include "base/check.h"
#include "base/coding.h"

namespace varve::sim {
namespace {

using cluster::PartitionId;

uint64_t NumberOf(std::string_view name) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 16, number, 16);
  VARVE_CHECK(error == std::errc() && end == name.data() + 16);
  return number;
}

uint64_t ReadVarint(std::string_view* bytes) {
  uint64_t value = 0;
  VARVE_CHECK(ConsumeVarint(bytes, &value));
  return value;
}

std::string Varint(uint64_t value) {
  std::string bytes;
  AppendVarint(&bytes, value);
  return bytes;
}

std::string KeysPrefix(PartitionId partition) { return "k/" + NumberName(Value(partition)) + "/"; }

void LoadPartition(std::string_view name, std::string_view bytes, cluster::NodeDurable* durable) {
  cluster::PartitionDurable& partition = durable->partitions[PartitionId{static_cast<uint16_t>(NumberOf(name))}];
  switch (name.back()) {
    case 'e': partition.epoch = cluster::Epoch{ReadVarint(&bytes)}; break;
    case 'l':
      partition.actor = cluster::ActorId{static_cast<uint32_t>(ReadVarint(&bytes))};
      partition.lease_end = ReadVarint(&bytes);
      break;
    default: VARVE_CHECK(cluster::VersionVector::Consume(&bytes, &partition.floor));
  }
}

cluster::StoreHint LoadHint(std::string_view name, std::string_view bytes) {
  cluster::StoreHint hint;
  hint.hint = NumberOf(name);
  hint.owner = cluster::NodeId{ReadVarint(&bytes)};
  hint.partition = PartitionId{static_cast<uint16_t>(ReadVarint(&bytes))};
  std::string_view key;
  VARVE_CHECK(ConsumeLengthPrefixed(&bytes, &key));
  hint.key = key;
  hint.state = bytes;
  return hint;
}

}  // namespace

std::string NumberName(uint64_t number) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name(16, '0');
  for (size_t i = 16; i-- > 0; number >>= 4) name[i] = kDigits[number & 15];
  return name;
}

std::string KeyName(PartitionId partition, std::string_view key) { return KeysPrefix(partition) + std::string(key); }

std::string PartitionName(PartitionId partition, char what) { return "p/" + NumberName(Value(partition)) + "/" + what; }

cluster::NodeDurable LoadNode(const Disk& disk) {
  cluster::NodeDurable durable;
  for (const auto& [name, bytes] : disk.records()) {
    std::string_view input = bytes;
    switch (name[0]) {
      case 't': durable.topology = bytes; break;
      case 'f': durable.forsaken = cluster::ActorId{static_cast<uint32_t>(ReadVarint(&input))}; break;
      case 'p': LoadPartition(std::string_view(name).substr(2), bytes, &durable); break;
      case 'h': durable.hints.push_back(LoadHint(std::string_view(name).substr(2), bytes)); break;
      default: break;
    }
  }
  const auto seen = disk.Read("b");
  durable.may_have_lost_writes = disk.power_cuts() > 0 && (!seen || *seen != Varint(disk.power_cuts()));
  return durable;
}

void ForEachKey(const Disk& disk, PartitionId partition,
                const std::function<void(std::string_view key, std::string_view bytes)>& visit) {
  const std::string prefix = KeysPrefix(partition);
  for (auto it = disk.records().lower_bound(prefix); it != disk.records().end() && it->first.starts_with(prefix); ++it) {
    visit(std::string_view(it->first).substr(prefix.size()), it->second);
  }
}

std::pair<cluster::ActorId, uint64_t> LeaseOf(const Disk::Records& records, PartitionId partition) {
  const auto found = records.find(PartitionName(partition, 'l'));
  if (found == records.end()) return {cluster::kNoActor, 0};
  std::string_view bytes = found->second;
  const cluster::ActorId actor{static_cast<uint32_t>(ReadVarint(&bytes))};
  return {actor, ReadVarint(&bytes)};
}

cluster::VersionVector FloorOf(const Disk& disk, PartitionId partition) {
  cluster::VersionVector floor;
  if (auto bytes = disk.Read(PartitionName(partition, 'f'))) {
    VARVE_CHECK(cluster::VersionVector::Consume(&*bytes, &floor));
  }
  return floor;
}

void Keep(const cluster::PersistLease& lease, Actions* actions) {
  actions->Write(PartitionName(lease.partition, 'l'), Varint(Value(lease.actor)) + Varint(lease.end));
}
void Keep(const cluster::PersistEpoch& epoch, Actions* actions) {
  actions->Write(PartitionName(epoch.partition, 'e'), Varint(Value(epoch.epoch)));
}
void Keep(const cluster::PersistFloor& floor, Actions* actions) {
  std::string bytes;
  floor.floor.AppendTo(&bytes);
  actions->Write(PartitionName(floor.partition, 'f'), std::move(bytes));
}
void Keep(const cluster::PersistTopology& topology, Actions* actions) { actions->Write("t", topology.bytes); }
// With it goes the suspicion that made it necessary.
void Keep(const cluster::ForsakeActor& forsake, const Disk& disk, Actions* actions) {
  actions->Write("f", Varint(Value(forsake.actor)));
  actions->Write("b", Varint(disk.power_cuts()));
}
void Keep(const cluster::StoreHint& hint, Actions* actions) {
  std::string bytes = Varint(Value(hint.owner)) + Varint(Value(hint.partition));
  AppendLengthPrefixed(&bytes, hint.key);
  actions->Write("h/" + NumberName(hint.hint), bytes + hint.state);
}
void Keep(const cluster::EraseHint& hint, Actions* actions) { actions->Erase("h/" + NumberName(hint.hint)); }
void Keep(const cluster::WriteKey& write, Actions* actions) {
  if (write.bytes) {
    actions->Write(KeyName(write.partition, write.key), *write.bytes);
  } else {
    actions->Erase(KeyName(write.partition, write.key));
  }
}
void Drop(PartitionId partition, const Disk& disk, Actions* actions) {
  // All or nothing: a floor without all of its keys would say that those which are missing are deleted.
  actions->Erase(PartitionName(partition, 'f'));
  ForEachKey(disk, partition,
             [&](std::string_view key, std::string_view) { actions->Erase(KeyName(partition, key), true); });
}

}  // namespace varve::sim
