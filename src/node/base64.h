// Base64 (RFC 4648, with padding).
#ifndef VARVE_NODE_BASE64_H_
#define VARVE_NODE_BASE64_H_

#include <optional>
#include <string>
#include <string_view>

namespace varve::node {

std::string EncodeBase64(std::string_view bytes);
// std::nullopt: it is none, in the one form that EncodeBase64 gives.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace varve::node

#endif  // VARVE_NODE_BASE64_H_
