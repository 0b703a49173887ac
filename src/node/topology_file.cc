#include "node/topology_file.h"

#include <optional>
#include <utility>

#include "node/base64.h"
#include "node/json.h"

namespace varve::node {

namespace {

constexpr uint64_t kFormat = 1;

void PutBytes(nlohmann::json* record, const std::string& name, const std::string& bytes) {
  // The library's own opinion of what is UTF-8: it writes these bytes as they are, or not.
  const nlohmann::json text = bytes;
  const std::optional<nlohmann::json> back = ParseJson(Dump(text));
  if (back && *back == text) {
    (*record)[name] = bytes;
  } else {
    (*record)[name + "64"] = EncodeBase64(bytes);
  }
}

std::optional<std::string> TakeBytes(const nlohmann::json& record, const std::string& name) {
  if (std::optional<std::string> text = Text(JsonMember(&record, name.c_str()))) return text;
  const std::optional<std::string> base64 = Text(JsonMember(&record, (name + "64").c_str()));
  return base64 ? DecodeBase64(*base64) : std::nullopt;
}

}  // namespace

std::string EncodeTopologyFile(const TopologySnapshot& snapshot) {
  nlohmann::json file;
  file["format"] = kFormat;
  file["revision"] = snapshot.revision;
  file["records"] = nlohmann::json::array();
  for (const auto& [key, record] : snapshot.records) {
    nlohmann::json line;
    PutBytes(&line, "key", key);
    PutBytes(&line, "value", record.value);
    line["revision"] = record.revision;
    file["records"].push_back(std::move(line));
  }
  return Dump(file, 1) + "\n";
}

Result<TopologySnapshot> DecodeTopologyFile(std::string_view text) {
  const std::optional<nlohmann::json> file = ParseJson(text);
  if (!file || !file->is_object()) return Status::Corruption("no JSON object");
  const std::optional<uint64_t> format = Number(JsonMember(&*file, "format"));
  if (!format) return Status::Corruption("no format");
  if (*format != kFormat) return Status::NotSupported("of format " + std::to_string(*format));
  TopologySnapshot snapshot{.revision = 1, .records = {}};
  if (JsonMember(&*file, "revision") != nullptr) {
    const std::optional<uint64_t> revision = Number(JsonMember(&*file, "revision"));
    if (!revision) return Status::Corruption("the revision is no number");
    snapshot.revision = *revision;
  }
  const nlohmann::json* const records = JsonMember(&*file, "records");
  if (records == nullptr || !records->is_array()) return Status::Corruption("no list of records");
  for (const nlohmann::json& line : *records) {
    std::optional<std::string> key = TakeBytes(line, "key");
    std::optional<std::string> value = TakeBytes(line, "value");
    const bool has_revision = JsonMember(&line, "revision") != nullptr;
    const uint64_t revision = has_revision ? Number(JsonMember(&line, "revision")).value_or(0) : snapshot.revision;
    if (!key || key->empty() || !value || revision == 0 || revision > snapshot.revision) {
      return Status::Corruption("a record without a key, a value, or with a revision that cannot be");
    }
    const std::string name = *key;
    if (!snapshot.records.emplace(*std::move(key), Record{*std::move(value), revision}).second) {
      return Status::Corruption("two records for the key " + name);
    }
  }
  return snapshot;
}

}  // namespace varve::node
