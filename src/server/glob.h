// Patterns of KEYS, SCAN and CONFIG GET: * ? [a-z] [^a] and \ before a byte that means itself.
#ifndef VARVE_SERVER_GLOB_H_
#define VARVE_SERVER_GLOB_H_

#include <string_view>

namespace varve::server {

// Whether `text` matches, as Redis 7.0 sees it: the empty text matches only the empty pattern. Takes at most
// |pattern| * |text| steps, and no stack.
bool MatchesGlob(std::string_view pattern, std::string_view text, bool ignores_case = false);

// What every text that matches begins with.
std::string_view LiteralPrefix(std::string_view pattern);

}  // namespace varve::server

#endif  // VARVE_SERVER_GLOB_H_
