#include "cluster/exchange_pool.h"

#include <iterator>

namespace varve::cluster {

uint64_t ExchangePool::Begin(Exchange::Options options, Nanos now, Actions* actions) {
  const uint64_t name = next_++;
  options.first_request = name << kBitsOfOne;
  const auto [exchange, is_new] = exchanges_.emplace(name, Exchange(options));
  exchange->second.Start(now, actions);
  return name;
}

void ExchangePool::OnMessage(const Message& reply, Nanos now, Actions* actions) {
  const auto found = exchanges_.find(reply.request >> kBitsOfOne);
  if (found != exchanges_.end()) found->second.OnMessage(reply, now, actions);
}

void ExchangePool::OnTime(Nanos now, Actions* actions) {
  for (auto& [name, exchange] : exchanges_) exchange.OnTime(now, actions);
}

std::vector<ExchangePool::Ended> ExchangePool::TakeEnded() {
  std::vector<Ended> ended;
  for (auto it = exchanges_.begin(); it != exchanges_.end();) {
    const Exchange& exchange = it->second;
    if (exchange.result() == Exchange::Result::kUnderWay) {
      ++it;
      continue;
    }
    ended.push_back({it->first, exchange.result(), exchange.keys(), exchange.bytes()});
    it = exchanges_.erase(it);
  }
  return ended;
}

}  // namespace varve::cluster
