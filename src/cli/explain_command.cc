// explain: what a get of one key looks at, and what answers it.
#include "cli/commands.h"
#include "cli/json.h"
#include "client/remote_db.h"

namespace varve::cli {
namespace {

std::string_view SourceOf(bool was_read) { return was_read ? "read" : "cached"; }

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

// In the words of the server: V.EXPLAIN.
int ExplainOnServer(const Context& context, client::RemoteDb& db, const Namespace& space,
                    const std::string& key) {
  const Result<std::string> text = db.Explain(space, key);
  if (!text.ok()) return Fail(context, text.status());
  if (context.json) {
    context.console.out << JsonObject().Bytes("key", key).Bytes("text", *text).Take() << "\n";
  } else {
    context.console.out << *text;
  }
  return kExitOk;
}

int Explain(const Context& context) {
  const Result<std::string> key = BytesFromCommandLine(context, context.arguments.operands()[0]);
  if (!key.ok()) return FailUsage(context, key.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kRead);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  if (client::RemoteDb* const remote = client::RemoteDb::From(db->get())) {
    return ExplainOnServer(context, *remote, **space, *key);
  }
  const Result<Explanation> explanation = (*space)->Explain(*key);
  if (!explanation.ok()) return Fail(context, explanation.status());
  if (context.json) {
    context.console.out << JsonOf(*explanation, (*space)->name(), *key) << "\n";
  } else {
    context.console.out << explanation->ToString();
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
                   "key is an answer too: exit code 0. A server says it in words, with --json too.\n",
        .target = Target::kEither},
       Explain},
  };
}

}  // namespace varve::cli
