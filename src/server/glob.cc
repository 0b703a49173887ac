#include "server/glob.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace varve::server {

namespace {

char Fold(char c, bool ignores_case) {
  return ignores_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// Matches `c` against the class that begins at pattern[*at], behind the '['. *at moves behind its end. A
// class that is not closed ends with the pattern.
bool MatchesClass(std::string_view pattern, size_t* at, char c, bool ignores_case) {
  const auto left = [&] { return pattern.size() - *at; };
  const bool is_negated = left() > 0 && pattern[*at] == '^';
  if (is_negated) ++*at;
  bool is_match = false;
  c = Fold(c, ignores_case);
  for (;; ++*at) {
    if (left() >= 2 && pattern[*at] == '\\') {
      ++*at;
      is_match = is_match || pattern[*at] == c;
    } else if (left() == 0) {
      break;
    } else if (pattern[*at] == ']') {
      ++*at;
      break;
    } else if (left() >= 3 && pattern[*at + 1] == '-') {
      char low = Fold(pattern[*at], ignores_case);
      char high = Fold(pattern[*at + 2], ignores_case);
      if (low > high) std::swap(low, high);
      is_match = is_match || (c >= low && c <= high);
      *at += 2;
    } else {
      is_match = is_match || Fold(pattern[*at], ignores_case) == c;
    }
  }
  return is_match != is_negated;
}

// One byte of text against one element of the pattern, which is no '*'.
bool MatchesOne(std::string_view pattern, size_t* at, char c, bool ignores_case) {
  switch (pattern[*at]) {
    case '?': ++*at; return true;
    case '[': ++*at; return MatchesClass(pattern, at, c, ignores_case);
    case '\\':
      if (*at + 1 < pattern.size()) ++*at;
      [[fallthrough]];
    default: return Fold(pattern[(*at)++], ignores_case) == Fold(c, ignores_case);
  }
}

}  // namespace

bool MatchesGlob(std::string_view pattern, std::string_view text, bool ignores_case) {
  if (text.empty()) return pattern.empty();
  constexpr size_t kNone = ~size_t{0};
  size_t p = 0;
  size_t t = 0;
  // The last '*' seen takes one byte more whenever what follows it does not match.
  size_t after_star = kNone;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      star_text = t;
      continue;
    }
    if (p < pattern.size() && MatchesOne(pattern, &p, text[t], ignores_case)) {
      ++t;
      continue;
    }
    if (after_star == kNone) return false;
    p = after_star;
    t = ++star_text;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view LiteralPrefix(std::string_view pattern) {
  return pattern.substr(0, pattern.find_first_of("*?[\\"));
}

}  // namespace varve::server
