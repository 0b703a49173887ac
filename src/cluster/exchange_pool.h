// ExchangePool: the exchanges that a node runs, each with numbers of its own for its requests.
#ifndef VARVE_CLUSTER_EXCHANGE_POOL_H_
#define VARVE_CLUSTER_EXCHANGE_POOL_H_

#include <cstdint>
#include <map>
#include <vector>

#include "cluster/exchange.h"

namespace varve::cluster {

// Thread-compatible.
class ExchangePool {
 public:
  static constexpr uint32_t kBitsOfOne = 32;  // of the numbers of one exchange's requests

  struct Ended {
    uint64_t exchange = 0;
    Exchange::Result result = Exchange::Result::kFailed;
    size_t keys = 0;
    uint64_t bytes = 0;
  };

  // `first`: of the numbers, a multiple of 2^kBitsOfOne; not one that a former life has used.
  explicit ExchangePool(uint64_t first) : next_(first >> kBitsOfOne) {}

  // `first_request` of the options is set here. Returns the exchange's name.
  uint64_t Begin(Exchange::Options options, Nanos now, Actions* actions);
  // A reply to a request with such a number. Others are ignored.
  void OnMessage(const Message& reply, Nanos now, Actions* actions);
  void OnTime(Nanos now, Actions* actions);
  // Those that have ended since the last call.
  std::vector<Ended> TakeEnded();

  size_t size() const { return exchanges_.size(); }

 private:
  uint64_t next_;
  std::map<uint64_t, Exchange> exchanges_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_EXCHANGE_POOL_H_
