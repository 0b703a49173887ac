// The simulated disk of one node: records by name, for what a store below the node would keep. A write is visible at once,
// also to a process that starts again on the same machine. Durable it is when a sync that began after it has
// succeeded. When the power fails a prefix of what was not synced survives, in the order in which it was written; the last
// record of it may be torn: cut off somewhere.
#ifndef VARVE_SIM_DISK_H_
#define VARVE_SIM_DISK_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sim/stream.h"

namespace varve::sim {

class Disk {
 public:
  using Records = std::map<std::string, std::string, std::less<>>;

  // What a node reads: everything that was written.
  const Records& records() const { return visible_; }
  std::optional<std::string_view> Read(std::string_view name) const {
    const auto it = visible_.find(name);
    return it == visible_.end() ? std::nullopt : std::optional<std::string_view>(it->second);
  }
  // What would survive now, at worst.
  const Records& durable() const { return durable_; }

  void Write(std::string name, std::string value) { Add(std::move(name), std::move(value), false); }
  // `with_previous`: survives exactly if the change before it does.
  void Erase(std::string name, bool with_previous = false) { Add(std::move(name), std::nullopt, with_previous); }
  // The point up to which a sync that begins now makes durable.
  uint64_t End() const { return begin_ + pending_.size(); }
  void Synced(uint64_t end);
  void PowerCut(Stream* random, bool may_tear);
  void Wipe();
  // Everything is as it was on `earlier`, a copy of this one. Nothing tells.
  void Restore(const Disk& earlier);
  // How often each of these has happened. A machine that starts knows: by its boot id, and by what it does not find.
  uint64_t power_cuts() const { return power_cuts_; }
  uint64_t wipes() const { return wipes_; }

 private:
  struct Change {
    std::string name;
    std::optional<std::string> value;  // nothing: erased
    bool with_previous;
  };
  void Add(std::string name, std::optional<std::string> value, bool with_previous);
  static void Apply(const Change& change, Records* records);

  Records visible_;
  Records durable_;
  std::deque<Change> pending_;  // from visible_ to durable_
  uint64_t begin_ = 0;          // number of the first one in pending_
  uint64_t power_cuts_ = 0;
  uint64_t wipes_ = 0;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_DISK_H_
