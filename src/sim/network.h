// The simulated network: when, and whether, a message arrives. Of each link (from, to) the faults that are on are counted,
// so that they may overlap.
#ifndef VARVE_SIM_NETWORK_H_
#define VARVE_SIM_NETWORK_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/fault.h"
#include "sim/stream.h"

namespace varve::sim {

class Network {
 public:
  Network(uint64_t seed, uint32_t endpoints);

  // Turns a fault of the network on or off; others are not its business.
  void Begin(const Fault& fault) { Change(fault, 1); }
  void End(const Fault& fault) { Change(fault, -1); }

  // When the copies of a message that is sent now arrive, if it is not lost, and if there is a second one.
  struct Arrivals {
    std::optional<Nanos> first;
    std::optional<Nanos> second;
  };
  Arrivals Send(Endpoint from, Endpoint to, Nanos now);
  // Whether what is under way gets through now: a link that was cut meanwhile delivers nothing.
  bool IsCut(Endpoint from, Endpoint to) const { return links_[Place(from, to)].cuts > 0; }

 private:
  struct Link {
    Stream random;
    uint32_t cuts = 0;
    Nanos clogged_until = 0;
  };
  // What happens to all that an endpoint sends.
  struct Sender {
    uint64_t lost = 0;  // of 1000
    uint64_t doubled = 0;
    Nanos delay = 0;
  };
  size_t Place(Endpoint from, Endpoint to) const { return size_t{from} * endpoints_ + to; }
  void Change(const Fault& fault, int sign);
  void Cut(Endpoint from, Endpoint to, int sign) { links_[Place(from, to)].cuts += static_cast<uint32_t>(sign); }
  Nanos ArrivalOf(Link* link, const Sender& sender, Nanos now) const;

  const uint32_t endpoints_;
  std::vector<Link> links_;
  std::vector<Sender> senders_;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_NETWORK_H_
