// cluster_history_check: what clients recorded of a cluster of real processes, and what its nodes have on disk in the end,
// against the oracles of the simulator (src/sim/cluster_history.h, cluster_checks.h) and those of plain requests
// (plain_history.h).
//
// usage: cluster_history_check HISTORY [--topology WHERE] [--store NODE=DIR]...
//
// The file has one event a line, in the order of time, words between single spaces, "-" for nothing:
//   options [siblings | lww] [moves] [losses]      without --topology, which says the policy
//   begin NUMBER KIND KEY VALUE LEVEL CONTEXT      get put sloppy-put delete, with contexts; GET SET DEL, without
//   end NUMBER OUTCOME CONTEXT [VALUE...]          ok failed unknown
//   state NODE KEY CONTEXT [ACTOR:COUNTER=VALUE]   what a store has, for histories by hand
// LEVEL: one, quorum, all, linear. CONTEXT: as servers gave it, or by hand "@ACTOR:COUNTER,...[;STAMP]".
// Exit code: 0 the history can be, 1 it cannot, and says why; 2 there is no history.
#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "cluster/context_token.h"
#include "cluster/slot.h"
#include "env/env.h"
#include "node/base64.h"
#include "node/cluster_store.h"
#include "sim/cluster_checks.h"
#include "sim/cluster_history.h"
#include "sim/topology_watch.h"
#include "tests/server/plain_history.h"
#include "varve/db.h"

namespace varve::test {
namespace {

using cluster::KeyState;
using cluster::Level;
using cluster::NodeId;
using cluster::Outcome;
using cluster::PartitionId;
using cluster::SeenContext;
using Kind = sim::ClientOperation::Kind;
using PlainKind = PlainOperation::Kind;

// Of one node, by partition.
using Replicas = std::map<PartitionId, std::map<NodeId, sim::ReplicaView>>;

Status BadLine(const std::string& line) { return Status::InvalidArgument("no line of a history: " + line); }

std::optional<uint64_t> NumberOf(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<cluster::Dot> DotOf(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto actor = NumberOf(text.substr(0, colon));
  const auto counter = NumberOf(text.substr(colon + 1));
  if (!actor || !counter) return std::nullopt;
  return cluster::Dot{cluster::ActorId{static_cast<uint32_t>(*actor)}, *counter};
}

std::vector<std::string> WordsOf(const std::string& line) {
  std::vector<std::string> words;
  std::istringstream in(line);
  for (std::string word; std::getline(in, word, ' ');) words.push_back(word == "-" ? "" : word);
  return words;
}

KeyState StateOf(cluster::Dot dot, const std::string& value) {
  KeyState state;
  state.Put({}, dot, value, 0, cluster::ConflictPolicy::kSiblings);
  return state;
}

class Checker {
 public:
  // Of a real cluster, or of one by hand.
  Status Open(const std::string& topology) {
    if (topology.empty()) return Status::Ok();
    VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<node::ClusterStore> store,
                           node::ClusterStore::Open(topology, Env::Default()));
    VARVE_ASSIGN_OR_RETURN(state_, store->Read());
    options_.copies = state_->settings.copies;
    options_.policy = state_->settings.policy;
    tokens_ = std::make_unique<cluster::ContextTokens>(
        std::vector<cluster::ContextTokens::Secret>{{.id = 1, .key = state_->settings.secret}});
    return Status::Ok();
  }

  // Of all lines, before they are taken: a put can be seen before its own client hears that it is done.
  Status LookAhead(const std::string& line) {
    const std::vector<std::string> words = WordsOf(line);
    if (words.size() == 7 && words[0] == "begin" && words[2].ends_with("put")) {
      ahead_[words[1]].key = words[3];
      VARVE_ASSIGN_OR_RETURN(ahead_[words[1]].brought, ContextOf(words[3], words[6]));
    } else if (words.size() >= 4 && words[0] == "end" && words[2] == "ok" && ahead_.contains(words[1])) {
      Ahead& put = ahead_[words[1]];
      VARVE_ASSIGN_OR_RETURN(const SeenContext seen, ContextOf(put.key, words[3]));
      std::set<cluster::ActorId> actors;
      for (const auto& entry : seen.context.vector().entries()) actors.insert(entry.actor);
      for (const cluster::Dot& dot : seen.context.cloud()) actors.insert(dot.actor);
      for (const cluster::ActorId actor : actors) {
        const cluster::Dot dot{actor, seen.context.HighestOf(actor)};
        if (!put.brought.context.Covers(dot)) put.dot = dot;
      }
    }
    return Status::Ok();
  }

  Status TakeLine(const std::string& line) {
    const std::vector<std::string> words = WordsOf(line);
    if (words.empty()) return Status::Ok();
    if (words[0] == "options") return TakeOptions(words);
    if (words[0] == "begin" && words.size() == 7) return TakeBegin(words);
    if (words[0] == "end" && words.size() >= 4) return TakeEnd(words);
    if (words[0] == "state" && words.size() >= 4) return TakeState(words);
    return BadLine(line);
  }

  // What a node has on disk, after it has ended.
  Status TakeStore(NodeId node, const std::string& dir) {
    if (!state_) return Status::InvalidArgument("--store needs --topology");
    Options options;
    options.read_only = true;
    VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db, Db::Open(dir, options));
    VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<Namespace> keys, db->OpenNamespace("cluster.keys"));
    VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<Namespace> meta, db->OpenNamespace("cluster.meta"));
    const cluster::Topology& topology = state_->topology;
    for (uint32_t p = 0; p < topology.placement.partitions(); ++p) {
      const PartitionId partition{static_cast<uint16_t>(p)};
      const cluster::ReplicaSets sets = topology.SetsOf(partition);
      if (std::count(sets.current.begin(), sets.current.end(), node) == 0) continue;
      sim::ReplicaView& view = replicas_[partition][node];
      view.node = node;
      const std::string name = std::string("floor") + static_cast<char>(p >> 8) + static_cast<char>(p & 255);
      const Result<std::string> floor = meta->Get(name);
      if (!floor.ok() && !floor.status().IsNotFound()) return floor.status();
      std::string_view bytes = floor.ok() ? std::string_view(*floor) : std::string_view();
      if (floor.ok() && !cluster::VersionVector::Consume(&bytes, &view.floor)) return Status::Corruption("a floor");
    }
    const std::unique_ptr<Iterator> iterator = keys->NewIterator();
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      const std::string key(iterator->key().substr(2));
      const auto partition = replicas_.find(PartitionOf(key));
      if (partition == replicas_.end() || !partition->second.contains(node)) {
        return Status::Corruption("I6: node " + std::to_string(Value(node)) + " has left over " + key);
      }
      partition->second[node].stored[key] = std::string(iterator->value());
    }
    return iterator->status();
  }

  Status Finish() {
    VARVE_RETURN_IF_ERROR(plain_.Check());
    if (replicas_.empty()) return Status::Ok();
    if (state_) {
      sim::TopologyWatch watch;
      VARVE_RETURN_IF_ERROR(watch.OnVersion(cluster::EncodeTopology(state_->topology)));
      VARVE_RETURN_IF_ERROR(watch.CheckSettled());
    }
    for (const auto& [partition, nodes] : replicas_) {
      std::vector<sim::ReplicaView> views;
      for (const auto& [node, view] : nodes) views.push_back(view);
      VARVE_RETURN_IF_ERROR(sim::CheckEqual(views));
    }
    // A test may have keys beside those of the history.
    for (const std::string& key : History().Keys()) VARVE_RETURN_IF_ERROR(FinishKey(key));
    for (const std::string& key : plain_.Keys()) VARVE_RETURN_IF_ERROR(FinishKey(key));
    return Status::Ok();
  }

  std::string Counts() {
    return std::to_string(History().operations().size() + plain_.size()) + " requests, of those with contexts " +
           std::to_string(History().acknowledged()) + " writes were acknowledged and " + std::to_string(History().answered()) +
           " reads answered";
  }

 private:
  // Made when the options are known.
  sim::ClusterHistory& History() {
    if (history_ == nullptr) {
      options_.partition_of = [this](std::string_view key) { return PartitionOf(key); };
      history_ = std::make_unique<sim::ClusterHistory>(options_);
    }
    return *history_;
  }

  PartitionId PartitionOf(std::string_view key) const {
    if (!state_) return PartitionId{0};
    const uint32_t slots = state_->topology.placement.SlotsPerPartition();
    return PartitionId{static_cast<uint16_t>(cluster::SlotOf(key) / slots)};
  }

  Status TakeOptions(const std::vector<std::string>& words) {
    for (size_t i = 1; i < words.size(); ++i) {
      if (words[i] == "moves") {
        options_.moves = true;
      } else if (words[i] == "losses") {
        options_.losses = true;
      } else if (words[i] == "lww") {
        options_.policy = cluster::ConflictPolicy::kLww;
      } else if (words[i] != "siblings") {
        return BadLine(words[i]);
      }
    }
    return Status::Ok();
  }

  Result<SeenContext> ContextOf(const std::string& key, const std::string& text) const {
    SeenContext seen;
    if (text.empty()) return seen;
    if (text[0] != '@') {
      const std::optional<std::string> token = node::DecodeBase64(text);
      if (tokens_ == nullptr || !token) return BadLine(text);
      VARVE_ASSIGN_OR_RETURN(std::optional<SeenContext> opened, tokens_->Open(0, key, *token));
      return opened.value_or(SeenContext());
    }
    std::istringstream in(text.substr(1, text.find(';') - 1));
    for (std::string word; std::getline(in, word, ',');) {
      const std::optional<cluster::Dot> dot = DotOf(word);
      if (!dot) return BadLine(text);
      seen.context.Add(*dot);
    }
    if (const size_t stamp = text.find(';'); stamp != std::string::npos) {
      seen.stamp = NumberOf(text.substr(stamp + 1)).value_or(0);
    }
    return seen;
  }

  Status TakeBegin(const std::vector<std::string>& words) {
    const std::string& kind = words[2];
    if (kind == "GET" || kind == "SET" || kind == "DEL") {
      const PlainKind plain = kind == "GET" ? PlainKind::kGet : kind == "SET" ? PlainKind::kSet : PlainKind::kDelete;
      places_[words[1]] = {true, plain_.Begin({.kind = plain, .key = words[3], .value = words[4]})};
      return Status::Ok();
    }
    sim::ClientOperation operation{.kind = kind == "get" ? Kind::kGet : kind.ends_with("put") ? Kind::kPut : Kind::kDelete,
                                   .key = words[3],
                                   .value = words[4],
                                   .level = words[5] == "one"      ? Level::kOne
                                            : words[5] == "all"    ? Level::kAll
                                            : words[5] == "linear" ? Level::kLinear
                                                                   : Level::kQuorum,
                                   .sloppy = kind.starts_with("sloppy"),
                                   .begun = now_ += sim::kMicrosecond};
    VARVE_ASSIGN_OR_RETURN(operation.brought, ContextOf(words[3], words[6]));
    places_[words[1]] = {false, History().Begin(std::move(operation))};
    const auto ahead = ahead_.find(words[1]);
    if (ahead == ahead_.end() || !ahead->second.dot) return Status::Ok();
    return History().OnStored(words[3], StateOf(*ahead->second.dot, words[4]));
  }

  Status TakeEnd(const std::vector<std::string>& words) {
    const auto place = places_.find(words[1]);
    if (place == places_.end()) return BadLine("end of " + words[1]);
    const Outcome outcome = words[2] == "ok" ? Outcome::kOk : words[2] == "failed" ? Outcome::kFailed : Outcome::kUnknown;
    std::vector<std::string> values(words.begin() + 4, words.end());
    const size_t number = place->second.number;
    if (place->second.is_plain) {
      plain_.End(number, outcome, std::move(values));
      return Status::Ok();
    }
    VARVE_ASSIGN_OR_RETURN(SeenContext seen, ContextOf(History().operations()[number].key, words[3]));
    return History().End(number, now_ += sim::kMicrosecond, outcome, std::move(seen), std::move(values));
  }

  Status TakeState(const std::vector<std::string>& words) {
    const NodeId node{NumberOf(words[1]).value_or(0)};
    KeyState state;
    for (size_t i = 4; i < words.size(); ++i) {
      const size_t at = words[i].find('=');
      const std::optional<cluster::Dot> dot = DotOf(words[i].substr(0, at));
      if (at == std::string::npos || !dot) return BadLine(words[i]);
      state.Merge(StateOf(*dot, words[i].substr(at + 1)), cluster::ConflictPolicy::kSiblings);
    }
    VARVE_ASSIGN_OR_RETURN(const SeenContext seen, ContextOf(words[2], words[3]));
    // What was deleted or overwritten is in the context alone.
    const auto know = [&state](cluster::Dot dot) {
      if (!state.context().Covers(dot)) state.Delete({}, dot, 0, cluster::ConflictPolicy::kSiblings);
    };
    for (const auto& entry : seen.context.vector().entries()) {
      for (uint64_t counter = 1; counter <= entry.counter; ++counter) know({entry.actor, counter});
    }
    for (const cluster::Dot& dot : seen.context.cloud()) know(dot);
    sim::ReplicaView& view = replicas_[PartitionId{0}][node];
    view.node = node;
    view.stored[words[2]] = state.Encode();
    return Status::Ok();
  }

  Status FinishKey(const std::string& key) {
    const auto replicas = replicas_.find(PartitionOf(key));
    if (replicas == replicas_.end()) return Status::Ok();
    const sim::ReplicaView& view = replicas->second.begin()->second;
    KeyState state;
    if (const auto stored = view.stored.find(key); stored != view.stored.end()) {
      VARVE_ASSIGN_OR_RETURN(state, KeyState::Decode(stored->second, view.floor));
    } else {
      state.Fill(view.floor);
    }
    if (plain_.Has(key)) {
      std::vector<std::string> values;
      for (const cluster::Sibling& sibling : state.siblings()) {
        if (!sibling.tombstone) values.push_back(sibling.value);
      }
      return plain_.CheckFinal(key, values);
    }
    VARVE_RETURN_IF_ERROR(History().OnStored(key, state));
    return History().CheckFinal(key, state);
  }

  struct Place {
    bool is_plain = false;
    size_t number = 0;
  };
  struct Ahead {
    std::string key;
    SeenContext brought;
    std::optional<cluster::Dot> dot;
  };
  sim::HistoryOptions options_{.sees_states = false};
  std::optional<node::ClusterState> state_;
  std::unique_ptr<cluster::ContextTokens> tokens_;
  std::unique_ptr<sim::ClusterHistory> history_;
  PlainHistory plain_;
  Replicas replicas_;
  std::map<std::string, Place> places_;  // by the number in the file
  std::map<std::string, Ahead> ahead_;
  sim::Nanos now_ = 0;
};

Status Run(const std::vector<std::string>& args, std::string* counts) {
  std::string topology;
  std::vector<std::string> stores;
  for (size_t i = 1; i + 1 < args.size(); i += 2) {
    if (args[i] == "--topology") topology = args[i + 1];
    if (args[i] == "--store") stores.push_back(args[i + 1]);
  }
  Checker checker;
  VARVE_RETURN_IF_ERROR(checker.Open(topology));
  std::ifstream file(args[0]);
  if (!file) return Status::NotFound(args[0]);
  for (std::string line; std::getline(file, line);) VARVE_RETURN_IF_ERROR(checker.LookAhead(line));
  file.clear();
  file.seekg(0);
  for (std::string line; std::getline(file, line);) {
    const Status status = checker.TakeLine(line);
    if (!status.ok()) return Status(status.code(), std::string(status.message()) + "\n  at: " + line);
  }
  for (const std::string& store : stores) {
    const size_t at = store.find('=');
    const std::optional<uint64_t> node = NumberOf(store.substr(0, at));
    if (at == std::string::npos || !node) return Status::InvalidArgument("--store NODE=DIR");
    VARVE_RETURN_IF_ERROR(checker.TakeStore(NodeId{*node}, store.substr(at + 1)));
  }
  VARVE_RETURN_IF_ERROR(checker.Finish());
  *counts = checker.Counts();
  return Status::Ok();
}

}  // namespace
}  // namespace varve::test

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.empty()) return 2;
  std::string counts;
  const varve::Status status = varve::test::Run(args, &counts);
  std::cout << (status.ok() ? "ok: " + counts : status.ToString()) << "\n";
  return status.ok() ? 0 : status.IsCorruption() ? 1 : 2;
}
