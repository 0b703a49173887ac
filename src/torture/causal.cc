#include "torture/causal.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

namespace varve::torture {
namespace {

constexpr size_t kNone = ~size_t{0};

struct Node {
  const Operation* operation = nullptr;
  size_t session = 0;
  size_t place = 0;         // in its session, from 1
  size_t source = kNone;    // of a read: the node of the write
  std::vector<size_t> past;  // of each session: how many of its operations come before or are this one
};

class Checker {
 public:
  explicit Checker(const std::vector<Operation>& history) {
    std::vector<const Operation*> sorted;
    for (const Operation& operation : history) sorted.push_back(&operation);
    std::stable_sort(sorted.begin(), sorted.end(), [](const Operation* a, const Operation* b) {
      return a->client != b->client ? a->client < b->client : a->call_time < b->call_time;
    });
    operations_ = std::move(sorted);
  }

  std::string Run() {
    if (std::string problem = AddNodes(); !problem.empty()) return problem;
    if (std::string problem = Order(); !problem.empty()) return problem;
    for (const Node& node : nodes_) {
      if (node.operation->kind != OperationKind::kGet) continue;
      if (std::string problem = CheckRead(node); !problem.empty()) return problem;
    }
    return "";
  }

 private:
  using Version = std::pair<std::string, std::string>;  // key, value

  std::string AddNodes() {
    std::map<Version, bool> is_read;
    for (const Operation* operation : operations_) {
      if (operation->kind == OperationKind::kGet && operation->observed) is_read[{operation->key, *operation->observed}] = true;
    }
    std::map<Version, size_t> writers;
    for (const Operation* operation : operations_) {
      const bool is_get = operation->kind == OperationKind::kGet;
      if (!is_get && operation->kind != OperationKind::kPut) return "neither a get nor a put: " + operation->ToString();
      if (operation->outcome == Outcome::kUnknown && (is_get || !is_read.contains({operation->key, *operation->argument}))) {
        continue;
      }
      if (sessions_.empty() || nodes_[sessions_.back().back()].operation->client != operation->client) sessions_.emplace_back();
      sessions_.back().push_back(nodes_.size());
      const size_t place = sessions_.back().size();
      if (!is_get) {
        if (!writers.try_emplace({operation->key, *operation->argument}, nodes_.size()).second) {
          return "written twice: " + operation->ToString();
        }
        writes_[operation->key].resize(std::max(writes_[operation->key].size(), sessions_.size()));
        writes_[operation->key].back().push_back(place);
      }
      nodes_.push_back({.operation = operation, .session = sessions_.size() - 1, .place = place});
    }
    for (Node& node : nodes_) {
      if (node.operation->kind != OperationKind::kGet || !node.operation->observed) continue;
      const auto at = writers.find({node.operation->key, *node.operation->observed});
      if (at == writers.end()) return "nobody wrote what is seen by " + node.operation->ToString();
      node.source = at->second;
    }
    return "";
  }

  // Fills in what comes before each, sources and predecessors first.
  std::string Order() {
    std::vector<std::vector<size_t>> readers(nodes_.size());
    std::vector<uint8_t> waits(nodes_.size());
    std::vector<size_t> ready;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].source != kNone) readers[nodes_[i].source].push_back(i);
      waits[i] = static_cast<uint8_t>((nodes_[i].source != kNone ? 1 : 0) + (nodes_[i].place > 1 ? 1 : 0));
      if (waits[i] == 0) ready.push_back(i);
    }
    size_t done = 0;
    for (; !ready.empty(); ++done) {
      const size_t at = ready.back();
      ready.pop_back();
      Node& node = nodes_[at];
      node.past.resize(sessions_.size());
      if (node.place > 1) Include(nodes_[at - 1].past, &node.past);
      if (node.source != kNone) Include(nodes_[node.source].past, &node.past);
      node.past[node.session] = node.place;
      const auto release = [&](size_t next) {
        if (--waits[next] == 0) ready.push_back(next);
      };
      for (const size_t reader : readers[at]) release(reader);
      if (node.place < sessions_[node.session].size()) release(at + 1);
    }
    if (done == nodes_.size()) return "";
    const auto stuck = std::find_if(waits.begin(), waits.end(), [](uint8_t number) { return number > 0; });
    return "comes before itself: " + nodes_[static_cast<size_t>(stuck - waits.begin())].operation->ToString();
  }
  static void Include(const std::vector<size_t>& from, std::vector<size_t>* past) {
    for (size_t i = 0; i < from.size(); ++i) (*past)[i] = std::max((*past)[i], from[i]);
  }

  // Of each session the last write of the key that the read must know: the one read must not come before it.
  std::string CheckRead(const Node& read) const {
    const auto at = writes_.find(read.operation->key);
    if (at == writes_.end()) return "";
    for (size_t session = 0; session < at->second.size(); ++session) {
      const std::vector<size_t>& places = at->second[session];
      const auto end = std::upper_bound(places.begin(), places.end(), read.past[session]);
      if (end == places.begin()) continue;
      const size_t number = sessions_[session][*(end - 1) - 1];
      const Node& write = nodes_[number];
      if (number == read.source) continue;
      const bool is_replaced = read.source == kNone ||
                               write.past[nodes_[read.source].session] >= nodes_[read.source].place;
      if (is_replaced) return read.operation->ToString() + " knows " + write.operation->ToString() + ", which replaced it";
    }
    return "";
  }

  std::vector<const Operation*> operations_;     // by client, then by time
  std::vector<Node> nodes_;                      // in that order
  std::vector<std::vector<size_t>> sessions_;    // nodes
  // For each key, and session: the places of its writes there, rising.
  std::map<std::string, std::vector<std::vector<size_t>>> writes_;
};

}  // namespace

std::string FindCausalAnomaly(const std::vector<Operation>& history) { return Checker(history).Run(); }

}  // namespace varve::torture
