#include "server/events.h"

namespace varve::server {

namespace {

struct Letter {
  char letter;
  uint32_t flag;
};
// In the order in which they are shown.
constexpr Letter kKinds[] = {{'g', kEventGeneric}, {'$', kEventString},    {'l', kEventList},
                             {'s', kEventSet},     {'h', kEventHash},      {'z', kEventSortedSet},
                             {'x', kEventExpired}, {'e', kEventEvicted},   {'t', kEventStream},
                             {'d', kEventModule},  {'n', kEventNew}};
constexpr Letter kOthers[] = {{'K', kEventKeyspace}, {'E', kEventKeyevent}, {'m', kEventMissed}};

}  // namespace

std::optional<uint32_t> ParseEventFlags(std::string_view letters) {
  uint32_t flags = 0;
  for (const char letter : letters) {
    uint32_t flag = letter == 'A' ? kEventAll : 0;
    for (const Letter& kind : kKinds) flag |= kind.letter == letter ? kind.flag : 0;
    for (const Letter& other : kOthers) flag |= other.letter == letter ? other.flag : 0;
    if (flag == 0) return std::nullopt;
    flags |= flag;
  }
  return flags;
}

std::string EventFlagLetters(uint32_t flags) {
  std::string letters;
  const bool is_all = (flags & kEventAll) == kEventAll;
  if (is_all) letters.push_back('A');
  for (const Letter& kind : kKinds) {
    // As Redis shows it, A hides n.
    if ((flags & kind.flag) != 0 && !is_all) letters.push_back(kind.letter);
  }
  for (const Letter& other : kOthers) {
    if ((flags & other.flag) != 0) letters.push_back(other.letter);
  }
  return letters;
}

}  // namespace varve::server
