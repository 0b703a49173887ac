// Typed values and keys from any bytes: an error, or a value whose encoding is these bytes. The first byte
// of the input chooses the type.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "varve/codec.h"
#include "varve/key_codec.h"

namespace codec_fuzz {

enum class Colour : uint16_t { kRed };
struct Point {
  int32_t x = 0;
  double y = 0;
  int8_t grid[2] = {};
};
struct Tree {
  std::string name;
  std::vector<Tree> children;
};

}  // namespace codec_fuzz

namespace varve {
template <>
struct Codec<codec_fuzz::Tree> {
  static constexpr uint64_t kFingerprint = TypeFingerprint("Tree");
  static bool Encode(const codec_fuzz::Tree& tree, Encoder& out) {
    return out.Write(tree.name) && out.Write(tree.children);
  }
  static bool Decode(Decoder& in, codec_fuzz::Tree* tree) {
    return in.Read(&tree->name) && in.Read(&tree->children);
  }
};
}  // namespace varve

namespace codec_fuzz {

// The right header is put before the bytes: guessing it is not what is tried here.
template <typename T>
void Value(std::string_view payload) {
  std::string bytes(1, static_cast<char>(varve::kCodecVersion));
  varve::Encoder header(&bytes);
  header.WriteFixed(varve::internal::StoredFingerprint<T>());
  bytes += payload;
  const varve::Result<T> value = varve::DecodeValue<T>(bytes);
  if (!value.ok()) return;
  const varve::Result<std::string> again = varve::EncodeValue(*value);
  if (!again.ok() || *again != bytes) std::abort();
}

template <typename K>
void Key(std::string_view bytes) {
  const varve::Result<K> key = varve::DecodeKey<K>(bytes);
  if (key.ok() && varve::EncodeKey(*key) != bytes) std::abort();
}

using Run = void (*)(std::string_view);
const Run kRuns[] = {
    Value<Tree>,
    Value<std::tuple<bool, uint16_t, int64_t, float, Colour, char32_t, Point>>,
    Value<std::variant<std::monostate, std::string, std::vector<uint64_t>, std::optional<Point>>>,
    Value<std::map<std::string, std::set<int16_t>>>,
    Value<std::unordered_map<uint32_t, std::vector<bool>>>,
    Value<std::vector<std::pair<std::chrono::system_clock::time_point, std::array<std::byte, 3>>>>,
    Key<std::tuple<std::string, varve::Descending<std::vector<std::string>>, double>>,
    Key<std::tuple<std::optional<int32_t>, varve::Descending<std::optional<std::string>>, Colour>>,
};

}  // namespace codec_fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  codec_fuzz::kRuns[data[0] % std::size(codec_fuzz::kRuns)](bytes.substr(1));
  // And without a header to help.
  (void)varve::DecodeValue<codec_fuzz::Tree>(bytes).ok();
  return 0;
}
