#include "cli/facts.h"

#include <algorithm>
#include <cstdio>

#include "cli/json.h"
#include "cli/text.h"

namespace varve::cli {
namespace {

std::string Label(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string Decimals(double number, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.*f", digits, number);
  return buffer;
}

}  // namespace

void Facts::Add(std::string_view name, std::string human, std::string plain) {
  facts_.push_back(
      {.name = std::string(name), .human = std::move(human), .plain = std::move(plain)});
}

void Facts::Count(std::string_view name, uint64_t number) {
  Add(name, WithThousands(number), std::to_string(number));
}

void Facts::Bytes(std::string_view name, uint64_t bytes) {
  Add(name, HumanBytes(bytes), std::to_string(bytes));
}

void Facts::Seconds(std::string_view name, uint64_t nanos) {
  Add(name, HumanDuration(nanos), Decimals(static_cast<double>(nanos) / 1e9, 3));
}

void Facts::Micros(std::string_view name, uint64_t micros) {
  Add(name, HumanDuration(micros * 1000), std::to_string(micros));
}

void Facts::Nanos(std::string_view name, uint64_t nanos) {
  constexpr uint64_t kMicrosFrom = 10'000;
  Add(name,
      nanos < kMicrosFrom ? Decimals(static_cast<double>(nanos) / 1000, 2) + " us"
                          : HumanDuration(nanos),
      std::to_string(nanos));
}

void Facts::Ratio(std::string_view name, double ratio) {
  Add(name, Decimals(ratio, 2), Decimals(ratio, 3));
}

void Facts::Text(std::string_view name, std::string_view text) {
  const std::string escaped = Escape(text);
  Add(name, escaped, escaped);
  facts_.back().is_text = true;
}

void Facts::Table(std::string_view name, std::vector<Facts> rows) {
  facts_.push_back({.name = std::string(name), .rows = std::move(rows), .is_table = true});
}

void Facts::Print(const Console& console, bool json) const {
  std::string text;
  if (json) {
    text = ToJson() + "\n";
  } else if (console.out_is_terminal) {
    AppendHuman(&text, console);
  } else {
    AppendPlain(&text, "");
  }
  console.out << text;
}

std::string Facts::ToJson() const {
  JsonObject object;
  for (const Fact& fact : facts_) {
    if (fact.is_table) {
      JsonArray rows;
      for (const Facts& row : fact.rows) rows.Add(row.ToJson());
      object.Raw(fact.name, rows.Take());
    } else {
      // Escaped text is UTF-8, whatever the bytes were.
      object.Raw(fact.name, fact.is_text ? JsonString(fact.plain) : fact.plain);
    }
  }
  return object.Take();
}

void Facts::AppendPlain(std::string* out, const std::string& prefix) const {
  for (const Fact& fact : facts_) {
    for (size_t i = 0; i < fact.rows.size(); ++i) {
      fact.rows[i].AppendPlain(out, prefix + fact.name + "." + std::to_string(i) + ".");
    }
    if (!fact.is_table) {
      out->append(prefix).append(fact.name).append("\t").append(fact.plain).append("\n");
    }
  }
}

void Facts::AppendHuman(std::string* out, const Console& console) const {
  size_t name_width = 0;
  size_t figure_width = 0;
  for (const Fact& fact : facts_) {
    if (fact.is_table) continue;
    name_width = std::max(name_width, fact.name.size());
    if (!fact.is_text) figure_width = std::max(figure_width, fact.human.size());
  }
  for (const Fact& fact : facts_) {
    if (fact.is_table) {
      if (!fact.rows.empty()) AppendHumanTable(out, console, fact);
      continue;
    }
    out->append(Label(fact.name)).append(name_width - fact.name.size() + 2, ' ');
    if (!fact.is_text) out->append(figure_width - fact.human.size(), ' ');
    out->append(fact.human).append("\n");
  }
}

void Facts::AppendHumanTable(std::string* out, const Console& console, const Fact& table) {
  const size_t column_count = table.rows.front().facts_.size();
  std::vector<size_t> widths(column_count);
  for (size_t i = 0; i < column_count; ++i) {
    widths[i] = table.rows.front().facts_[i].name.size();
    for (const Facts& row : table.rows) widths[i] = std::max(widths[i], row.facts_[i].human.size());
  }
  const auto append_cell = [&](std::string* line, size_t column, const std::string& cell) {
    line->append(widths[column] - cell.size() + 2, ' ').append(cell);
  };
  out->append("\n").append(console.OnOut(Console::Style::kBold, Label(table.name))).append("\n");
  std::string header;
  for (size_t i = 0; i < column_count; ++i) {
    append_cell(&header, i, Label(table.rows.front().facts_[i].name));
  }
  out->append(console.OnOut(Console::Style::kDim, header)).append("\n");
  for (const Facts& row : table.rows) {
    for (size_t i = 0; i < column_count; ++i) append_cell(out, i, row.facts_[i].human);
    out->append("\n");
  }
}

}  // namespace varve::cli
