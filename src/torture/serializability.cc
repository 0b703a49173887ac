#include "torture/serializability.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"

namespace varve::torture {
namespace {

enum class EdgeKind : uint8_t { kWr, kWw, kRw, kTime };
const char* NameOf(EdgeKind kind) {
  constexpr const char* kNames[] = {"wr", "ww", "rw", "time"};
  return kNames[static_cast<size_t>(kind)];
}

struct Edge {
  size_t to;
  EdgeKind kind;
};

using Version = std::pair<std::string, std::string>;  // key, value

class Checker {
 public:
  Checker(const std::vector<TransactionRecord>& history, Isolation isolation)
      : history_(history), isolation_(isolation), edges_(2 * history.size()) {}

  std::string Run() {
    for (size_t i = 0; i < history_.size() && problem_.empty(); ++i) Scan(i);
    if (!problem_.empty()) return problem_;
    AddDependencies();
    if (!problem_.empty()) return problem_;
    AddTime();
    return FindCycle();
  }

 private:
  // One version of one key.
  struct Uses {
    std::vector<size_t> readers;
    std::vector<size_t> replacers;
  };

  static std::string Name(const Version& version) {
    return version.first + "=" + (version.second.empty() ? "(absent)" : version.second);
  }
  std::string Name(size_t index) const {
    return index < history_.size() ? "T" + std::to_string(index) : "(later)";
  }

  // What a transaction has seen and left, from its accesses in order.
  void Scan(size_t index) {
    const TransactionRecord& record = history_[index];
    std::map<std::string, std::string> current;
    std::map<std::string, std::string> seen;  // the version of the store
    std::map<std::string, std::string> left;  // by its own writes
    for (const TransactionAccess& access : record.accesses) {
      auto known = current.find(access.key);
      if (access.is_write) {
        VARVE_CHECK(known != current.end());  // read before it is written
        auto [it, is_first] = writers_.try_emplace({access.key, access.value}, index);
        if (!is_first) problem_ = "a value was written twice: " + Name(it->first);
        if (left.contains(access.key)) intermediate_.insert({{access.key, left[access.key]}, index});
        left[access.key] = known->second = access.value;
        continue;
      }
      if (known == current.end()) {
        current[access.key] = seen[access.key] = access.value;
      } else if (known->second != access.value) {
        problem_ = Name(index) + " read " + Name({access.key, access.value}) + " after " +
                   Name({access.key, known->second});
      }
    }
    if (!record.is_committed) return;
    for (const auto& version : seen) uses_[version].readers.push_back(index);
    for (const auto& [key, value] : left) uses_[{key, seen[key]}].replacers.push_back(index);
  }

  void AddDependencies() {
    for (const auto& [version, uses] : uses_) {
      const auto writer = writers_.find(version);
      if (!version.second.empty()) {
        if (writer == writers_.end()) problem_ = "read a value that nobody wrote: " + Name(version);
        else if (!history_[writer->second].is_committed)
          problem_ = "read a value of " + Name(writer->second) + ", which did not commit: " + Name(version);
        else if (intermediate_.contains(version) )
          problem_ = "read a value that " + Name(writer->second) + " had replaced: " + Name(version);
        if (!problem_.empty()) return;
        for (const size_t reader : uses.readers) AddEdge(writer->second, reader, EdgeKind::kWr);
        for (const size_t other : uses.replacers) AddEdge(writer->second, other, EdgeKind::kWw);
      }
      for (const size_t reader : uses.readers) {
        for (const size_t other : uses.replacers) AddEdge(reader, other, EdgeKind::kRw);
      }
      // Two that replaced one version: each had read what the other replaced. Lost.
      for (const size_t one : uses.replacers) {
        for (const size_t other : uses.replacers) AddEdge(one, other, EdgeKind::kWw);
      }
    }
  }

  // A chain of moments stands between all who ended and all who began after.
  void AddTime() {
    std::vector<std::pair<uint64_t, size_t>> ends;
    for (size_t i = 0; i < history_.size(); ++i) {
      if (history_[i].is_committed) ends.push_back({history_[i].end, i});
    }
    std::sort(ends.begin(), ends.end());
    const size_t first_moment = history_.size();
    for (size_t m = 0; m < ends.size(); ++m) {
      AddEdge(ends[m].second, first_moment + m, EdgeKind::kTime);
      if (m > 0) AddEdge(first_moment + m - 1, first_moment + m, EdgeKind::kTime);
    }
    for (size_t i = 0; i < history_.size(); ++i) {
      if (!history_[i].is_committed) continue;
      const auto after = std::lower_bound(ends.begin(), ends.end(), std::pair(history_[i].begin, size_t{0}));
      if (after == ends.begin()) continue;
      AddEdge(first_moment + static_cast<size_t>(after - ends.begin()) - 1, i, EdgeKind::kTime);
    }
  }

  void AddEdge(size_t from, size_t to, EdgeKind kind) {
    if (from != to) edges_[from].push_back({to, kind});
  }

  // A node of the search: a transaction or moment, and whether it was entered by rw. Snapshot isolation
  // allows whatever has two rw in a row, so that no way leads through these.
  size_t NodeOf(size_t index, bool by_rw) const {
    return 2 * index + (by_rw && isolation_ == Isolation::kSnapshot ? 1 : 0);
  }

  std::string FindCycle() {
    enum : uint8_t { kNew, kOpen, kDone };
    std::vector<uint8_t> state(2 * edges_.size(), kNew);
    struct Frame {
      size_t node;
      size_t next_edge;
      EdgeKind by;
    };
    for (size_t start = 0; start < state.size(); ++start) {
      if (state[start] != kNew) continue;
      std::vector<Frame> path{{start, 0, EdgeKind::kTime}};
      state[start] = kOpen;
      while (!path.empty()) {
        Frame& top = path.back();
        const auto& edges = edges_[top.node / 2];
        if (top.next_edge == edges.size()) {
          state[top.node] = kDone;
          path.pop_back();
          continue;
        }
        const Edge& edge = edges[top.next_edge++];
        if (edge.kind == EdgeKind::kRw && top.node % 2 == 1) continue;
        const size_t node = NodeOf(edge.to, edge.kind == EdgeKind::kRw);
        if (state[node] == kOpen) {
          std::string cycle = Name(node / 2);
          auto at = std::find_if(path.begin(), path.end(),
                                 [&](const Frame& frame) { return frame.node == node; });
          for (++at; at != path.end(); ++at) {
            cycle += std::string(" -") + NameOf(at->by) + "-> " + Name(at->node / 2);
          }
          return "cycle: " + cycle + " -" + NameOf(edge.kind) + "-> " + Name(node / 2);
        }
        if (state[node] == kDone) continue;
        state[node] = kOpen;
        path.push_back({node, 0, edge.kind});
      }
    }
    return "";
  }

  const std::vector<TransactionRecord>& history_;
  const Isolation isolation_;
  std::vector<std::vector<Edge>> edges_;  // of transactions, then of moments
  std::map<Version, size_t> writers_;
  std::map<Version, size_t> intermediate_;
  std::map<Version, Uses> uses_;
  std::string problem_;
};

}  // namespace

std::string FindAnomaly(const std::vector<TransactionRecord>& history, Isolation isolation) {
  return Checker(history, isolation).Run();
}

}  // namespace varve::torture
