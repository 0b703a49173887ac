// CausalWorld: replicas of a few keys under the causal kernel, beside a model that holds causal histories
// as plain sets of events. Every step is done to both; Check compares all that can be seen.
#ifndef VARVE_TESTS_CLUSTER_CAUSAL_WORLD_H_
#define VARVE_TESTS_CLUSTER_CAUSAL_WORLD_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "cluster/dot_source.h"
#include "cluster/key_state.h"

namespace varve::cluster::test {

struct Step {
  enum Kind : uint8_t {
    kGet,      // client reads key at replica: carries the context from now on
    kPut,      // client writes key at replica with the context that it carries; carries that of the reply
    kBlindPut, // ... with no context
    kDelete,   // client deletes key at replica with its context
    kSync,     // replica takes over what `other` has of key
    kSend,     // replica puts its state of key on its way
    kDeliver,  // the message number `other` arrives at replica, perhaps again
    kRestart,  // replica goes on behind its lease
    kLose,     // replica loses all it has and comes back as another actor, with a copy of `other`'s data
    kFloor,    // all replicas merge everything, then strip and reap by the floor that this makes
    kKinds,
  };
  Kind kind = kGet;
  uint8_t replica = 0;
  uint8_t key = 0;
  uint8_t client = 0;
  uint8_t other = 0;
};

inline std::string ToString(const Step& step) {
  static const char* const kNames[] = {"Get",     "Put",     "BlindPut", "Delete", "Sync",
                                       "Send",    "Deliver", "Restart",  "Lose",   "Floor"};
  return std::string(kNames[step.kind]) + "(replica " + std::to_string(step.replica) + ", key " +
         std::to_string(step.key) + ", client " + std::to_string(step.client) + ", other " +
         std::to_string(step.other) + ")";
}

class CausalWorld {
 public:
  struct Shape {
    int replicas = 3;
    int keys = 2;
    int clients = 2;
    ConflictPolicy policy = ConflictPolicy::kSiblings;
  };

  explicit CausalWorld(const Shape& shape)
      : shape_(shape),
        replicas_(static_cast<size_t>(shape.replicas)),
        clients_(static_cast<size_t>(shape.clients * shape.keys)) {
    for (Replica& replica : replicas_) replica.dots = DotSource(ActorId{++actors_}, 0, kLease);
  }

  // Numbers that are too large wrap around. Returns "" or what is wrong after the step.
  std::string Do(Step step) {
    step.replica = static_cast<uint8_t>(step.replica % shape_.replicas);
    step.key = static_cast<uint8_t>(step.key % shape_.keys);
    step.client = static_cast<uint8_t>(step.client % shape_.clients);
    Replica& replica = replicas_[step.replica];
    Client& client = clients_[static_cast<size_t>(step.client * shape_.keys + step.key)];
    switch (step.kind) {
      case Step::kGet: return Get(replica, step.key, &client);
      case Step::kPut:
      case Step::kBlindPut:
      case Step::kDelete: return Write(&replica, step, &client);
      case Step::kSync:
        return Take(&replica, step.key, MessageOf(replicas_[step.other % replicas_.size()], step.key));
      case Step::kSend: messages_.push_back(MessageOf(replica, step.key)); return "";
      case Step::kDeliver:
        if (messages_.empty()) return "";
        {
          const Message message = messages_[step.other % messages_.size()];
          return Take(&replica, message.key, message);
        }
      case Step::kRestart: return Restart(&replica);
      case Step::kLose:
        return Lose(step.replica, step.other);
      case Step::kFloor: return RaiseFloor();
      case Step::kKinds: break;
    }
    return "no such step";
  }

  // Everybody merges everything, and must then be equal, byte by byte.
  std::string Converge() {
    for (int round = 0; round < 2; ++round) {
      for (size_t to = 0; to < replicas_.size(); ++to) {
        for (size_t from = 0; from < replicas_.size(); ++from) {
          for (int key = 0; key < shape_.keys; ++key) {
            const std::string wrong = Take(&replicas_[to], key, MessageOf(replicas_[from], key));
            if (!wrong.empty()) return wrong;
          }
        }
      }
    }
    for (const Replica& replica : replicas_) {
      for (int key = 0; key < shape_.keys; ++key) {
        if (Load(replica, key).Encode() != Load(replicas_[0], key).Encode()) return "replicas differ";
      }
    }
    return "";
  }

  // Compares every replica's every key with the model.
  std::string Check() const {
    for (size_t r = 0; r < replicas_.size(); ++r) {
      for (int key = 0; key < shape_.keys; ++key) {
        const std::string wrong = CheckKey(replicas_[r], key);
        if (!wrong.empty()) {
          return "replica " + std::to_string(r) + ", key " + std::to_string(key) + ": " + wrong;
        }
      }
    }
    return "";
  }

  KeyState StateOf(int replica, int key) const { return Load(replicas_[static_cast<size_t>(replica)], key); }
  size_t StoredKeys(int replica) const { return replicas_[static_cast<size_t>(replica)].stored.size(); }

  // All that decides how the world goes on: worlds with the same one need not be looked at twice.
  std::string Fingerprint() const {
    std::string bytes;
    for (const Replica& replica : replicas_) {
      AppendVarint(&bytes, replica.stored.size());
      for (const auto& [key, state] : replica.stored) {
        bytes.push_back(static_cast<char>(key));
        AppendLengthPrefixed(&bytes, state);
      }
      AppendVarint(&bytes, replica.dots.last());
      AppendVarint(&bytes, Value(replica.dots.actor()));
    }
    const auto append = [&bytes](const Events& events) {
      AppendVarint(&bytes, events.size());
      for (const int e : events) bytes.push_back(static_cast<char>(e));
    };
    for (const Replica& replica : replicas_) {
      for (const auto& [key, events] : replica.known) append(events);
    }
    for (const Client& client : clients_) {
      client.seen.context.AppendTo(&bytes);
      append(client.events);
    }
    for (const Event& event : events_) append(event.past);
    return bytes;
  }

 private:
  using Events = std::set<int>;
  struct Event {
    int key = 0;
    Dot dot;
    uint64_t stamp = 0;
    bool is_put = false;
    Events past;  // what it overwrites: what its client had seen, under kLww also what its replica knew
  };
  struct Message {
    int key = 0;
    std::string state;
    Events known;
  };
  struct Replica {
    DotSource dots{kNoActor, 0};
    std::map<int, std::string> stored;  // encoded and stripped
    VersionVector floor;
    std::map<int, Events> known;  // the model: of each key, the events in its causal history
  };
  struct Client {
    SeenContext seen;
    Events events;
  };

  static constexpr uint64_t kLease = 4;

  // The floor comes with all the data, and not before: it says that what is below it has been merged.
  std::string Lose(size_t replica, size_t other) {
    size_t source = other % replicas_.size();
    if (source == replica) source = (source + 1) % replicas_.size();
    replicas_[replica] = replicas_[source];
    replicas_[replica].dots = DotSource(ActorId{++actors_}, 0, kLease);
    return "";
  }

  KeyState Load(const Replica& replica, int key) const {
    const auto found = replica.stored.find(key);
    if (found == replica.stored.end()) {
      KeyState unknown;
      unknown.Fill(replica.floor);
      return unknown;
    }
    Result<KeyState> state = KeyState::Decode(found->second, replica.floor);
    VARVE_CHECK(state.ok());
    return *std::move(state);
  }

  void Store(Replica* replica, int key, KeyState state) const {
    state.Strip(replica->floor);
    replica->stored[key] = state.Encode();
  }

  Message MessageOf(const Replica& replica, int key) const {
    const auto known = replica.known.find(key);
    return {key, Load(replica, key).Encode(), known == replica.known.end() ? Events{} : known->second};
  }

  std::string Get(const Replica& replica, int key, Client* client) const {
    client->seen = Load(replica, key).Seen();
    const auto known = replica.known.find(key);
    client->events = known == replica.known.end() ? Events{} : known->second;
    return "";
  }

  std::string Write(Replica* replica, const Step& step, Client* client) {
    if (step.kind == Step::kBlindPut) *client = {};
    KeyState state = Load(*replica, step.key);
    if (!replica->dots.Observe(client->seen.context)) return "a sound actor takes itself for amnesiac";
    if (const auto lease = replica->dots.LeaseToExtend()) replica->dots.OnLeaseDurable(*lease);
    const auto dot = replica->dots.Next();
    if (!dot) return "no dot";
    if (!given_.insert(*dot).second) return "a dot was given twice";
    const bool is_put = step.kind != Step::kDelete;
    const int number = static_cast<int>(events_.size());
    // A clock that says nothing: it goes to and fro.
    const uint64_t stamp =
        shape_.policy == ConflictPolicy::kLww ? state.StampFor(client->seen, 100 - number * 37 % 50) : 0;
    if (is_put) {
      state.Put(client->seen.context, *dot, "v" + std::to_string(number), stamp, shape_.policy);
    } else {
      state.Delete(client->seen.context, *dot, stamp, shape_.policy);
    }
    Store(replica, step.key, std::move(state));
    Events& known = replica->known[step.key];
    Events past = client->events;
    if (shape_.policy == ConflictPolicy::kLww) past.insert(known.begin(), known.end());
    events_.push_back({step.key, *dot, stamp, is_put, std::move(past)});
    known.insert(client->events.begin(), client->events.end());
    known.insert(number);
    client->events.insert(number);
    client->seen.context.Add(*dot);
    client->seen.stamp = std::max(client->seen.stamp, stamp);
    return "";
  }

  std::string Take(Replica* replica, int key, const Message& message) const {
    const Result<KeyState> theirs = KeyState::Decode(message.state);
    if (!theirs.ok()) return theirs.status().ToString();
    if (theirs->Encode() != message.state) return "not the same bytes again";
    if (!replica->dots.Observe(theirs->context())) return "a sound actor takes itself for amnesiac";
    KeyState state = Load(*replica, key);
    const CausalContext before = state.context();
    state.Merge(*theirs, shape_.policy);
    if (!state.context().Covers(before) || !state.context().Covers(theirs->context())) {
      return "a merge has lost what was known";
    }
    KeyState other_way = *theirs;
    other_way.Merge(Load(*replica, key), shape_.policy);
    if (!(other_way == state)) return "a merge depends on its direction";
    KeyState again = state;
    again.Merge(*theirs, shape_.policy);
    if (!(again == state)) return "a merge changes what it has merged before";
    Store(replica, key, std::move(state));
    replica->known[key].insert(message.known.begin(), message.known.end());
    return "";
  }

  std::string Restart(Replica* replica) {
    uint64_t durable = 0;
    while (durable < replica->dots.last()) durable += kLease;
    replica->dots = DotSource(replica->dots.actor(), durable + kLease, kLease);
    return "";
  }

  std::string RaiseFloor() {
    std::string wrong = Converge();
    if (!wrong.empty()) return wrong;
    for (const Replica& replica : replicas_) floor_.Raise(replica.dots.actor(), replica.dots.last());
    for (Replica& replica : replicas_) {
      replica.floor = floor_;
      for (int key = 0; key < shape_.keys; ++key) {
        KeyState state = Load(replica, key);
        if (state.IsReapable(floor_)) {
          replica.stored.erase(key);
        } else {
          Store(&replica, key, std::move(state));
        }
      }
    }
    return "";
  }

  // The definition: a put is to be seen if it is known and nothing known was written by who had seen it. Of
  // such writes kLww shows the latest, if that is a put.
  std::set<int> Visible(const Events& known) const {
    std::set<int> newest = known;
    for (const int e : known) {
      for (const int seen : Of(e).past) newest.erase(seen);
    }
    if (shape_.policy == ConflictPolicy::kLww && !newest.empty()) {
      newest = {*std::max_element(newest.begin(), newest.end(), [this](int a, int b) {
        return std::pair(Of(a).stamp, Of(a).dot) < std::pair(Of(b).stamp, Of(b).dot);
      })};
    }
    std::erase_if(newest, [this](int e) { return !Of(e).is_put; });
    return newest;
  }

  std::string CheckKey(const Replica& replica, int key) const {
    const KeyState state = Load(replica, key);
    const auto found = replica.known.find(key);
    const Events& known = found == replica.known.end() ? kNone : found->second;
    std::set<int> shown;
    for (const Sibling& sibling : state.siblings()) {
      if (!state.context().Covers(sibling.dot)) return "a sibling outside the context";
      if (sibling.tombstone) continue;
      const int number = std::stoi(sibling.value.substr(1));
      if (Of(number).dot != sibling.dot) return "a sibling with the dot of another";
      shown.insert(number);
    }
    const std::set<int> expected = Visible(known);
    for (const int e : expected) {
      if (!shown.contains(e)) return "lost: event " + std::to_string(e);
    }
    for (const int e : shown) {
      if (!expected.contains(e)) return "back again: event " + std::to_string(e);
    }
    for (int e = 0; e < static_cast<int>(events_.size()); ++e) {
      if (Of(e).key != key || state.context().Covers(Of(e).dot) == known.contains(e)) continue;
      return (known.contains(e) ? "not in the context: event " : "in the context: unknown event ") +
             std::to_string(e);
    }
    return "";
  }

  const Event& Of(int event) const { return events_[static_cast<size_t>(event)]; }

  inline static const Events kNone;
  Shape shape_;
  uint32_t actors_ = 0;
  std::vector<Replica> replicas_;
  std::vector<Client> clients_;  // of each client, one for each key
  std::vector<Message> messages_;
  std::vector<Event> events_;
  std::set<Dot> given_;
  VersionVector floor_;
};

// Does the steps and checks after each; then everybody converges. "" or the story up to what is wrong.
inline std::string RunSteps(const CausalWorld::Shape& shape, const std::vector<Step>& steps) {
  CausalWorld world(shape);
  std::string story;
  for (const Step& step : steps) {
    story += "  " + ToString(step) + "\n";
    std::string wrong = world.Do(step);
    if (wrong.empty()) wrong = world.Check();
    if (!wrong.empty()) return story + wrong;
  }
  std::string wrong = world.Converge();
  if (wrong.empty()) wrong = world.Check();
  return wrong.empty() ? "" : story + "  everybody converges\n" + wrong;
}

}  // namespace varve::cluster::test

#endif  // VARVE_TESTS_CLUSTER_CAUSAL_WORLD_H_
