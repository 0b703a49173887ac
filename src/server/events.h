// Keyspace notifications: what happens to keys, as messages.
//
//   __keyspace@0__:key  event        __keyevent@0__:event  key
#ifndef VARVE_SERVER_EVENTS_H_
#define VARVE_SERVER_EVENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve::server {

// The letters of notify-keyspace-events.
enum EventFlag : uint32_t {
  kEventKeyspace = 1u << 0,  // K
  kEventKeyevent = 1u << 1,  // E
  kEventGeneric = 1u << 2,   // g
  kEventString = 1u << 3,    // $
  kEventExpired = 1u << 4,   // x
  kEventMissed = 1u << 5,    // m: a key that was read is absent
  // Of kinds of values that there are not here; kept so that what is set is shown.
  kEventList = 1u << 6,
  kEventSet = 1u << 7,
  kEventHash = 1u << 8,
  kEventSortedSet = 1u << 9,
  kEventEvicted = 1u << 10,
  kEventStream = 1u << 11,
  kEventModule = 1u << 12,
  kEventNew = 1u << 13,  // n
  // No message, but for those who keep copies (tracking.h): of more keys than can be named.
  kEventOfMany = 1u << 31,
};
// A: all but K, E, m and n.
inline constexpr uint32_t kEventAll = kEventGeneric | kEventString | kEventExpired | kEventList |
                                      kEventSet | kEventHash | kEventSortedSet | kEventEvicted |
                                      kEventStream | kEventModule;

// std::nullopt: a letter that stands for nothing.
std::optional<uint32_t> ParseEventFlags(std::string_view letters);
std::string EventFlagLetters(uint32_t flags);

// One thing that has happened. `flag`: its kind.
struct Event {
  uint32_t flag = 0;
  std::string_view name;  // a literal
  std::string key;
  int database = 0;
};

}  // namespace varve::server

#endif  // VARVE_SERVER_EVENTS_H_
