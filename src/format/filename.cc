#include "format/filename.h"

#include <charconv>

namespace varve {

namespace {

constexpr std::string_view kManifestPrefix = "MANIFEST-";
constexpr size_t kMinDigits = 6;

struct Suffix {
  std::string_view text;
  FileType type;
};
constexpr Suffix kSuffixes[] = {
    {".seg", FileType::kSegment},
    {".wal", FileType::kWal},
    {".val", FileType::kValueLog},
    {".spare", FileType::kSpareWal},
};

std::string Padded(uint64_t number) {
  std::string digits = std::to_string(number);
  return digits.size() < kMinDigits ? std::string(kMinDigits - digits.size(), '0') + digits
                                    : digits;
}

// Accepts only what Padded returns.
std::optional<uint64_t> ParsePadded(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || Padded(number) != text) {
    return std::nullopt;
  }
  return number;
}

std::optional<ParsedFileName> WithNumber(FileType type, std::string_view digits) {
  const std::optional<uint64_t> number = ParsePadded(digits);
  if (!number) return std::nullopt;
  return ParsedFileName{type, *number};
}

}  // namespace

std::string SegmentFileName(uint64_t number) { return Padded(number) + ".seg"; }
std::string WalFileName(uint64_t number) { return Padded(number) + ".wal"; }
std::string ValueLogFileName(uint64_t number) { return Padded(number) + ".val"; }
std::string SpareWalFileName(uint64_t number) { return Padded(number) + ".spare"; }
std::string ManifestFileName(uint64_t number) {
  return std::string(kManifestPrefix) + Padded(number);
}

std::optional<ParsedFileName> ParseFileName(std::string_view name) {
  if (name == kCurrentFileName) return ParsedFileName{FileType::kCurrent};
  if (name == kLockFileName) return ParsedFileName{FileType::kLock};
  if (name == kEventsFileName) return ParsedFileName{FileType::kEvents};
  if (name.starts_with(kManifestPrefix)) {
    return WithNumber(FileType::kManifest, name.substr(kManifestPrefix.size()));
  }
  for (const Suffix& suffix : kSuffixes) {
    if (name.ends_with(suffix.text)) {
      return WithNumber(suffix.type, name.substr(0, name.size() - suffix.text.size()));
    }
  }
  return std::nullopt;
}

std::string EncodeCurrentFile(uint64_t manifest_number) {
  return ManifestFileName(manifest_number) + "\n";
}

std::optional<uint64_t> ParseCurrentFile(std::string_view content) {
  if (!content.ends_with('\n')) return std::nullopt;
  const std::optional<ParsedFileName> name = ParseFileName(content.substr(0, content.size() - 1));
  if (!name || name->type != FileType::kManifest) return std::nullopt;
  return name->number;
}

}  // namespace varve
