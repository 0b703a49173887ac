#include "cluster/coordinator.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cluster/get_operation.h"
#include "cluster/put_operation.h"

namespace varve::cluster {

Coordinator::Coordinator(CoordinatorOptions options)
    : options_(std::move(options)), next_operation_(options_.first_operation) {}

void Coordinator::Put(uint64_t client_request, PutRequest request, Nanos now, Actions* actions) {
  if (operations_.size() >= options_.max_operations) {
    actions->push_back(FinishPut{client_request, Outcome::kFailed, ReplyCode::kOverloaded, {}});
    return;
  }
  Begin(std::make_unique<PutOperation>(&options_, &suspects_, next_operation_, client_request,
                                       std::move(request)),
        now, actions);
}

void Coordinator::Get(uint64_t client_request, GetRequest request, Nanos now, Actions* actions) {
  if (operations_.size() >= options_.max_operations) {
    actions->push_back(FinishGet{client_request, Outcome::kFailed, ReplyCode::kOverloaded, {}, {}});
    return;
  }
  Begin(std::make_unique<GetOperation>(&options_, &suspects_, next_operation_, client_request,
                                       std::move(request)),
        now, actions);
}

void Coordinator::Begin(std::unique_ptr<CoordinatedOperation> operation, Nanos now, Actions* actions) {
  operation->Start(now, actions);
  if (!operation->is_done()) operations_.emplace(next_operation_, std::move(operation));
  ++next_operation_;
}

void Coordinator::OnMessage(Message reply, Nanos now, Actions* actions) {
  const auto found = operations_.find(reply.request);
  if (found == operations_.end()) return;
  found->second->OnReply(reply.from, std::move(reply.body), now, actions);
  if (found->second->is_done()) operations_.erase(found);
}

void Coordinator::OnTopology(const std::function<SharedSets(const PutRequest&)>& sets_of, Nanos now,
                             Actions* actions) {
  std::vector<std::unique_ptr<CoordinatedOperation>> renewed;
  for (auto it = operations_.begin(); it != operations_.end();) {
    const PutRequest* request = it->second->continues();
    SharedSets sets = request == nullptr ? nullptr : sets_of(*request);
    if (sets == nullptr || sets->epoch <= request->options.sets->epoch) {
      ++it;
      continue;
    }
    it->second->Renew(next_operation_ + renewed.size(), std::move(sets), now, actions);
    renewed.push_back(std::move(it->second));
    it = operations_.erase(it);
  }
  for (auto& operation : renewed) operations_.emplace(next_operation_++, std::move(operation));
}

void Coordinator::OnTime(Nanos now, Actions* actions) {
  for (auto it = operations_.begin(); it != operations_.end();) {
    if (it->second->next_time() <= now) it->second->OnTime(now, actions);
    it = it->second->is_done() ? operations_.erase(it) : std::next(it);
  }
}

std::optional<Nanos> Coordinator::NextTime() const {
  std::optional<Nanos> next;
  for (const auto& [number, operation] : operations_) {
    next = std::min(next.value_or(operation->next_time()), operation->next_time());
  }
  return next;
}

void Coordinator::SetSuspect(NodeId node, bool is_suspect) {
  if (is_suspect) {
    suspects_.insert(node);
  } else {
    suspects_.erase(node);
  }
}

}  // namespace varve::cluster
