#include "sim/world.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/planted_bug.h"

namespace varve::sim {
namespace {

constexpr Nanos kFastestSync = 100 * kMicrosecond;
constexpr Nanos kSyncSpread = 2 * kMillisecond;

// What a reply of the store carries besides its bytes: kind and success, in Event::b with the revision.
uint64_t PackReply(StoreReply::Kind kind, bool swapped, uint64_t revision) {
  return revision << 8 | static_cast<uint64_t>(kind) << 1 | (swapped ? 1 : 0);
}

}  // namespace

World::World(Scenario* scenario, uint64_t seed, const Schedule& schedule, const WorldOptions& options)
    : scenario_(scenario), seed_(seed), schedule_(schedule), options_(options),
      network_(seed, scenario->servers() + scenario->clients() + 1), store_(scenario->FirstTopology()),
      faults_left_(schedule.size()), store_random_(seed, 0x5702E), trace_(seed) {
  const uint32_t endpoints = scenario->servers() + scenario->clients();
  for (Endpoint endpoint = 0; endpoint < endpoints; ++endpoint) {
    Place place{nullptr, {}, {}, Stream(seed, 0xD15C'0000 + endpoint)};
    places_.push_back(std::move(place));
    queue_.Push({0, 0, EventKind::kStart, endpoint, 0, 0, 0, 0});
  }
  for (uint64_t i = 0; i < schedule_.size(); ++i) {
    VARVE_CHECK(schedule_[i].a <= endpoints && schedule_[i].b <= endpoints);
    queue_.Push({schedule_[i].at, 0, EventKind::kFaultBegins, 0, 0, 0, i, 0});
    queue_.Push({schedule_[i].at + schedule_[i].length, 0, EventKind::kFaultEnds, 0, 0, 0, i, 0});
  }
}

RunResult World::Run() {
  Nanos end = options_.least;
  for (const Fault& fault : schedule_) end = std::max(end, fault.at + fault.length);
  end += options_.calm;
  RunResult result;
  while (!queue_.empty() && queue_.next_time() <= end && result.status.ok()) {
    const auto [event, bytes] = queue_.Pop();
    now_ = event.time;
    ++result.events;
    Handle(event, bytes);
    result.status = scenario_->Check(*this);
    if (result.events == options_.most_events) {
      result.status = Status::Aborted("simulation: more events than allowed");
    }
  }
  if (result.status.ok()) {
    now_ = end;
    result.status = scenario_->CheckEnd(*this);
  }
  result.trace = trace_;
  result.simulated = now_;
  return result;
}

void World::Trace(const Event& event, std::string_view bytes) {
  const uint64_t what = uint64_t{event.endpoint} << 40 | uint64_t{event.life} << 8 | static_cast<uint64_t>(event.kind);
  trace_ = Mix(trace_ ^ event.time, what) ^ Mix(event.a, event.b);
  if (!bytes.empty()) trace_ = Mix(trace_, Hash64(bytes));
}

void World::Handle(const Event& event, const std::string& bytes) {
  switch (event.kind) {
    case EventKind::kFaultBegins: Trace(event, bytes); return BeginFault(schedule_[event.a]);
    case EventKind::kFaultEnds: Trace(event, bytes); return EndFault(schedule_[event.a]);
    case EventKind::kAtStore: return HandleAtStore(event, bytes);
    case EventKind::kStart:
      if (places_[event.endpoint].downs > 0 || IsUp(event.endpoint)) return;
      break;
    case EventKind::kMessage:
      // To the process that runs when it arrives, whichever that is.
      if (!IsUp(event.endpoint) || network_.IsCut(static_cast<Endpoint>(event.a), event.endpoint)) return;
      if (options_.connections && event.life != places_[event.endpoint].life) return;
      break;
    default:
      if (!IsUp(event.endpoint) || event.life != places_[event.endpoint].life) return;
  }
  Place& place = places_[event.endpoint];
  if (place.paused_until > now_) {
    Event later = event;
    later.time = place.paused_until;
    return queue_.Push(later, bytes);
  }
  if (event.kind == EventKind::kTimer) {
    const auto timer = place.timers.find(event.a);
    if (timer == place.timers.end() || timer->second != event.b) return;  // cancelled, or set again
    place.timers.erase(timer);
  }
  Trace(event, bytes);
  HandleAtNode(event, bytes);
}

void World::HandleAtNode(const Event& event, const std::string& bytes) {
  Place& place = places_[event.endpoint];
  const Time time = place.clock.At(now_);
  actions_.list().clear();
  switch (event.kind) {
    case EventKind::kStart: StartNode(event.endpoint); break;
    case EventKind::kMessage:
      place.node->OnMessage(static_cast<Endpoint>(event.a), bytes, time, &actions_);
      break;
    case EventKind::kTimer: place.node->OnTimer(event.a, time, &actions_); break;
    case EventKind::kSynced: {
      const bool ok = place.failing_syncs == 0;
      if (ok) place.disk.Synced(event.b);
      place.node->OnSynced(event.a, ok, time, &actions_);
      break;
    }
    default: {
      const auto kind = static_cast<StoreReply::Kind>((event.b >> 1) & 0x7f);
      place.node->OnStore({kind, event.a, (event.b & 1) != 0, event.b >> 8, bytes}, time, &actions_);
    }
  }
  Perform(event.endpoint);
}

void World::StartNode(Endpoint endpoint) {
  Place& place = places_[endpoint];
  ++place.life;
  place.timers.clear();
  place.watches = false;
  place.node = scenario_->NewNode(endpoint, &place.disk, Mix(Mix(seed_, endpoint), place.life));
  place.node->OnStart(place.clock.At(now_), &actions_);
}

void World::Perform(Endpoint from) {
  Place& place = places_[from];
  for (Actions::Action& action : actions_.list()) {
    switch (action.kind) {
      case Actions::Kind::kSend: {
        const auto to = static_cast<Endpoint>(action.a);
        VARVE_CHECK(to < places_.size());
        if (options_.connections && !IsUp(to)) break;
        const uint32_t life = options_.connections ? places_[to].life : 0;
        Transmit(from, to, {0, 0, EventKind::kMessage, to, life, 0, from, 0}, std::move(action.bytes));
        break;
      }
      case Actions::Kind::kSetTimer: SetTimer(from, action.a, action.b); break;
      case Actions::Kind::kCancelTimer: place.timers.erase(action.a); break;
      case Actions::Kind::kWrite: place.disk.Write(std::move(action.key), std::move(action.bytes)); break;
      case Actions::Kind::kErase: place.disk.Erase(std::move(action.key), action.a != 0); break;
      case Actions::Kind::kSync: {
        Nanos at = now_ + kFastestSync + place.random.Uniform(kSyncSpread);
        if (place.slow_sync > 0) at += place.random.Uniform(place.slow_sync);
        queue_.Push({at, 0, EventKind::kSynced, from, place.life, 0, action.a, place.disk.End()});
        break;
      }
      case Actions::Kind::kWatchStore: place.watches = true; break;
      default: {
        const bool swaps = action.kind == Actions::Kind::kSwapStore;
        // The revision that is expected; 0, which none has, for a read. The life is that of the sender.
        Transmit(from, store_endpoint(),
                 {0, 0, EventKind::kAtStore, from, place.life, 0, action.a, swaps ? action.b + 1 : 0},
                 std::move(action.bytes));
      }
    }
  }
}

void World::SetTimer(Endpoint endpoint, uint64_t id, Nanos delay) {
  Place& place = places_[endpoint];
  place.timers[id] = ++timer_count_;
  queue_.Push({now_ + place.clock.RealDelay(delay), 0, EventKind::kTimer, endpoint, place.life, 0, id, timer_count_});
}

void World::Transmit(Endpoint from, Endpoint to, Event event, std::string bytes) {
  const Network::Arrivals arrivals = network_.Send(from, to, now_);
  if (!arrivals.first) return;
  event.time = *arrivals.first;
  if (!arrivals.second) return queue_.Push(event, std::move(bytes));
  queue_.Push(event, bytes);
  event.time = *arrivals.second;
  queue_.Push(event, std::move(bytes));
}

void World::HandleAtStore(const Event& event, const std::string& bytes) {
  if (network_.IsCut(event.endpoint, store_endpoint())) return;
  if (store_stalls_until_ > now_) {
    Event later = event;
    later.time = store_stalls_until_;
    return queue_.Push(later, bytes);
  }
  Trace(event, bytes);
  if (event.b == 0) {
    const uint64_t stale = store_stale_ > 0 ? store_random_.Uniform(store_stale_ + 1) : 0;
    return AnswerFromStore(event.endpoint, StoreReply::Kind::kRead, event.a, false, store_.StaleBy(stale));
  }
  const bool swapped = store_.Swap(event.b - 1, bytes);
  AnswerFromStore(event.endpoint, StoreReply::Kind::kCompareAndSwap, event.a, swapped, store_.revision());
  for (Endpoint watcher = 0; swapped && store_no_watch_ == 0 && watcher < places_.size(); ++watcher) {
    if (places_[watcher].watches) {
      AnswerFromStore(watcher, StoreReply::Kind::kWatch, 0, false, store_.revision());
    }
  }
}

void World::AnswerFromStore(Endpoint to, StoreReply::Kind kind, uint64_t id, bool swapped, uint64_t revision) {
  if (store_no_reply_ > 0 && kind != StoreReply::Kind::kWatch) return;
  Transmit(store_endpoint(), to,
           {0, 0, EventKind::kFromStore, to, places_[to].life, 0, id, PackReply(kind, swapped, revision)},
           store_.At(revision));
}

void World::BringDown(const Fault& fault) {
  Place& place = places_[fault.a];
  ++place.downs;
  place.node.reset();
  if (fault.kind == FaultKind::kPowerCut) place.disk.PowerCut(&place.random, options_.may_tear);
  if (fault.kind == FaultKind::kWipe) place.disk.Wipe();
}

void World::Restore(Endpoint endpoint) {
  Place& place = places_[endpoint];
  if (!place.snapshot) return;  // another one has ended already
  place.disk.Restore(*place.snapshot);
  place.snapshot.reset();
  place.node.reset();
  queue_.Push({now_, 0, EventKind::kStart, endpoint, 0, 0, 0, 0});
}

void World::BeginFault(const Fault& fault) {
  network_.Begin(fault);
  Place* place = fault.a < places_.size() ? &places_[fault.a] : nullptr;
  switch (fault.kind) {
    case FaultKind::kStoreStall: store_stalls_until_ = std::max(store_stalls_until_, fault.at + fault.length); return;
    case FaultKind::kStoreStale: store_stale_ += fault.amount; return;
    case FaultKind::kStoreNoWatch: ++store_no_watch_; return;
    case FaultKind::kStoreNoReply: ++store_no_reply_; return;
    default: break;
  }
  if (place == nullptr) return;
  switch (fault.kind) {
    case FaultKind::kCrash: case FaultKind::kPowerCut: case FaultKind::kWipe: BringDown(fault); break;
    case FaultKind::kPause: place->paused_until = std::max(place->paused_until, fault.at + fault.length); break;
    case FaultKind::kClockJump: place->clock.Jump(static_cast<int64_t>(fault.amount - (uint64_t{1} << 63))); break;
    case FaultKind::kClockRate:
      place->clock.SetRate(static_cast<int64_t>(fault.amount) - (int64_t{1} << 31), now_);
      break;
    case FaultKind::kSlowDisk: place->slow_sync += fault.amount; break;
    case FaultKind::kFailedSync: ++place->failing_syncs; break;
    case FaultKind::kRestore: place->snapshot = place->disk; break;
    default: break;
  }
}

void World::EndFault(const Fault& fault) {
  --faults_left_;
  network_.End(fault);
  Place* place = fault.a < places_.size() ? &places_[fault.a] : nullptr;
  switch (fault.kind) {
    case FaultKind::kStoreStale: store_stale_ -= fault.amount; return;
    case FaultKind::kStoreNoWatch: --store_no_watch_; return;
    case FaultKind::kStoreNoReply: --store_no_reply_; return;
    default: break;
  }
  if (place == nullptr) return;
  switch (fault.kind) {
    case FaultKind::kCrash: case FaultKind::kPowerCut: case FaultKind::kWipe:
      if (VARVE_PLANTED_BUG("sim.starts_in_the_middle_of_another_crash")) place->downs = 1;
      if (--place->downs == 0) queue_.Push({now_, 0, EventKind::kStart, fault.a, 0, 0, 0, 0});
      break;
    case FaultKind::kClockRate: place->clock.SetRate(0, now_); break;
    case FaultKind::kSlowDisk: place->slow_sync -= fault.amount; break;
    case FaultKind::kFailedSync: --place->failing_syncs; break;
    case FaultKind::kRestore: Restore(fault.a); break;
    default: break;
  }
}

}  // namespace varve::sim
