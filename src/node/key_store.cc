#include "node/key_store.h"

#include "base/coding.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve::node {
namespace {

using cluster::PartitionId;

constexpr std::string_view kIdentity = "identity";
constexpr std::string_view kTopology = "topology";
constexpr std::string_view kSettings = "settings";
constexpr std::string_view kForsaken = "forsaken";
constexpr std::string_view kLife = "life";
constexpr std::string_view kEpoch = "epoch";
constexpr std::string_view kLease = "lease";
constexpr std::string_view kFloor = "floor";
constexpr std::string_view kHint = "hint";

// With the high byte first, so that the order of bytes is that of numbers.
void AppendBig(std::string* to, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) to->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t ReadBig(std::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string StoredKey(uint32_t slot, std::string_view key) {
  std::string stored;
  stored.reserve(key.size() + 2);
  AppendBig(&stored, slot, 2);
  stored.append(key);
  return stored;
}

std::string MetaKey(std::string_view name, uint64_t number, int bytes) {
  std::string key(name);
  AppendBig(&key, number, bytes);
  return key;
}

std::string Begin(SlotRange slots) { return StoredKey(slots.first, ""); }
std::string End(SlotRange slots) {
  // No slot has a number of more than 14 bits.
  return StoredKey(slots.first + slots.count, "");
}

// What of "life" says how the last one began and ended.
struct Life {
  uint64_t number = 0;
  bool has_ended = false;
  bool may_have_lost = false;
  std::string boot;
};

std::string EncodeLife(const Life& life) {
  std::string bytes;
  AppendVarint(&bytes, life.number);
  bytes.push_back(life.has_ended ? 1 : 0);
  bytes.push_back(life.may_have_lost ? 1 : 0);
  return bytes + life.boot;
}

bool DecodeLife(std::string_view bytes, Life* life) {
  if (!ConsumeVarint(&bytes, &life->number) || bytes.size() < 2) return false;
  life->has_ended = bytes[0] != 0;
  life->may_have_lost = bytes[1] != 0;
  life->boot = bytes.substr(2);
  return true;
}

bool DecodeHint(std::string_view bytes, cluster::StoreHint* hint) {
  uint64_t owner = 0, partition = 0;
  std::string_view key, state;
  const bool is_right = ConsumeVarint(&bytes, &owner) && ConsumeVarint(&bytes, &partition) &&
                        ConsumeLengthPrefixed(&bytes, &key) && ConsumeLengthPrefixed(&bytes, &state) && bytes.empty();
  hint->owner = cluster::NodeId{owner};
  hint->partition = PartitionId{static_cast<uint16_t>(partition)};
  hint->key = key;
  hint->state = state;
  return is_right && partition <= UINT16_MAX;
}

// One record of the meta namespace that belongs to a partition or is a hint. False: it makes no sense.
bool TakeRecord(std::string_view name, std::string_view bytes, cluster::NodeDurable* durable) {
  if (name.starts_with(kHint)) {
    cluster::StoreHint hint{.hint = ReadBig(name.substr(kHint.size()))};
    if (!DecodeHint(bytes, &hint)) return false;
    durable->hints.push_back(std::move(hint));
    return true;
  }
  for (const std::string_view field : {kEpoch, kLease, kFloor}) {
    if (!name.starts_with(field) || name.size() != field.size() + 2) continue;
    cluster::PartitionDurable& partition =
        durable->partitions[PartitionId{static_cast<uint16_t>(ReadBig(name.substr(field.size())))}];
    uint64_t number = 0;
    if (field == kFloor) return cluster::VersionVector::Consume(&bytes, &partition.floor) && bytes.empty();
    if (!ConsumeVarint(&bytes, &number)) return false;
    if (field == kEpoch) {
      partition.epoch = cluster::Epoch{number};
      return bytes.empty();
    }
    partition.actor = cluster::ActorId{static_cast<uint32_t>(number)};
    return ConsumeVarint(&bytes, &partition.lease_end) && bytes.empty();
  }
  return name == kIdentity || name == kTopology || name == kSettings || name == kForsaken || name == kLife;
}

// Whatever the store's default is: who needs more asks for a sync, one for many.
constexpr NamespaceOptions kNamespaceOptions{.durability = Durability::kProcess};

}  // namespace

Result<std::optional<KnownCluster>> KeyStore::Recall(Db* db) {
  VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<Namespace> meta, db->OpenNamespace("cluster.meta", kNamespaceOptions));
  KnownCluster known;
  for (const auto& [name, value] : {std::pair{kTopology, &known.topology}, {kSettings, &known.settings}}) {
    Result<std::string> found = meta->Get(name);
    if (found.status().IsNotFound()) return std::optional<KnownCluster>();
    if (!found.ok()) return found.status();
    *value = *std::move(found);
  }
  std::string_view settings = known.settings;
  if (!ConsumeVarint(&settings, &known.settings_revision)) return Status::Corruption("the record of the cluster's settings");
  known.settings = std::string(settings);
  return std::optional(std::move(known));
}

Result<std::unique_ptr<KeyStore>> KeyStore::Open(Db* db, uint64_t cluster, cluster::NodeId self, const std::string& boot) {
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<Namespace> keys, db->OpenNamespace("cluster.keys", kNamespaceOptions));
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<Namespace> meta, db->OpenNamespace("cluster.meta", kNamespaceOptions));
  std::unique_ptr<KeyStore> store(new KeyStore(db, std::move(keys), std::move(meta)));
  VARVE_RETURN_IF_ERROR(store->BeginLife(cluster, self, boot));
  return store;
}

Status KeyStore::BeginLife(uint64_t cluster, cluster::NodeId self, const std::string& boot) {
  std::string identity;
  AppendFixed(&identity, cluster);
  AppendFixed(&identity, Value(self));
  VARVE_ASSIGN_OR_RETURN(const std::optional<std::string> before, Meta(kIdentity));
  is_new_ = !before;
  if (before && *before != identity) {
    return Status::InvalidArgument("this store belongs to another node, or to a node of another cluster");
  }
  VARVE_ASSIGN_OR_RETURN(const std::optional<std::string> last, Meta(kLife));
  Life life;
  if (last && !DecodeLife(*last, &life)) return Status::Corruption("the record of this node's last life");
  const bool is_same_boot = !boot.empty() && life.boot == boot;
  const bool is_sure = is_new_ || life.has_ended || is_same_boot || VARVE_PLANTED_BUG("node.power_cuts_unnoticed");
  may_have_lost_writes_ = life.may_have_lost || !is_sure;
  life_ = life.number + 1;
  WriteBatch batch;
  batch.Put(*meta_, kIdentity, identity);
  batch.Put(*meta_, kLife,
            EncodeLife({.number = life_, .has_ended = false, .may_have_lost = may_have_lost_writes_, .boot = boot}));
  return db_->Write(batch, {.durability = Durability::kSync});
}

Result<std::optional<std::string>> KeyStore::Meta(std::string_view name) {
  Result<std::string> value = meta_->Get(name);
  if (value.status().IsNotFound()) return std::optional<std::string>();
  if (!value.ok()) return value.status();
  return std::optional(*std::move(value));
}

Result<cluster::NodeDurable> KeyStore::LoadDurable() {
  cluster::NodeDurable durable;
  durable.may_have_lost_writes = may_have_lost_writes_;
  VARVE_ASSIGN_OR_RETURN(const std::optional<std::string> topology, Meta(kTopology));
  durable.topology = topology.value_or("");
  VARVE_ASSIGN_OR_RETURN(const std::optional<std::string> forsaken, Meta(kForsaken));
  if (forsaken) {
    std::string_view bytes = *forsaken;
    uint64_t actor = 0;
    if (!ConsumeVarint(&bytes, &actor)) return Status::Corruption("the record of the last forsaken actor");
    durable.forsaken = cluster::ActorId{static_cast<uint32_t>(actor)};
  }
  const std::unique_ptr<Iterator> iterator = meta_->NewIterator();
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    if (!TakeRecord(iterator->key(), iterator->value(), &durable)) {
      return Status::Corruption("a record of this node makes no sense");
    }
  }
  VARVE_RETURN_IF_ERROR(iterator->status());
  return durable;
}

Result<std::optional<std::string>> KeyStore::Read(uint16_t slot, std::string_view key) {
  Result<std::string> value = keys_->Get(StoredKey(slot, key));
  if (value.status().IsNotFound()) return std::optional<std::string>();
  if (!value.ok()) return value.status();
  return std::optional(*std::move(value));
}

Status KeyStore::Write(uint16_t slot, std::string_view key, std::optional<std::string_view> bytes) {
  const std::string stored = StoredKey(slot, key);
  return bytes ? keys_->Put(stored, *bytes) : keys_->Delete(stored);
}

Status KeyStore::Visit(SlotRange slots, const Place& after, const Visitor& visit) {
  const std::string begin = after ? StoredKey(after->first, after->second) + '\0' : Begin(slots);
  const std::string end = End(slots);
  const std::unique_ptr<Iterator> iterator = keys_->NewIterator({.lower_bound = begin, .upper_bound = end});
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    const std::string_view value = iterator->value();
    VARVE_RETURN_IF_ERROR(iterator->status());
    if (!visit(iterator->key().substr(2), value)) return Status::Ok();
  }
  return iterator->status();
}

uint64_t KeyStore::CountKeys(SlotRange slots, uint64_t at_most) {
  uint64_t count = 0;
  static_cast<void>(Visit(slots, [&](std::string_view, std::string_view) { return ++count < at_most; }));
  return count;
}

Status KeyStore::Drop(PartitionId partition, SlotRange slots) {
  WriteBatch batch;
  batch.DeleteRange(*keys_, Begin(slots), End(slots));
  batch.Delete(*meta_, MetaKey(kFloor, Value(partition), 2));
  return db_->Write(batch, {.durability = Durability::kProcess});
}

Status KeyStore::Put(const cluster::PersistLease& lease) {
  std::string bytes;
  AppendVarint(&bytes, Value(lease.actor));
  AppendVarint(&bytes, lease.end);
  return meta_->Put(MetaKey(kLease, Value(lease.partition), 2), bytes);
}

Status KeyStore::Put(const cluster::PersistEpoch& epoch) {
  std::string bytes;
  AppendVarint(&bytes, Value(epoch.epoch));
  return meta_->Put(MetaKey(kEpoch, Value(epoch.partition), 2), bytes);
}

Status KeyStore::Put(const cluster::PersistFloor& floor) {
  std::string bytes;
  floor.floor.AppendTo(&bytes);
  return meta_->Put(MetaKey(kFloor, Value(floor.partition), 2), bytes);
}

Status KeyStore::Put(const cluster::PersistTopology& topology) { return meta_->Put(kTopology, topology.bytes); }

Status KeyStore::PutSettings(const std::string& settings, uint64_t revision) {
  std::string bytes;
  AppendVarint(&bytes, revision);
  return meta_->Put(kSettings, bytes + settings, {.durability = Durability::kSync});
}

Status KeyStore::Put(const cluster::ForsakeActor& actor) {
  std::string bytes;
  AppendVarint(&bytes, Value(actor.actor));
  return meta_->Put(kForsaken, bytes);
}

Status KeyStore::Put(const cluster::StoreHint& hint) {
  std::string bytes;
  AppendVarint(&bytes, Value(hint.owner));
  AppendVarint(&bytes, Value(hint.partition));
  AppendLengthPrefixed(&bytes, hint.key);
  AppendLengthPrefixed(&bytes, hint.state);
  return meta_->Put(MetaKey(kHint, hint.hint, 8), bytes);
}

Status KeyStore::EraseHint(uint64_t hint) { return meta_->Delete(MetaKey(kHint, hint, 8)); }

Status KeyStore::ForgetLosses() {
  VARVE_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, Meta(kLife));
  Life life;
  if (!bytes || !DecodeLife(*bytes, &life)) return Status::Corruption("the record of this node's life");
  life.may_have_lost = false;
  return meta_->Put(kLife, EncodeLife(life));
}

Status KeyStore::NoteOrderlyEnd() {
  VARVE_RETURN_IF_ERROR(db_->Sync());
  VARVE_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, Meta(kLife));
  Life life;
  if (!bytes || !DecodeLife(*bytes, &life)) return Status::Corruption("the record of this node's life");
  life.has_ended = true;
  return meta_->Put(kLife, EncodeLife(life), {.durability = Durability::kSync});
}

}  // namespace varve::node
