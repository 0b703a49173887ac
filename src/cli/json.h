// JSON for the tool's output and for files of records.
#ifndef VARVE_CLI_JSON_H_
#define VARVE_CLI_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "varve/status.h"

namespace varve::cli {

// Writes one JSON object on one line, members in the order of the calls. Names are ASCII words.
//
//   JsonObject().Bytes("key", key).Number("size", 3).Take()   {"key":"a","size":3}
class JsonObject {
 public:
  // Any bytes: "name":"text" when they are UTF-8, else "name_b64":"<base64>".
  JsonObject& Bytes(std::string_view name, std::string_view bytes);
  JsonObject& Number(std::string_view name, uint64_t number);
  // Three decimals.
  JsonObject& Decimal(std::string_view name, double number);
  JsonObject& Bool(std::string_view name, bool value);
  // `json` is a value that is JSON already.
  JsonObject& Raw(std::string_view name, std::string_view json);

  // The object; this one is spent.
  std::string Take();

 private:
  void AppendName(std::string_view name);

  std::string text_ = "{";
};

// A JSON array of values that are JSON already.
class JsonArray {
 public:
  JsonArray& Add(std::string_view json);
  std::string Take();

 private:
  std::string text_ = "[";
};

// `text` quoted and escaped. REQUIRES: UTF-8.
std::string JsonString(std::string_view text);

// Reads a record as Bytes() writes it: an object with "key" or "key_b64" and "value" or
// "value_b64", all strings. "expire_at_ms" may be there; `*expire_at_millis` is 0 when not.
// Other members are ignored. kInvalidArgument says what is wrong, without
// the place.
// `*name_space` (may be null) is the member "namespace" or "namespace_b64", or empty.
Status ParseJsonRecord(std::string_view line, std::string* key, std::string* value,
                       uint64_t* expire_at_millis, std::string* name_space = nullptr);

}  // namespace varve::cli

#endif  // VARVE_CLI_JSON_H_
