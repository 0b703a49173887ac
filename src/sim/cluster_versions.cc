#include "sim/cluster_versions.h"

namespace varve::sim {
namespace {

constexpr char kNews = 100;  // a kind of message

}  // namespace

bool IsLater(std::string_view bytes) { return !bytes.empty() && bytes[0] == kLaterVersion; }

void ToLater(uint64_t size, std::string* bytes) {
  (*bytes)[0] = kLaterVersion;
  bytes->append(size, 'x');
  bytes->push_back(static_cast<char>(size));
}

bool FromLater(std::string* bytes) {
  if ((*bytes)[1] == kNews) return false;
  const size_t size = static_cast<uint8_t>(bytes->back());
  bytes->resize(bytes->size() - 1 - size);
  (*bytes)[0] = kThisVersion;
  return true;
}

std::string News(bool is_later) { return {is_later ? kLaterVersion : kThisVersion, kNews, 0, 0, 0}; }

}  // namespace varve::sim
