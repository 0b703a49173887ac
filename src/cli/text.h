// Bytes as text: the escapes of the tool's plain output, UTF-8, base64, and numbers for people.
#ifndef VARVE_CLI_TEXT_H_
#define VARVE_CLI_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve::cli {

// Length of the well-formed UTF-8 sequence at the start of `bytes`: 1 to 4, or 0 when there is
// none.
size_t Utf8SequenceLength(std::string_view bytes);
bool IsUtf8(std::string_view bytes);

// Appends `bytes` so that they fit between tabs on one line: \t \n \r \\ for these four, \xNN for
// every byte that is not printable. Printable ASCII and well-formed UTF-8 text stay as they are.
void AppendEscaped(std::string* out, std::string_view bytes);
std::string Escape(std::string_view bytes);

// The inverse. std::nullopt when a backslash is followed by anything else. Bytes that Escape would
// have escaped are taken as they are.
std::optional<std::string> Unescape(std::string_view text);

// RFC 4648 with padding. Decoding is strict: std::nullopt for any other character, length or
// padding.
std::string EncodeBase64(std::string_view bytes);
std::optional<std::string> DecodeBase64(std::string_view text);

// Terminal columns that `text` takes, a column a code point.
size_t DisplayWidth(std::string_view text);
// The start of `text` that fits in `columns`; a cut is marked by an ellipsis. `was_cut` is set,
// never cleared. REQUIRES: columns >= 1.
std::string CutToWidth(std::string_view text, size_t columns, bool* was_cut);

// 1234567 as "1,234,567".
std::string WithThousands(uint64_t number);
// "512 B", "48.1 MB": powers of 1000.
std::string HumanBytes(uint64_t bytes);
// "500ms", "10s", "5m", "2h", "7d" as milliseconds: a whole number and a unit. std::nullopt for anything
// else, and beyond 100,000 years.
std::optional<uint64_t> ParseDuration(std::string_view text);
// "870 us", "12 ms", "3.4 s", "2:05 min".
std::string HumanDuration(uint64_t nanos);

}  // namespace varve::cli

#endif  // VARVE_CLI_TEXT_H_
