#include "cli/json.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/status_macros.h"
#include "cli/text.h"

namespace varve::cli {
namespace {

using Json = nlohmann::json;

Status TakeBytes(const Json& object, const std::string& name, std::string* bytes) {
  const auto plain = object.find(name);
  const auto encoded = object.find(name + "_b64");
  if ((plain == object.end()) == (encoded == object.end())) {
    return Status::InvalidArgument("expected either \"" + name + "\" or \"" + name + "_b64\"");
  }
  const bool is_plain = plain != object.end();
  const Json& member = is_plain ? *plain : *encoded;
  if (!member.is_string()) {
    return Status::InvalidArgument("\"" + name + (is_plain ? "" : "_b64") + "\" is not a string");
  }
  const std::string& text = member.get_ref<const std::string&>();
  if (is_plain) {
    *bytes = text;
    return Status::Ok();
  }
  std::optional<std::string> decoded = DecodeBase64(text);
  if (!decoded.has_value()) {
    return Status::InvalidArgument("\"" + name + "_b64\" is not base64");
  }
  *bytes = *std::move(decoded);
  return Status::Ok();
}

}  // namespace

std::string JsonString(std::string_view text) { return Json(text).dump(); }

void JsonObject::AppendName(std::string_view name) {
  if (text_.size() > 1) text_.push_back(',');
  text_.append("\"").append(name).append("\":");
}

JsonObject& JsonObject::Bytes(std::string_view name, std::string_view bytes) {
  if (IsUtf8(bytes)) {
    AppendName(name);
    text_.append(JsonString(bytes));
  } else {
    AppendName(std::string(name) + "_b64");
    text_.append("\"").append(EncodeBase64(bytes)).append("\"");
  }
  return *this;
}

JsonObject& JsonObject::Number(std::string_view name, uint64_t number) {
  return Raw(name, std::to_string(number));
}

JsonObject& JsonObject::Decimal(std::string_view name, double number) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.3f", number);
  return Raw(name, buffer);
}

JsonObject& JsonObject::Bool(std::string_view name, bool value) {
  return Raw(name, value ? "true" : "false");
}

JsonObject& JsonObject::Raw(std::string_view name, std::string_view json) {
  AppendName(name);
  text_.append(json);
  return *this;
}

std::string JsonObject::Take() {
  text_.push_back('}');
  return std::move(text_);
}

JsonArray& JsonArray::Add(std::string_view json) {
  if (text_.size() > 1) text_.push_back(',');
  text_.append(json);
  return *this;
}

std::string JsonArray::Take() {
  text_.push_back(']');
  return std::move(text_);
}

Status ParseJsonRecord(std::string_view line, std::string* key, std::string* value,
                       uint64_t* expire_at_millis, std::string* name_space) {
  const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) return Status::InvalidArgument("not a JSON value");
  if (!object.is_object()) return Status::InvalidArgument("not a JSON object");
  VARVE_RETURN_IF_ERROR(TakeBytes(object, "key", key));
  *expire_at_millis = 0;
  if (const auto found = object.find("expire_at_ms"); found != object.end()) {
    if (!found->is_number_unsigned() || found->get<uint64_t>() == 0) {
      return Status::InvalidArgument("\"expire_at_ms\" is not a time in milliseconds");
    }
    *expire_at_millis = found->get<uint64_t>();
  }
  if (name_space != nullptr) {
    name_space->clear();
    if (object.contains("namespace") || object.contains("namespace_b64")) {
      VARVE_RETURN_IF_ERROR(TakeBytes(object, "namespace", name_space));
    }
  }
  return TakeBytes(object, "value", value);
}

}  // namespace varve::cli
