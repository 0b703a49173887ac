#include "cli/record_printer.h"

#include <algorithm>

#include "cli/json.h"
#include "cli/record_stream.h"
#include "cli/text.h"

namespace varve::cli {
namespace {

// About a screen: enough to align what a person sees first, and shown without delay.
constexpr size_t kHeldRows = 64;
constexpr size_t kColumnGap = 2;

}  // namespace

bool RecordPrinter::Print(std::string_view key, std::string_view value) {
  ++record_count_;
  if (!json_ && console_.out_is_terminal) {
    HoldRow(key, value);
    return console_.out.good();
  }
  line_.clear();
  if (!keys_only_) {
    AppendRecord(&line_, json_ ? RecordFormat::kJson : RecordFormat::kTsv, key, value,
                 json_ ? name_space_ : "");
  } else if (json_) {
    JsonObject object;
    if (!name_space_.empty()) object.Bytes("namespace", name_space_);
    line_ = object.Bytes("key", key).Take() + "\n";
  } else {
    AppendEscaped(&line_, key);
    line_.push_back('\n');
  }
  console_.out.write(line_.data(), static_cast<std::streamsize>(line_.size()));
  return console_.out.good();
}

size_t RecordPrinter::TextWidth() const {
  return static_cast<size_t>(std::max(console_.width, 20));
}

void RecordPrinter::HoldRow(std::string_view key, std::string_view value) {
  // A megabyte of value need not be escaped to show its first columns: a column takes at most the
  // four bytes of a code point.
  const size_t shown = TextWidth() * 4;
  Row row{Escape(key), Escape(value.substr(0, shown))};
  if (key_width_ != 0) return PrintRow(row.key, row.value);
  held_rows_.push_back(std::move(row));
  if (held_rows_.size() == kHeldRows) FlushRows();
}

void RecordPrinter::FlushRows() {
  size_t widest = 1;
  for (const Row& row : held_rows_) widest = std::max(widest, DisplayWidth(row.key));
  key_width_ = std::min(widest, TextWidth() / 2);
  for (const Row& row : held_rows_) PrintRow(row.key, row.value);
  held_rows_.clear();
}

void RecordPrinter::PrintRow(std::string_view key, std::string_view value) {
  console_.out << console_.OnOut(Console::Style::kCyan, key);
  if (!keys_only_) {
    const size_t key_columns = std::max(DisplayWidth(key), key_width_);
    const size_t used = key_columns + kColumnGap;
    const size_t room = used + 10 < TextWidth() ? TextWidth() - used : 10;
    console_.out << std::string(used - DisplayWidth(key), ' ')
                 << CutToWidth(value, room, &was_cut_);
  }
  console_.out << "\n";
}

void RecordPrinter::Finish() {
  if (json_ || !console_.out_is_terminal) return;
  FlushRows();
  std::string footer = WithThousands(record_count_) + (record_count_ == 1 ? " record" : " records");
  if (was_cut_) footer += "; long values are cut: 'get KEY' or a pipe shows them whole";
  console_.out << console_.OnOut(Console::Style::kDim, footer) << "\n";
}

}  // namespace varve::cli
