// Facts: a short list of named figures, printed for people, as TSV, or as JSON.
#ifndef VARVE_CLI_FACTS_H_
#define VARVE_CLI_FACTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"

namespace varve::cli {

// Names are words joined by underscores; people see spaces. Figures are raw numbers in TSV and
// JSON, and get thousands separators and units for people. Thread-compatible.
class Facts {
 public:
  void Count(std::string_view name, uint64_t number);
  void Bytes(std::string_view name, uint64_t bytes);
  // In TSV and JSON as seconds with three decimals.
  void Seconds(std::string_view name, uint64_t nanos);
  // In TSV and JSON as whole microseconds.
  void Micros(std::string_view name, uint64_t micros);
  // In TSV and JSON as whole nanoseconds.
  void Nanos(std::string_view name, uint64_t nanos);
  void Ratio(std::string_view name, double ratio);
  void Text(std::string_view name, std::string_view text);
  // Rows of one kind: a table for people, name.0.column and so on in TSV, an array in JSON.
  void Table(std::string_view name, std::vector<Facts> rows);

  void Print(const Console& console, bool json) const;

 private:
  struct Fact {
    std::string name;
    std::string human;
    std::string plain;
    bool is_text = false;
    std::vector<Facts> rows;
    bool is_table = false;
  };

  void Add(std::string_view name, std::string human, std::string plain);
  std::string ToJson() const;
  void AppendPlain(std::string* out, const std::string& prefix) const;
  void AppendHuman(std::string* out, const Console& console) const;
  static void AppendHumanTable(std::string* out, const Console& console, const Fact& table);

  std::vector<Fact> facts_;
};

}  // namespace varve::cli

#endif  // VARVE_CLI_FACTS_H_
