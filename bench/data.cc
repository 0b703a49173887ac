#include "bench/data.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/coding.h"

namespace varve::bench {
namespace {

constexpr size_t kPieceBytes = 50;
constexpr size_t kSmallValueBytes = 4096;
constexpr size_t kSharedPoolBytes = 1 << 20;
constexpr size_t kOwnSlackBytes = 64 << 10;
constexpr double kExponent = 0.99;

// Spreads the eight digits of a 32-bit number over eight bytes, the highest first in memory.
uint64_t HexDigits(uint32_t number) {
  uint64_t x = __builtin_bswap32(number);
  x = (x | (x << 16)) & 0x0000FFFF0000FFFFull;
  x = (x | (x << 8)) & 0x00FF00FF00FF00FFull;
  x = ((x >> 4) & 0x000F000F000F000Full) | ((x << 8) & 0x0F000F000F000F00ull);
  // 0..9 become '0'.., 10..15 become 'a'..: adding 6 carries into bit 4 from ten on.
  const uint64_t letters = ((x + 0x0606060606060606ull) >> 4) & 0x0101010101010101ull;
  return x + 0x3030303030303030ull + letters * ('a' - '0' - 10);
}

std::string Pieces(size_t bytes, uint64_t seed) {
  Random random(seed);
  std::string pool;
  pool.reserve(bytes + 2 * kPieceBytes);
  while (pool.size() < bytes) {
    char piece[kPieceBytes];
    for (char& c : piece) c = static_cast<char>(random.Next());
    pool.append(piece, kPieceBytes);
    pool.append(piece, kPieceBytes);
  }
  return pool;
}

// Shared by all threads, so that hundreds of them do not show in the memory of the process.
const std::string& SharedPool() {
  static const std::string pool = Pieces(kSharedPoolBytes, 2024);
  return pool;
}

// The integral of x^-s and its inverse.
double H(double x) { return std::pow(x, 1 - kExponent) / (1 - kExponent); }
double HInverse(double y) { return std::pow(y * (1 - kExponent), 1 / (1 - kExponent)); }

}  // namespace

Key Key::Ordered(uint64_t number) {
  Key key;
  StoreFixed(key.bytes_, HexDigits(static_cast<uint32_t>(number >> 32)));
  StoreFixed(key.bytes_ + 8, HexDigits(static_cast<uint32_t>(number)));
  return key;
}

ValueSource::ValueSource(size_t value_bytes, uint64_t seed)
    : value_bytes_(value_bytes), is_small_(value_bytes <= kSmallValueBytes) {
  if (is_small_) {
    value_.resize(value_bytes);
    position_ = Random(seed).Uniform(kSharedPoolBytes / 8) * 8;
  } else {
    own_pool_ = Pieces(value_bytes + kOwnSlackBytes, seed);
  }
}

std::string_view ValueSource::Make(uint64_t id) {
  const std::string& pool = is_small_ ? SharedPool() : own_pool_;
  position_ += 104;  // a multiple of 8 that is not one of two pieces: values differ
  if (position_ + value_bytes_ > pool.size()) position_ = 0;
  char* value = is_small_ ? value_.data() : own_pool_.data() + position_;
  if (is_small_) std::memcpy(value, pool.data() + position_, value_bytes_);
  std::memcpy(value, &id, std::min(value_bytes_, sizeof(id)));
  return {value, value_bytes_};
}

bool ValueSource::Matches(std::string_view value, size_t value_bytes, uint64_t id) {
  return value.size() == value_bytes &&
         std::memcmp(value.data(), &id, std::min(value_bytes, sizeof(id))) == 0;
}

Zipf::Zipf(uint64_t n)
    : n_(static_cast<double>(n)),
      h_first_(H(1.5) - 1),
      h_last_(H(n_ + 0.5)),
      shortcut_(2 - HInverse(H(2.5) - std::pow(2, -kExponent))) {}

uint64_t Zipf::Next(Random* random) const {
  while (true) {
    const double u = h_last_ + random->NextDouble() * (h_first_ - h_last_);
    const double x = HInverse(u);
    const double k = std::clamp(std::floor(x + 0.5), 1.0, n_);
    if (k - x <= shortcut_ || u >= H(k + 0.5) - std::pow(k, -kExponent)) {
      return static_cast<uint64_t>(k) - 1;
    }
  }
}

uint64_t TouchPages(std::string_view value) {
  constexpr size_t kPageBytes = 4096;
  constexpr size_t kLineBytes = 64;
  uint64_t sum = 0;
  for (size_t page = 0; page < value.size(); page += kPageBytes) {
    const size_t end = std::min(page + kLineBytes, value.size());
    for (size_t at = page; at + sizeof(uint64_t) <= end; at += sizeof(uint64_t)) {
      sum += LoadFixed<uint64_t>(value.data() + at);
    }
  }
  return sum;
}

}  // namespace varve::bench
