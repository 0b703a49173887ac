// CoreWorld: nodes with the cores of the cluster, one partition, a network that loses, doubles and delays, stores
// that answer late, and crashes of processes. One seed, one story. Keeps what clients were told, for the oracles.
#ifndef VARVE_TESTS_CLUSTER_CORE_WORLD_H_
#define VARVE_TESTS_CLUSTER_CORE_WORLD_H_

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "cluster/coordinator.h"
#include "cluster/hint_keeper.h"
#include "cluster/replica.h"
#include "tests/cluster/stored_keys.h"

namespace varve::cluster::test {

inline constexpr PartitionId kPartition{5};
inline constexpr Nanos kMilli = 1'000'000;

// What became of a client's request.
struct Record {
  bool is_get = false;
  std::string key;
  std::string value;  // of a put; "" for a delete
  RequestOptions options;
  SeenContext brought;
  Nanos begun = 0;
  Nanos ended = 0;
  int finished = 0;  // how often
  bool coordinator_died = false;
  Outcome outcome = Outcome::kUnknown;
  ReplyCode reason = ReplyCode::kOk;
  SeenContext seen;
  std::vector<std::string> values;
};

class CoreWorld {
 public:
  struct Faults {
    double loss = 0;
    double doubling = 0;
    bool crashes = false;
  };
  struct Node {
    NodeId id{};
    bool is_up = true;
    // On disk.
    std::map<std::string, std::string> stored;
    std::map<uint64_t, StoreHint> hints;
    Replica::Durable durable;
    // In memory.
    std::unique_ptr<Replica> replica;
    std::unique_ptr<Coordinator> coordinator;
    std::unique_ptr<HintKeeper> keeper;
    std::vector<Action> storage;  // asked for and not yet done
  };

  CoreWorld(uint64_t seed, int replicas, int others, ConflictPolicy policy)
      : random_(seed), policy_(policy), nodes_(static_cast<size_t>(replicas + others)) {
    std::vector<NodeId> members;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].id = NodeId{i + 1};
      if (i < static_cast<size_t>(replicas)) {
        members.push_back(nodes_[i].id);
        nodes_[i].durable = {.actor = ActorId{static_cast<uint32_t>(i + 1)}, .epoch = Epoch{1}};
      } else {
        sets_.fallbacks.push_back(nodes_[i].id);
      }
    }
    sets_.partition = kPartition;
    sets_.epoch = Epoch{1};
    sets_.write = {members};
    sets_.read = {members};
    for (Node& node : nodes_) Boot(&node);
  }

  Random& random() { return random_; }
  Nanos now() const { return now_; }
  RequestSets& sets() { return sets_; }
  SharedSets SharedNow() const { return std::make_shared<const RequestSets>(sets_); }
  std::vector<Node>& nodes() { return nodes_; }
  std::vector<Record>& records() { return records_; }
  std::vector<Message>& network() { return network_; }
  void set_faults(const Faults& faults) { faults_ = faults; }
  // Messages from one to the other vanish.
  void Cut(size_t from, size_t to) { cuts_.insert({nodes_[from].id, nodes_[to].id}); }
  void HealAll() { cuts_.clear(); }

  // Returns the number of the record.
  size_t Put(size_t node, const std::string& key, const std::string& value, const SeenContext& seen,
             RequestOptions options) {
    records_.push_back({.key = key, .value = value, .options = options, .brought = seen, .begun = now_});
    PutRequest request{{.key = key, .is_delete = value.empty(), .value = value, .seen = seen},
                       std::move(options)};
    Actions actions;
    nodes_[node].coordinator->Put(records_.size() - 1, std::move(request), now_, &actions);
    by_node_[node].push_back(records_.size() - 1);
    Do(&nodes_[node], std::move(actions));
    return records_.size() - 1;
  }
  size_t Get(size_t node, const std::string& key, RequestOptions options) {
    records_.push_back({.is_get = true, .key = key, .options = options, .begun = now_});
    Actions actions;
    nodes_[node].coordinator->Get(records_.size() - 1, {key, std::move(options)}, now_, &actions);
    by_node_[node].push_back(records_.size() - 1);
    Do(&nodes_[node], std::move(actions));
    return records_.size() - 1;
  }
  RequestOptions Options(Level level = Level::kQuorum, Nanos patience = 2000 * kMilli) {
    return {.sets = SharedNow(), .level = level, .deadline = now_ + patience};
  }

  // One thing happens: a message comes, a store answers, or time goes by. False when nothing but time is left.
  bool Step() {
    std::vector<size_t> busy;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].is_up && !nodes_[i].storage.empty()) busy.push_back(i);
    }
    const size_t choices = network_.size() + busy.size();
    if (choices == 0 || random_.OneIn(8)) {
      Pass(kMilli * (1 + random_.Uniform(20)));
      return choices != 0;
    }
    const size_t choice = random_.Uniform(choices);
    if (choice < network_.size()) {
      Deliver(choice);
    } else {
      DoStorage(&nodes_[busy[choice - network_.size()]]);
    }
    return true;
  }
  void Pass(Nanos nanos) {
    now_ += nanos;
    for (Node& node : nodes_) {
      if (!node.is_up) continue;
      Actions actions;
      node.coordinator->OnTime(now_, &actions);
      node.keeper->OnTime(now_, [this](PartitionId) { return sets_.epoch; }, {}, &actions);
      Do(&node, std::move(actions));
    }
  }
  // Until nothing is on its way and no operation is left; hints for those that are away stay.
  void Settle() {
    const auto is_idle = [](const Node& node) { return !node.is_up || node.coordinator->operations() == 0; };
    for (int quiet = 0, steps = 0; quiet < 40 && steps < 20'000; ++steps) {
      quiet = !Step() && std::all_of(nodes_.begin(), nodes_.end(), is_idle) ? quiet + 1 : 0;
    }
  }
  // Until hints have found their owners, too.
  void SettleHints() {
    Settle();
    for (int round = 0; round < 20; ++round) {
      Pass(2000 * kMilli);
      Settle();
    }
  }

  void Crash(size_t index) {
    Node& node = nodes_[index];
    node.is_up = false;
    // What was asked of the store may have happened.
    for (Action& action : std::exchange(node.storage, {})) {
      if (random_.OneIn(2)) Persist(&node, action);
    }
    node.replica.reset();
    node.coordinator.reset();
    node.keeper.reset();
    for (const size_t record : std::exchange(by_node_[index], {})) {
      if (records_[record].finished == 0) records_[record].coordinator_died = true;
    }
  }
  void Restart(size_t index) { Boot(&nodes_[index]); }

  KeyState StateOf(size_t node, const std::string& key) const {
    const auto found = nodes_[node].stored.find(key);
    KeyState none;
    none.Fill(nodes_[node].replica->floor());
    return found == nodes_[node].stored.end()
               ? none
               : KeyState::Decode(found->second, nodes_[node].replica->floor()).value();
  }
  // Does the actions of an event that a test makes itself.
  void Do(Node* node, Actions actions) {
    for (Action& action : actions) {
      if (auto* send = std::get_if<Send>(&action)) {
        if (cuts_.contains({send->message.from, send->message.to})) continue;
        network_.push_back(std::move(send->message));
      } else if (const auto* put = std::get_if<FinishPut>(&action)) {
        Record& record = Finish(put->client_request, put->outcome, put->reason);
        record.seen = put->seen;
      } else if (auto* get = std::get_if<FinishGet>(&action)) {
        Record& record = Finish(get->client_request, get->outcome, get->reason);
        record.seen = get->seen;
        record.values = std::move(get->values);
      } else if (!std::holds_alternative<LearnTopology>(action)) {
        node->storage.push_back(std::move(action));
      }
    }
  }

 private:
  void Boot(Node* node) {
    node->is_up = true;
    const PolicyOf policy_of = [policy = policy_](std::string_view) { return policy; };
    Replica::Options options{.self = node->id, .partition = kPartition, .policy_of = policy_of};
    options.max_listed = 3;  // so that exchanges take several pieces
    options.lease_size = 8;
    options.max_siblings = 1000;
    node->replica = std::make_unique<Replica>(options, node->durable);
    for (const auto& [key, bytes] : node->stored) node->replica->Load(key, bytes);
    CoordinatorOptions coordinator{
        .self = node->id, .policy_of = policy_of, .first_operation = random_.Next() >> 1};
    coordinator.hint_after = 300 * kMilli;
    node->coordinator = std::make_unique<Coordinator>(coordinator);
    node->keeper = std::make_unique<HintKeeper>(
        HintKeeper::Options{.self = node->id, .first_hint = random_.Next() >> 1});
    for (const auto& [number, hint] : node->hints) {
      node->keeper->Load(number, hint.owner, hint.partition, hint.key, hint.state);
    }
    Actions actions;
    node->replica->Start(&actions);
    Do(node, std::move(actions));
  }

  Node* Find(NodeId id) { return &nodes_[Value(id) - 1]; }

  void Deliver(size_t choice) {
    Message message = network_[choice];
    if (random_.NextDouble() >= faults_.doubling) {
      network_[choice] = std::move(network_.back());
      network_.pop_back();
      // To itself a node speaks without a network.
      if (message.from != message.to && random_.NextDouble() < faults_.loss) return;
    }
    Node* node = Find(message.to);
    if (!node->is_up || cuts_.contains({message.from, message.to})) return;
    Actions actions;
    const uint64_t wall_micros = 1'000'000 + random_.Uniform(1000);  // goes to and fro
    node->replica->OnMessage(message, wall_micros, &actions);
    node->coordinator->OnMessage(message, now_, &actions);
    node->keeper->OnMessage(message, &actions);
    Do(node, std::move(actions));
  }

  // Changes what is on disk.
  void Persist(Node* node, const Action& action) {
    if (const auto* write = std::get_if<WriteKey>(&action)) {
      if (write->bytes) {
        node->stored[write->key] = *write->bytes;
      } else {
        node->stored.erase(write->key);
      }
    } else if (const auto* lease = std::get_if<PersistLease>(&action)) {
      node->durable.lease_end = lease->end;
    } else if (const auto* epoch = std::get_if<PersistEpoch>(&action)) {
      node->durable.epoch = epoch->epoch;
    } else if (const auto* floor = std::get_if<PersistFloor>(&action)) {
      node->durable.floor = floor->floor;
    } else if (const auto* hint = std::get_if<StoreHint>(&action)) {
      node->hints[hint->hint] = *hint;
    } else if (const auto* erase = std::get_if<EraseHint>(&action)) {
      node->hints.erase(erase->hint);
    }
  }

  void DoStorage(Node* node) {
    const size_t choice = random_.Uniform(node->storage.size());
    const Action action = node->storage[choice];
    node->storage.erase(node->storage.begin() + static_cast<std::ptrdiff_t>(choice));
    Persist(node, action);
    Actions actions;
    if (const auto* read = std::get_if<ReadKey>(&action)) {
      const auto found = node->stored.find(read->key);
      std::optional<std::string> bytes;
      if (found != node->stored.end()) bytes = found->second;
      node->replica->OnKeyRead(read->operation, bytes, &actions);
    } else if (const auto* write = std::get_if<WriteKey>(&action)) {
      node->replica->OnKeyWritten(write->operation, Status::Ok(), &actions);
    } else if (const auto* list = std::get_if<ListKeys>(&action)) {
      node->replica->OnKeysListed(list->operation, ListStored(node->stored, *list), &actions);
    } else if (const auto* lease = std::get_if<PersistLease>(&action)) {
      node->replica->OnLeaseDurable(lease->end, &actions);
    } else if (const auto* epoch = std::get_if<PersistEpoch>(&action)) {
      node->replica->OnEpochDurable(epoch->epoch);
    } else if (const auto* floor = std::get_if<PersistFloor>(&action)) {
      node->replica->OnFloorDurable(floor->floor);
    } else if (const auto* hint = std::get_if<StoreHint>(&action)) {
      node->keeper->OnHintStored(hint->hint, true, &actions);
    }
    Do(node, std::move(actions));
  }

  Record& Finish(uint64_t number, Outcome outcome, ReplyCode reason) {
    Record& record = records_[number];
    ++record.finished;
    record.ended = now_;
    record.outcome = outcome;
    record.reason = reason;
    return record;
  }

  Random random_;
  const ConflictPolicy policy_;
  std::vector<Node> nodes_;
  RequestSets sets_;
  Faults faults_;
  Nanos now_ = 1;
  std::set<std::pair<NodeId, NodeId>> cuts_;
  std::vector<Message> network_;
  std::vector<Record> records_;
  std::map<size_t, std::vector<size_t>> by_node_;  // records of each coordinator
};

}  // namespace varve::cluster::test

#endif  // VARVE_TESTS_CLUSTER_CORE_WORLD_H_
