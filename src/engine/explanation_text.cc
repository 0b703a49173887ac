// An explanation in words.
#include <sstream>

#include "varve/explain.h"

namespace varve {
namespace {

std::string CountOf(uint64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string_view SourceOf(bool was_read) { return was_read ? "read" : "cached"; }

std::string NameOf(const ExplainedPart& part) {
  std::string name(ExplainedPartName(part.kind));
  switch (part.kind) {
    case ExplainedPart::Kind::kActiveMemTable:
    case ExplainedPart::Kind::kImmutableMemTable:
      return part.number == 0 ? name : name + ", log " + std::to_string(part.number);
    case ExplainedPart::Kind::kSegment:
      return "level " + std::to_string(part.level) + ", run " + std::to_string(part.run_id) + ", " + name +
             " " + std::to_string(part.number);
    case ExplainedPart::Kind::kRun:
      return "level " + std::to_string(part.level) + ", run " + std::to_string(part.run_id);
  }
  return name;
}

void PrintPart(const ExplainedPart& part, std::ostream& out) {
  out << NameOf(part) << ": ";
  if (part.filter == ExplainedPart::Filter::kOutOfRange) {
    out << "no segment covers the key";
  } else {
    out << "filter " << ExplainedFilterName(part.filter);
  }
  if (part.false_positives > 0) out << ", " << CountOf(part.false_positives, "false positive");
  if (part.has_answered) out << ", answered";
  if (part.was_opened) out << ", file opened";
  out << "\n";
  for (const ExplainedBlock& block : part.blocks) {
    out << "  " << ExplainedBlockName(block.kind) << " at " << block.offset << ", "
        << CountOf(block.bytes, "byte") << ", " << SourceOf(block.was_read) << "\n";
  }
}

}  // namespace

std::string Explanation::ToString() const {
  std::ostringstream out;
  for (const ExplainedPart& part : parts) PrintPart(part, out);
  if (const auto& place = value_log) {
    out << "value log " << place->file_number << ": at " << place->offset << ", "
        << CountOf(place->bytes, "byte") << ", " << SourceOf(place->was_read) << "\n";
  }
  out << "answer: " << ExplainedAnswerName(answer);
  if (found()) out << " of " << CountOf(value_bytes, "byte");
  if (answering_part() != nullptr) out << ", sequence " << sequence;
  if (answer == Answer::kRangeTombstone) {
    out << ", deleted at " << range_tombstone_sequence;
  }
  if (expire_at_millis != 0) {
    out << ", deadline " << expire_at_millis << " ms since 1970";
  }
  out << "\nread up to sequence " << read_sequence << ", "
      << CountOf(bytes_read, "byte") << " from disk, " << nanos << " ns\n";
  return out.str();
}

std::string_view ExplainedAnswerName(Explanation::Answer answer) {
  switch (answer) {
    case Explanation::Answer::kNothing: return "nothing";
    case Explanation::Answer::kValue: return "value";
    case Explanation::Answer::kTombstone: return "tombstone";
    case Explanation::Answer::kRangeTombstone: return "range tombstone";
    case Explanation::Answer::kExpired: return "expired";
  }
  return "unknown";
}

std::string_view ExplainedPartName(ExplainedPart::Kind kind) {
  switch (kind) {
    case ExplainedPart::Kind::kActiveMemTable: return "active memtable";
    case ExplainedPart::Kind::kImmutableMemTable: return "immutable memtable";
    case ExplainedPart::Kind::kSegment: return "segment";
    case ExplainedPart::Kind::kRun: return "run";
  }
  return "unknown";
}

std::string_view ExplainedFilterName(ExplainedPart::Filter filter) {
  switch (filter) {
    case ExplainedPart::Filter::kNotAsked: return "not asked";
    case ExplainedPart::Filter::kAbsent: return "absent";
    case ExplainedPart::Filter::kMaybe: return "maybe";
    case ExplainedPart::Filter::kOutOfRange: return "out of range";
  }
  return "unknown";
}

std::string_view ExplainedBlockName(ExplainedBlock::Kind kind) {
  switch (kind) {
    case ExplainedBlock::Kind::kIndexPage: return "index page";
    case ExplainedBlock::Kind::kData: return "data";
  }
  return "unknown";
}

}  // namespace varve
