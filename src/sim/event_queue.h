// Events in the order of their times; those of the same time in the order in which they were added.
#ifndef VARVE_SIM_EVENT_QUEUE_H_
#define VARVE_SIM_EVENT_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sim/node.h"

namespace varve::sim {

enum class EventKind : uint8_t { kStart, kMessage, kTimer, kSynced, kFaultBegins, kFaultEnds, kAtStore, kFromStore };

struct Event {
  Nanos time = 0;
  uint64_t sequence = 0;  // given by the queue
  EventKind kind = EventKind::kStart;
  Endpoint endpoint = 0;  // whose event it is
  uint32_t life = 0;      // for which life of it
  uint32_t text = 0;      // place of the bytes, given by the queue
  uint64_t a = 0;
  uint64_t b = 0;
};

// A binary heap. The bytes lie beside it and keep their memory for the next ones.
class EventQueue {
 public:
  bool empty() const { return heap_.empty(); }
  Nanos next_time() const { return heap_.front().time; }

  void Push(Event event, std::string bytes = {}) {
    event.sequence = ++sequence_;
    if (free_.empty()) {
      event.text = static_cast<uint32_t>(texts_.size());
      texts_.push_back(std::move(bytes));
    } else {
      event.text = free_.back();
      free_.pop_back();
      texts_[event.text] = std::move(bytes);
    }
    heap_.push_back(event);
    std::push_heap(heap_.begin(), heap_.end(), IsLater);
  }
  // The first one and its bytes. REQUIRES: not empty.
  std::pair<Event, std::string> Pop() {
    std::pop_heap(heap_.begin(), heap_.end(), IsLater);
    const Event event = heap_.back();
    heap_.pop_back();
    free_.push_back(event.text);
    return {event, std::move(texts_[event.text])};
  }

 private:
  static bool IsLater(const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
  }
  std::vector<Event> heap_;
  std::vector<std::string> texts_;
  std::vector<uint32_t> free_;
  uint64_t sequence_ = 0;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_EVENT_QUEUE_H_
