// Prints the records of a scan.
#ifndef VARVE_CLI_RECORD_PRINTER_H_
#define VARVE_CLI_RECORD_PRINTER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/console.h"

namespace varve::cli {

// On a terminal: two aligned columns, values cut to its width. Elsewhere TSV, or JSON lines if
// asked. Thread-compatible; borrows the console. Call Finish at the end.
class RecordPrinter {
 public:
  // JSON names the namespace, if it is not the default one.
  RecordPrinter(const Console& console, bool json, bool keys_only, std::string name_space = {})
      : console_(console), json_(json), keys_only_(keys_only), name_space_(std::move(name_space)) {}

  // False when the output has failed and more is pointless.
  bool Print(std::string_view key, std::string_view value);
  void Finish();

 private:
  void HoldRow(std::string_view key, std::string_view value);
  void FlushRows();
  void PrintRow(std::string_view key, std::string_view value);
  size_t TextWidth() const;

  const Console& console_;
  const bool json_;
  const bool keys_only_;
  const std::string name_space_;
  uint64_t record_count_ = 0;
  std::string line_;

  // Terminal only: the first rows decide the width of the key column.
  struct Row {
    std::string key;
    std::string value;
  };
  std::vector<Row> held_rows_;
  size_t key_width_ = 0;  // 0: not decided yet
  bool was_cut_ = false;
};

}  // namespace varve::cli

#endif  // VARVE_CLI_RECORD_PRINTER_H_
