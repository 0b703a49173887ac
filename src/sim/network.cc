#include "sim/network.h"

#include <algorithm>

#include "base/planted_bug.h"

namespace varve::sim {
namespace {

constexpr Nanos kFastest = 50 * kMicrosecond;
constexpr Nanos kUsualSpread = 500 * kMicrosecond;
constexpr Nanos kRareSpread = 20 * kMillisecond;  // one message in fifty

}  // namespace

Network::Network(uint64_t seed, uint32_t endpoints) : endpoints_(endpoints), senders_(endpoints) {
  for (uint64_t place = 0; place < uint64_t{endpoints} * endpoints; ++place) {
    links_.push_back({Stream(seed, 0x11E7'0000'0000 + place), 0, 0});
  }
}

void Network::Change(const Fault& fault, int sign) {
  Sender& sender = senders_[fault.a];
  const uint64_t amount = sign > 0 ? fault.amount : 0 - fault.amount;
  switch (fault.kind) {
    case FaultKind::kCut: Cut(fault.a, fault.b, sign); break;
    case FaultKind::kSplit:
      for (Endpoint from = 0; from < endpoints_; ++from) {
        for (Endpoint to = 0; to < endpoints_; ++to) {
          if (((fault.amount >> from) & 1) != ((fault.amount >> to) & 1)) Cut(from, to, sign);
        }
      }
      break;
    case FaultKind::kClog: {
      Nanos& until = links_[Place(fault.a, fault.b)].clogged_until;
      if (sign > 0) until = std::max(until, fault.at + fault.length);
      break;
    }
    case FaultKind::kLose: sender.lost += amount; break;
    case FaultKind::kDuplicate: sender.doubled += amount; break;
    case FaultKind::kDelay: sender.delay += amount; break;
    default: break;
  }
}

Network::Arrivals Network::Send(Endpoint from, Endpoint to, Nanos now) {
  Link& link = links_[Place(from, to)];
  const Sender& sender = senders_[from];
  if (link.cuts > 0 || link.random.Chance(sender.lost)) return {};
  Arrivals arrivals;
  arrivals.first = ArrivalOf(&link, sender, now);
  if (link.random.Chance(sender.doubled)) arrivals.second = ArrivalOf(&link, sender, now);
  return arrivals;
}

Nanos Network::ArrivalOf(Link* link, const Sender& sender, Nanos now) const {
  const uint64_t spread = link->random.Uniform(50) == 0 ? kRareSpread : kUsualSpread;
  Nanos arrival = now + kFastest + link->random.Uniform(spread);
  if (VARVE_PLANTED_BUG("sim.runs_know_of_each_other")) {
    static uint64_t messages = 0;
    arrival += ++messages % 1000;
  }
  if (sender.delay > 0) arrival += link->random.Uniform(sender.delay);
  // What a clog holds back comes at its end, mixed.
  return arrival < link->clogged_until ? link->clogged_until + (arrival - now) : arrival;
}

}  // namespace varve::sim
