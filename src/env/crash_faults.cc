#include "env/crash_faults.h"

#include <algorithm>
#include <utility>

namespace varve {
namespace {

constexpr std::array<std::string_view, kCallKindCount> kNames = {
    "open for reading", "open for writing", "read", "stat",           "list",  "write",  "allocate",
    "populate",         "truncate",         "sync", "sync directory", "close", "rename", "link",
    "remove",           "create directory", "lock"};

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

std::string_view CallKindName(CallKind kind) { return kNames[static_cast<size_t>(kind)]; }

bool CallFilter::Matches(const CallInfo& call) const {
  if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), call.kind) == kinds.end()) {
    return false;
  }
  return Contains(call.path, path_contains) ||
         (!call.to.empty() && Contains(call.to, path_contains));
}

CallFilter CallFilter::Reads() {
  return {.kinds = {CallKind::kOpenRead, CallKind::kRead, CallKind::kStat, CallKind::kList}};
}

CallFilter CallFilter::Changes() {
  const CallFilter reads = Reads();
  CallFilter changes;
  for (size_t i = 0; i < kCallKindCount; ++i) {
    const auto kind = static_cast<CallKind>(i);
    if (!reads.Matches({.kind = kind})) changes.kinds.push_back(kind);
  }
  return changes;
}

void FaultInjector::FailCall(uint64_t nth, Fault fault, FaultSpan span, CallFilter filter) {
  MutexLock lock(&mu_);
  requests_.push_back({std::max<uint64_t>(nth, 1), fault, span, std::move(filter)});
}

void FaultInjector::ClearFaults() {
  MutexLock lock(&mu_);
  requests_.clear();
}

void FaultInjector::SetHook(Hook hook) {
  auto shared = hook ? std::make_shared<const Hook>(std::move(hook)) : nullptr;
  MutexLock lock(&mu_);
  hook_.swap(shared);
}

uint64_t FaultInjector::call_count() const {
  MutexLock lock(&mu_);
  return call_count_;
}

uint64_t FaultInjector::call_count(CallKind kind) const {
  MutexLock lock(&mu_);
  return counts_[static_cast<size_t>(kind)];
}

uint64_t FaultInjector::fault_count() const {
  MutexLock lock(&mu_);
  return fault_count_;
}

Fault FaultInjector::Enter(CallInfo call) {
  std::shared_ptr<const Hook> hook;
  Fault fault;
  {
    MutexLock lock(&mu_);
    call.index = ++call_count_;
    ++counts_[static_cast<size_t>(call.kind)];
    fault = Decide(call);
    hook = hook_;
  }
  // Without the lock: the hook may clone the environment, which takes time.
  if (hook != nullptr) (*hook)(call);
  return fault;
}

Fault FaultInjector::Decide(const CallInfo& call) {
  Fault fault = Fault::kNone;
  for (Request& request : requests_) {
    if (!request.filter.Matches(call)) continue;
    if (request.matches_left > 0) --request.matches_left;
    if (request.matches_left == 0 && fault == Fault::kNone) fault = request.fault;
  }
  std::erase_if(requests_, [](const Request& request) {
    return request.matches_left == 0 && request.span == FaultSpan::kOnce;
  });
  if (fault != Fault::kNone) ++fault_count_;
  return fault;
}

}  // namespace varve
