// Requests of clients.
#include <utility>

#include "base/planted_bug.h"
#include "cluster/node_core_impl.h"

namespace varve::cluster {
namespace {

constexpr size_t kFallbacks = 3;

// Nothing was done, and under another topology, or a little later, it may be.
bool IsWorthAnotherTry(ReplyCode reason) {
  return reason == ReplyCode::kStaleEpoch || reason == ReplyCode::kUnknownEpoch ||
         reason == ReplyCode::kCannotMakeDots;
}

}  // namespace

void NodeCore::Impl::Put(uint64_t client_request, ClientPut put, Now now, Actions* actions) {
  if (requests_.size() >= options_.max_requests) {
    actions->push_back(FinishPut{client_request, Outcome::kFailed, ReplyCode::kOverloaded, {}});
    return;
  }
  const auto [request, is_new] = requests_.insert_or_assign(client_request, Request{std::move(put)});
  Dispatch(client_request, &request->second, now, actions);
}

void NodeCore::Impl::Get(uint64_t client_request, ClientGet get, Now now, Actions* actions) {
  if (requests_.size() >= options_.max_requests) {
    actions->push_back(FinishGet{client_request, Outcome::kFailed, ReplyCode::kOverloaded, {}, {}});
    return;
  }
  const auto [request, is_new] = requests_.insert_or_assign(client_request, Request{std::move(get)});
  Dispatch(client_request, &request->second, now, actions);
}

// A node that holds no copy coordinates as the others do: it has one of the replicas make the write.
void NodeCore::Impl::Dispatch(uint64_t client_request, Request* request, Now now, Actions* actions) {
  request->waits = !topology_ && now.monotonic < request->deadline();
  if (request->waits) return;
  if (const auto* put = std::get_if<ClientPut>(&request->what)) {
    PutRequest to_do{{put->key, put->is_delete, put->value, put->seen}, {}};
    const Nanos more = VARVE_PLANTED_BUG("node.answers_late") ? 500'000'000 : 0;
    to_do.options = {SetsFor(put->key, put->sloppy), put->level, put->replicas, put->deadline + more, put->sloppy};
    coordinator_.Put(client_request, std::move(to_do), now.monotonic, actions);
  } else {
    const auto& get = std::get<ClientGet>(request->what);
    coordinator_.Get(client_request,
                     {get.key, {SetsFor(get.key, false), get.level, get.replicas, get.deadline, false}},
                     now.monotonic, actions);
  }
}

SharedSets NodeCore::Impl::SetsFor(const std::string& key, bool is_sloppy) {
  if (!topology_) return std::make_shared<const RequestSets>();  // of which there is never enough
  const SharedSets& sets = SetsOf(PartitionOf(key));
  return is_sloppy ? WithFallbacks(*sets) : sets;
}

const SharedSets& NodeCore::Impl::SetsOf(PartitionId partition) {
  SharedSets& sets = request_sets_[Value(partition)];
  if (sets == nullptr) sets = std::make_shared<const RequestSets>(RequestSetsOf(partition, topology_->SetsOf(partition), {}));
  return sets;
}

// Beginning with another one for each partition.
SharedSets NodeCore::Impl::WithFallbacks(RequestSets sets) const {
  const size_t members = topology_->members.size();
  for (size_t i = 0; i < members && sets.fallbacks.size() < kFallbacks; ++i) {
    const Member& member = topology_->members[(Value(sets.partition) + i) % members];
    const bool may = member.state == MemberState::kUp && member.id != options_.self && !IsSuspect(member.id);
    const auto has_it = [&member](const std::vector<NodeId>& set) { return IsIn(member.id, set); };
    if (may && std::none_of(sets.write.begin(), sets.write.end(), has_it)) sets.fallbacks.push_back(member.id);
  }
  return std::make_shared<const RequestSets>(std::move(sets));
}

void NodeCore::Impl::RetryRequests(Now now, Actions* actions) {
  for (auto& [client_request, request] : requests_) {
    if (request.waits) Dispatch(client_request, &request, now, actions);
  }
}

bool NodeCore::Impl::IsOver(uint64_t client_request, Outcome outcome, ReplyCode reason, Nanos now) {
  const auto found = requests_.find(client_request);
  if (found == requests_.end()) return true;
  if (outcome == Outcome::kFailed && IsWorthAnotherTry(reason) && now < found->second.deadline()) {
    found->second.waits = true;
    return false;
  }
  requests_.erase(found);
  return true;
}

}  // namespace varve::cluster
