#include "torture/serializability.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/hash.h"

namespace varve::torture {
namespace {

enum class EdgeKind : uint8_t { kWr, kWw, kRw, kTime };
const char* NameOf(EdgeKind kind) {
  constexpr const char* kNames[] = {"wr", "ww", "rw", "time"};
  return kNames[static_cast<size_t>(kind)];
}

constexpr uint32_t kNone = ~uint32_t{0};

// One version of one key. Who read and who replaced it are lists through Uses.
struct Version {
  uint32_t key = 0;
  std::string_view value;
  uint32_t writer = kNone;
  bool is_intermediate = false;  // its writer replaced it
  uint32_t first_reader = kNone;
  uint32_t first_replacer = kNone;
};

// An element of such a list.
struct Use {
  uint32_t transaction;
  uint32_t next;
};

struct VersionName {
  uint32_t key;
  std::string_view value;
  bool operator==(const VersionName&) const = default;
};
struct VersionHash {
  size_t operator()(const VersionName& name) const { return Hash64(name.value, name.key); }
};
struct KeyHash {
  size_t operator()(std::string_view key) const { return Hash64(key); }
};

// The edges of all nodes, grouped by where they begin: flat, since there are tens of millions.
class Graph {
 public:
  struct Edge {
    uint32_t to;
    EdgeKind kind;
  };

  explicit Graph(size_t nodes) : begin_(nodes + 1) {}
  void Add(uint32_t from, uint32_t to, EdgeKind kind) {
    if (from != to) loose_.push_back({from, {to, kind}});
  }
  // No edge may be added after it.
  void Group() {
    for (const auto& [from, edge] : loose_) ++begin_[from + 1];
    for (size_t i = 1; i < begin_.size(); ++i) begin_[i] += begin_[i - 1];
    std::vector<uint32_t> next(begin_.begin(), begin_.end() - 1);
    edges_.resize(loose_.size());
    for (const auto& [from, edge] : loose_) edges_[next[from]++] = edge;
    loose_ = {};
  }
  size_t nodes() const { return begin_.size() - 1; }
  uint32_t first(size_t node) const { return begin_[node]; }
  uint32_t end(size_t node) const { return begin_[node + 1]; }
  const Edge& edge(uint32_t index) const { return edges_[index]; }

 private:
  std::vector<std::pair<uint32_t, Edge>> loose_;
  std::vector<uint32_t> begin_;
  std::vector<Edge> edges_;
};

class Checker {
 public:
  Checker(const std::vector<TransactionRecord>& history, Isolation isolation)
      : history_(history), isolation_(isolation), graph_(2 * history.size()) {
    VARVE_CHECK(history.size() < kNone / 4);
  }

  std::string Run() {
    for (size_t i = 0; i < history_.size() && problem_.empty(); ++i) Scan(static_cast<uint32_t>(i));
    for (const Version& version : versions_) {
      if (!problem_.empty()) return problem_;
      AddDependencies(version);
    }
    if (!problem_.empty()) return problem_;
    AddTime();
    graph_.Group();
    return FindCycle();
  }

 private:
  // What the transaction that is being scanned knows of a key.
  struct Known {
    uint32_t key;
    std::string_view current;
    uint32_t seen;            // the version of the store
    uint32_t left = kNone;    // its own last
  };

  std::string NameOfVersion(const Version& version) const {
    return std::string(keys_[version.key]) + "=" + (version.value.empty() ? "(absent)" : std::string(version.value));
  }
  std::string Name(size_t index) const { return index < history_.size() ? "T" + std::to_string(index) : "(later)"; }

  uint32_t KeyOf(std::string_view name) {
    const auto [at, is_new] = key_numbers_.try_emplace(name, static_cast<uint32_t>(keys_.size()));
    if (is_new) {
      keys_.push_back(name);
      known_at_.push_back({kNone, 0});
    }
    return at->second;
  }
  uint32_t VersionOf(uint32_t key, std::string_view value) {
    const auto [at, is_new] = version_numbers_.try_emplace({key, value}, static_cast<uint32_t>(versions_.size()));
    if (is_new) versions_.push_back({.key = key, .value = value});
    return at->second;
  }
  void AddUse(uint32_t transaction, uint32_t* first) {
    uses_.push_back({transaction, *first});
    *first = static_cast<uint32_t>(uses_.size()) - 1;
  }

  // What a transaction has seen and left, from its accesses in order.
  void Scan(uint32_t index) {
    const TransactionRecord& record = history_[index];
    known_.clear();
    for (const TransactionAccess& access : record.accesses) {
      const uint32_t key = KeyOf(access.key);
      auto& [by, place] = known_at_[key];
      const bool is_known = by == index;
      if (access.is_write) {
        VARVE_CHECK(is_known);  // read before it is written
        Write(index, access.value, &known_[place]);
      } else if (!is_known) {
        by = index;
        place = static_cast<uint32_t>(known_.size());
        known_.push_back({key, access.value, VersionOf(key, access.value)});
      } else if (known_[place].current != access.value) {
        problem_ = Name(index) + " read " + access.key + "=" + access.value + " after " + access.key + "=" +
                   std::string(known_[place].current);
      }
    }
    if (!record.is_committed) return;
    for (const Known& known : known_) {
      AddUse(index, &versions_[known.seen].first_reader);
      if (known.left != kNone) AddUse(index, &versions_[known.seen].first_replacer);
    }
  }
  void Write(uint32_t index, std::string_view value, Known* known) {
    const uint32_t number = VersionOf(known->key, value);
    Version& version = versions_[number];
    if (version.writer != kNone) problem_ = "a value was written twice: " + NameOfVersion(version);
    version.writer = index;
    if (known->left != kNone) versions_[known->left].is_intermediate = true;
    known->left = number;
    known->current = value;
  }

  template <typename Visit>
  void ForEach(uint32_t first, const Visit& visit) const {
    for (uint32_t at = first; at != kNone; at = uses_[at].next) visit(uses_[at].transaction);
  }

  void AddDependencies(const Version& version) {
    const bool is_used = version.first_reader != kNone || version.first_replacer != kNone;
    if (!is_used) return;
    if (!version.value.empty()) {
      const std::string name = version.writer == kNone ? "" : Name(version.writer);
      if (version.writer == kNone) {
        problem_ = "read a value that nobody wrote: " + NameOfVersion(version);
      } else if (!history_[version.writer].is_committed) {
        problem_ = "read a value of " + name + ", which did not commit: " + NameOfVersion(version);
      } else if (version.is_intermediate) {
        problem_ = "read a value that " + name + " had replaced: " + NameOfVersion(version);
      }
      if (!problem_.empty()) return;
      const uint32_t writer = version.writer;
      ForEach(version.first_reader, [&](uint32_t reader) { graph_.Add(writer, reader, EdgeKind::kWr); });
      ForEach(version.first_replacer, [&](uint32_t other) { graph_.Add(writer, other, EdgeKind::kWw); });
    }
    ForEach(version.first_replacer, [&](uint32_t other) {
      ForEach(version.first_reader, [&](uint32_t reader) { graph_.Add(reader, other, EdgeKind::kRw); });
      // Two that replaced one version: each had read what the other replaced. Lost.
      ForEach(version.first_replacer, [&](uint32_t one) { graph_.Add(one, other, EdgeKind::kWw); });
    });
  }

  // A chain of moments stands between all who ended and all who began after.
  void AddTime() {
    std::vector<std::pair<uint64_t, uint32_t>> ends;
    for (uint32_t i = 0; i < history_.size(); ++i) {
      if (history_[i].is_committed) ends.push_back({history_[i].end, i});
    }
    std::sort(ends.begin(), ends.end());
    const uint32_t first_moment = static_cast<uint32_t>(history_.size());
    for (uint32_t m = 0; m < ends.size(); ++m) {
      graph_.Add(ends[m].second, first_moment + m, EdgeKind::kTime);
      if (m > 0) graph_.Add(first_moment + m - 1, first_moment + m, EdgeKind::kTime);
    }
    for (uint32_t i = 0; i < history_.size(); ++i) {
      if (!history_[i].is_committed) continue;
      const auto after = std::lower_bound(ends.begin(), ends.end(), std::pair(history_[i].begin, uint32_t{0}));
      if (after == ends.begin()) continue;
      graph_.Add(first_moment + static_cast<uint32_t>(after - ends.begin()) - 1, i, EdgeKind::kTime);
    }
  }

  // A node of the search: a transaction or moment, and whether it was entered by rw. Snapshot isolation
  // allows whatever has two rw in a row, so that no way leads through these.
  size_t NodeOf(size_t index, bool by_rw) const {
    return 2 * index + (by_rw && isolation_ == Isolation::kSnapshot ? 1 : 0);
  }

  struct Frame {
    size_t node;
    uint32_t next_edge;
    EdgeKind by;
  };

  // A search in depth: O(nodes + edges).
  std::string FindCycle() {
    enum : uint8_t { kNew, kOpen, kDone };
    std::vector<uint8_t> state(2 * graph_.nodes(), kNew);
    std::vector<Frame> path;
    for (size_t start = 0; start < state.size(); ++start) {
      if (state[start] != kNew) continue;
      path.push_back({start, graph_.first(start / 2), EdgeKind::kTime});
      state[start] = kOpen;
      while (!path.empty()) {
        Frame& top = path.back();
        if (top.next_edge == graph_.end(top.node / 2)) {
          state[top.node] = kDone;
          path.pop_back();
          continue;
        }
        const Graph::Edge& edge = graph_.edge(top.next_edge++);
        if (edge.kind == EdgeKind::kRw && top.node % 2 == 1) continue;
        const size_t node = NodeOf(edge.to, edge.kind == EdgeKind::kRw);
        if (state[node] == kOpen) return CycleOf(path, node, edge.kind);
        if (state[node] == kDone) continue;
        state[node] = kOpen;
        path.push_back({node, graph_.first(node / 2), edge.kind});
      }
    }
    return "";
  }
  std::string CycleOf(const std::vector<Frame>& path, size_t node, EdgeKind last) const {
    std::string cycle = Name(node / 2);
    auto at = std::find_if(path.begin(), path.end(), [&](const Frame& frame) { return frame.node == node; });
    for (++at; at != path.end(); ++at) cycle += std::string(" -") + NameOf(at->by) + "-> " + Name(at->node / 2);
    return "cycle: " + cycle + " -" + NameOf(last) + "-> " + Name(node / 2);
  }

  const std::vector<TransactionRecord>& history_;
  const Isolation isolation_;
  Graph graph_;  // of transactions, then of moments
  std::unordered_map<std::string_view, uint32_t, KeyHash> key_numbers_;
  std::vector<std::string_view> keys_;
  std::unordered_map<VersionName, uint32_t, VersionHash> version_numbers_;
  std::vector<Version> versions_;
  std::vector<Use> uses_;
  // Of the transaction that is being scanned; for each key who knew it last, and where.
  std::vector<Known> known_;
  std::vector<std::pair<uint32_t, uint32_t>> known_at_;
  std::string problem_;
};

}  // namespace

std::string FindAnomaly(const std::vector<TransactionRecord>& history, Isolation isolation) {
  return Checker(history, isolation).Run();
}

}  // namespace varve::torture
