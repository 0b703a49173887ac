// Files of records: TSV and JSON lines, in and out.
//
// TSV: key, tab, value, newline; both escaped as text.h says. JSON lines: {"key":...,"value":...},
// with key_b64 or value_b64 for bytes that are not UTF-8. Any bytes survive a round trip through
// either. A record of a named namespace has the name before the key: "@name" and a tab, or a member
// "namespace". What expires has a further column behind the value, or "expire_at_ms": milliseconds since
// 1970-01-01 UTC. Where three columns begin with "@" the first is a name: a key there begins with \x40.
#ifndef VARVE_CLI_RECORD_STREAM_H_
#define VARVE_CLI_RECORD_STREAM_H_

#include <cstdint>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "varve/status.h"

namespace varve::cli {

enum class RecordFormat { kTsv, kJson };

// "tsv" or "json".
std::optional<RecordFormat> ParseRecordFormat(std::string_view name);
// From the extension: .json, .jsonl and .ndjson are JSON lines, everything else is TSV.
RecordFormat GuessRecordFormat(std::string_view path);

struct Record {
  std::string name_space;  // empty: none is named
  std::string key;
  std::string value;
  uint64_t expire_at_millis = 0;  // 0: stays
};

// Reads records until the end of the stream. Thread-compatible; borrows the stream.
class RecordReader {
 public:
  RecordReader(std::istream& in, RecordFormat format) : in_(in), format_(format) {}

  // Fills `*record` and returns true; false at the end. kInvalidArgument names the line that is not
  // a record, kIoError says that reading failed. A line ends with \n or \r\n.
  Result<bool> Next(Record* record);

  uint64_t line_number() const { return line_number_; }
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  Status ParseLine(Record* record) const;

  std::istream& in_;
  const RecordFormat format_;
  std::string line_;
  uint64_t line_number_ = 0;
  uint64_t bytes_read_ = 0;
};

// One record as a line with its newline, appended to `*out`.
void AppendRecord(std::string* out, RecordFormat format, std::string_view key,
                  std::string_view value, std::string_view name_space = {},
                  uint64_t expire_at_millis = 0);

}  // namespace varve::cli

#endif  // VARVE_CLI_RECORD_STREAM_H_
