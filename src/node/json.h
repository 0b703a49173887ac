// Reading JSON that others have written, without exceptions: what is not as expected is a std::nullopt or a
// nullptr. Included by few files, since the library behind it compiles slowly.
#ifndef VARVE_NODE_JSON_H_
#define VARVE_NODE_JSON_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace varve::node {

// std::nullopt: no JSON.
inline std::optional<nlohmann::json> ParseJson(std::string_view text) {
  nlohmann::json parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) return std::nullopt;
  return parsed;
}

// The member `name` of an object; nullptr: there is none, or `json` is none.
inline const nlohmann::json* JsonMember(const nlohmann::json* json, const char* name) {
  if (json == nullptr || !json->is_object()) return nullptr;
  const auto found = json->find(name);
  return found == json->end() ? nullptr : &*found;
}

inline std::optional<std::string> Text(const nlohmann::json* json) {
  if (json == nullptr || !json->is_string()) return std::nullopt;
  return json->get_ref<const std::string&>();
}

// A number that is not negative, as such or in a string.
inline std::optional<uint64_t> Number(const nlohmann::json* json) {
  if (json == nullptr) return std::nullopt;
  if (json->is_number_unsigned()) return json->get<uint64_t>();
  if (!json->is_string()) return std::nullopt;
  const std::string& text = json->get_ref<const std::string&>();
  if (text.empty() || text.size() > 19) return std::nullopt;
  uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<uint64_t>(c - '0');
  }
  return number;
}

inline bool IsTrue(const nlohmann::json* json) { return json != nullptr && json->is_boolean() && json->get<bool>(); }

// As text, whatever strings it holds.
inline std::string Dump(const nlohmann::json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace varve::node

#endif  // VARVE_NODE_JSON_H_
