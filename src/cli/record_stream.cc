#include "cli/record_stream.h"

#include <algorithm>
#include <charconv>

#include "base/status_macros.h"
#include "cli/json.h"
#include "cli/text.h"

namespace varve::cli {
namespace {

Status UnescapeInto(std::string_view text, std::string_view what, std::string* bytes) {
  if (text.find('\\') == std::string_view::npos) {
    bytes->assign(text);
    return Status::Ok();
  }
  std::optional<std::string> unescaped = Unescape(text);
  if (!unescaped.has_value()) {
    return Status::InvalidArgument("bad escape in the " + std::string(what) +
                                   "; known are \\t \\n \\r \\\\ and \\xNN");
  }
  *bytes = *std::move(unescaped);
  return Status::Ok();
}

Status ParseTsvRecord(std::string_view line, Record* record) {
  record->name_space.clear();
  size_t tab = line.find('\t');
  if (tab > 1 && tab != std::string_view::npos && line[0] == '@' &&
      line.find('\t', tab + 1) != std::string_view::npos) {
    VARVE_RETURN_IF_ERROR(
        UnescapeInto(line.substr(1, tab - 1), "name of the namespace", &record->name_space));
    line.remove_prefix(tab + 1);
    tab = line.find('\t');
  }
  if (tab == std::string_view::npos) {
    return Status::InvalidArgument("expected key<TAB>value, found no tab");
  }
  const size_t second = std::min(line.find('\t', tab + 1), line.size());
  const std::string_view value = line.substr(tab + 1, second - tab - 1);
  record->expire_at_millis = 0;
  if (second < line.size()) {
    const std::string_view number = line.substr(second + 1);
    const char* const last = number.data() + number.size();
    const auto [end, error] = std::from_chars(number.data(), last, record->expire_at_millis);
    if (error != std::errc() || end != last || record->expire_at_millis == 0) {
      return Status::InvalidArgument(
          "expected key<TAB>value, found a second tab without a time in milliseconds after it; a tab "
          "inside a value is written \\t");
    }
  }
  VARVE_RETURN_IF_ERROR(UnescapeInto(line.substr(0, tab), "key", &record->key));
  return UnescapeInto(value, "value", &record->value);
}

}  // namespace

std::optional<RecordFormat> ParseRecordFormat(std::string_view name) {
  if (name == "tsv") return RecordFormat::kTsv;
  if (name == "json") return RecordFormat::kJson;
  return std::nullopt;
}

RecordFormat GuessRecordFormat(std::string_view path) {
  for (const std::string_view extension : {".json", ".jsonl", ".ndjson"}) {
    if (path.ends_with(extension)) return RecordFormat::kJson;
  }
  return RecordFormat::kTsv;
}

Result<bool> RecordReader::Next(Record* record) {
  if (!std::getline(in_, line_)) {
    if (in_.bad()) return Status::IoError("reading failed");
    return false;
  }
  ++line_number_;
  bytes_read_ += line_.size() + (in_.eof() ? 0 : 1);
  if (line_.ends_with('\r')) line_.pop_back();
  const Status status = ParseLine(record);
  if (!status.ok()) return status.WithContext("line " + std::to_string(line_number_));
  return true;
}

Status RecordReader::ParseLine(Record* record) const {
  if (format_ == RecordFormat::kTsv) return ParseTsvRecord(line_, record);
  return ParseJsonRecord(line_, &record->key, &record->value, &record->expire_at_millis,
                         &record->name_space);
}

void AppendRecord(std::string* out, RecordFormat format, std::string_view key,
                  std::string_view value, std::string_view name_space, uint64_t expire_at_millis) {
  if (format == RecordFormat::kJson) {
    JsonObject object;
    if (!name_space.empty()) object.Bytes("namespace", name_space);
    object.Bytes("key", key).Bytes("value", value);
    if (expire_at_millis != 0) object.Number("expire_at_ms", expire_at_millis);
    out->append(object.Take());
  } else {
    if (!name_space.empty()) {
      out->push_back('@');
      AppendEscaped(out, name_space);
      out->push_back('\t');
    }
    // Before three columns an "@" would name a namespace.
    if (name_space.empty() && expire_at_millis != 0 && key.starts_with('@')) {
      out->append("\\x40");
      key.remove_prefix(1);
    }
    AppendEscaped(out, key);
    out->push_back('\t');
    AppendEscaped(out, value);
    if (expire_at_millis != 0) out->append("\t").append(std::to_string(expire_at_millis));
  }
  out->push_back('\n');
}

}  // namespace varve::cli
