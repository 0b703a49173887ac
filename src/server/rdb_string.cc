#include "server/rdb_string.h"

#include <array>

#include "resp/number.h"

namespace varve::server {

namespace {

constexpr unsigned kRdbVersion = 10;
constexpr size_t kFooterBytes = 10;
constexpr uint8_t kInt8 = 0xC0;
constexpr uint8_t kInt16 = 0xC1;
constexpr uint8_t kInt32 = 0xC2;
constexpr uint8_t kCompressed = 0xC3;
// Longer texts are not looked at as numbers.
constexpr size_t kMaxNumberBytes = 11;

constexpr std::array<uint64_t, 256> MakeTable() {
  std::array<uint64_t, 256> table{};
  for (uint64_t i = 0; i < 256; ++i) {
    uint64_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x95ac9329ac4bc9b5 : 0);
    table[i] = crc;
  }
  return table;
}

void AppendLittleEndian(std::string* out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

void AppendLength(std::string* out, uint64_t length) {
  int bytes = 0;
  if (length < 1u << 6) {
    out->push_back(static_cast<char>(length));
  } else if (length < 1u << 14) {
    out->push_back(static_cast<char>(0x40 | length >> 8));
    out->push_back(static_cast<char>(length));
  } else {
    bytes = length <= 0xFFFFFFFF ? 4 : 8;
    out->push_back(static_cast<char>(bytes == 4 ? 0x80 : 0x81));
  }
  for (int i = bytes - 1; i >= 0; --i) out->push_back(static_cast<char>(length >> (8 * i)));
}

bool AppendAsNumber(std::string* out, std::string_view value) {
  if (value.size() > kMaxNumberBytes) return false;
  const std::optional<int64_t> number = resp::ParseInteger(value);
  if (!number) return false;
  const auto fits = [&](int bits) {
    return *number >= -(int64_t{1} << (bits - 1)) && *number < int64_t{1} << (bits - 1);
  };
  const int bytes = fits(8) ? 1 : fits(16) ? 2 : fits(32) ? 4 : 0;
  if (bytes == 0) return false;
  out->push_back(static_cast<char>(bytes == 1 ? kInt8 : bytes == 2 ? kInt16 : kInt32));
  AppendLittleEndian(out, static_cast<uint64_t>(*number), bytes);
  return true;
}

// Takes from the front of bytes; anything that is too short makes it fail for good.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool is_good() const { return is_good_; }
  bool is_at_end() const { return bytes_.empty(); }
  std::string_view Take(uint64_t size) {
    if (size > bytes_.size()) {
      is_good_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  uint8_t TakeByte() {
    const std::string_view byte = Take(1);
    return byte.empty() ? 0 : static_cast<uint8_t>(byte[0]);
  }
  uint64_t TakeBigEndian(int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | TakeByte();
    return value;
  }
  int64_t TakeSigned(int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= uint64_t{TakeByte()} << (8 * i);
    const int unused = 64 - 8 * bytes;
    return static_cast<int64_t>(value << unused) >> unused;
  }
  // A length whose first byte has been taken.
  uint64_t TakeLength(uint8_t first) {
    if (first >> 6 == 0) return first;
    if (first >> 6 == 1) return uint64_t{first & 0x3Fu} << 8 | TakeByte();
    if (first == 0x80) return TakeBigEndian(4);
    if (first == 0x81) return TakeBigEndian(8);
    is_good_ = false;
    return 0;
  }

 private:
  std::string_view bytes_;
  bool is_good_ = true;
};

// LZF: a control byte below 32 is followed by so many literal bytes and one; else its upper three bits (7: with
// another byte) are a length less 2, and its lower five with another byte a distance back less 1.
std::optional<std::string> Decompress(std::string_view compressed, size_t size) {
  std::string text;
  text.reserve(size);
  Reader reader(compressed);
  while (!reader.is_at_end()) {
    const uint8_t control = reader.TakeByte();
    if (control < 32) {
      text.append(reader.Take(uint64_t{control} + 1));
    } else {
      size_t length = control >> 5;
      if (length == 7) length += reader.TakeByte();
      length += 2;
      const size_t distance = (size_t{control & 0x1Fu} << 8 | reader.TakeByte()) + 1;
      if (!reader.is_good() || distance > text.size() || length > size - text.size()) return std::nullopt;
      // The two may overlap.
      for (size_t i = 0; i < length; ++i) text.push_back(text[text.size() - distance]);
    }
    if (!reader.is_good() || text.size() > size) return std::nullopt;
  }
  if (text.size() != size) return std::nullopt;
  return text;
}

}  // namespace

uint64_t Crc64(std::string_view bytes) {
  static constexpr std::array<uint64_t, 256> kTable = MakeTable();
  uint64_t crc = 0;
  for (const char byte : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xFF] ^ crc >> 8;
  return crc;
}

std::string DumpString(std::string_view value) {
  std::string dump(1, '\0');
  if (!AppendAsNumber(&dump, value)) {
    AppendLength(&dump, value.size());
    dump.append(value);
  }
  AppendLittleEndian(&dump, kRdbVersion, 2);
  AppendLittleEndian(&dump, Crc64(dump), 8);
  return dump;
}

bool IsWholeDump(std::string_view dump) {
  if (dump.size() < kFooterBytes) return false;
  Reader footer(dump.substr(dump.size() - kFooterBytes));
  const uint64_t version = static_cast<uint64_t>(footer.TakeSigned(2)) & 0xFFFF;
  const uint64_t crc = static_cast<uint64_t>(footer.TakeSigned(8));
  return version <= kRdbVersion && crc == Crc64(dump.substr(0, dump.size() - 8));
}

std::optional<std::string> RestoreString(std::string_view dump, size_t max_bytes) {
  Reader reader(dump.substr(0, dump.size() - kFooterBytes));
  if (reader.TakeByte() != 0 || !reader.is_good()) return std::nullopt;
  const uint8_t first = reader.TakeByte();
  std::optional<std::string> value;
  if (first >= kInt8 && first <= kInt32) {
    value = std::to_string(reader.TakeSigned(1 << (first - kInt8)));
  } else if (first == kCompressed) {
    const uint64_t compressed_size = reader.TakeLength(reader.TakeByte());
    const uint64_t size = reader.TakeLength(reader.TakeByte());
    const std::string_view compressed = reader.Take(compressed_size);
    // Nothing is compressed to less than a hundredth.
    if (size > max_bytes || size / 128 > compressed.size() || !reader.is_good()) return std::nullopt;
    value = Decompress(compressed, size);
  } else {
    value = std::string(reader.Take(reader.TakeLength(first)));
  }
  if (!reader.is_good() || !reader.is_at_end() || !value || value->size() > max_bytes) return std::nullopt;
  return value;
}

}  // namespace varve::server
