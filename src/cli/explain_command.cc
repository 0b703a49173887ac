// explain: what a get of one key looks at, and what answers it.
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/text.h"

namespace varve::cli {
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

void PrintText(const Explanation& explanation, std::ostream& out) {
  for (const ExplainedPart& part : explanation.parts) PrintPart(part, out);
  if (const auto& place = explanation.value_log) {
    out << "value log " << place->file_number << ": at " << place->offset << ", "
        << CountOf(place->bytes, "byte") << ", " << SourceOf(place->was_read) << "\n";
  }
  out << "answer: " << ExplainedAnswerName(explanation.answer);
  if (explanation.found()) out << " of " << CountOf(explanation.value_bytes, "byte");
  if (explanation.answering_part() != nullptr) out << ", sequence " << explanation.sequence;
  if (explanation.answer == Explanation::Answer::kRangeTombstone) {
    out << ", deleted at " << explanation.range_tombstone_sequence;
  }
  if (explanation.expire_at_millis != 0) {
    out << ", deadline " << explanation.expire_at_millis << " ms since 1970";
  }
  out << "\nread up to sequence " << explanation.read_sequence << ", "
      << CountOf(explanation.bytes_read, "byte") << " from disk, " << explanation.nanos << " ns\n";
}

std::string JsonOf(const ExplainedPart& part) {
  JsonObject object;
  object.Bytes("part", ExplainedPartName(part.kind)).Number("number", part.number);
  if (part.kind == ExplainedPart::Kind::kSegment || part.kind == ExplainedPart::Kind::kRun) {
    object.Number("level", part.level).Number("run", part.run_id);
  }
  object.Bytes("filter", ExplainedFilterName(part.filter)).Bool("answered", part.has_answered);
  object.Bool("opened", part.was_opened).Number("false_positives", part.false_positives);
  JsonArray blocks;
  for (const ExplainedBlock& block : part.blocks) {
    blocks.Add(JsonObject()
                   .Bytes("kind", ExplainedBlockName(block.kind))
                   .Number("offset", block.offset)
                   .Number("bytes", block.bytes)
                   .Bytes("source", SourceOf(block.was_read))
                   .Take());
  }
  return object.Raw("blocks", blocks.Take()).Take();
}

std::string JsonOf(const Explanation& explanation, std::string_view name_space, std::string_view key) {
  JsonObject object;
  if (!name_space.empty()) object.Bytes("namespace", name_space);
  object.Bytes("key", key).Bytes("answer", ExplainedAnswerName(explanation.answer));
  object.Bool("found", explanation.found()).Number("sequence", explanation.sequence);
  object.Number("range_tombstone_sequence", explanation.range_tombstone_sequence);
  object.Number("read_sequence", explanation.read_sequence);
  object.Number("expire_at_ms", explanation.expire_at_millis);
  object.Number("value_bytes", explanation.value_bytes);
  JsonArray parts;
  for (const ExplainedPart& part : explanation.parts) parts.Add(JsonOf(part));
  object.Raw("parts", parts.Take());
  if (const auto& place = explanation.value_log) {
    object.Raw("value_log", JsonObject()
                                .Number("number", place->file_number)
                                .Number("offset", place->offset)
                                .Number("bytes", place->bytes)
                                .Bytes("source", SourceOf(place->was_read))
                                .Take());
  }
  return object.Number("bytes_read", explanation.bytes_read).Number("ns", explanation.nanos).Take();
}

int Explain(const Context& context) {
  const Result<std::string> key = BytesFromCommandLine(context, context.arguments.operands()[0]);
  if (!key.ok()) return FailUsage(context, key.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kRead);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  const Result<Explanation> explanation = (*space)->Explain(*key);
  if (!explanation.ok()) return Fail(context, explanation.status());
  if (context.json) {
    context.console.out << JsonOf(*explanation, (*space)->name(), *key) << "\n";
  } else {
    PrintText(*explanation, context.console.out);
  }
  return kExitOk;
}

}  // namespace

std::vector<Command> ExplainCommands() {
  return {
      {{.name = "explain",
        .operands = "KEY",
        .min_operands = 1,
        .max_operands = 1,
        .flags = {kNamespaceFlag},
        .summary = "Says what a get of a key looks at, and what answers it",
        .examples = "varve --dir data explain fruit/apple\n"
                    "varve --dir data explain -n users --json u17\n",
        .details = "In the order of the lookup: memtables, then segments from the newest run on. Of each: what its\n"
                   "filter said, and the blocks that were looked at, from the cache or read from disk. An absent\n"
                   "key is an answer too: exit code 0.\n"},
       Explain},
  };
}

}  // namespace varve::cli
