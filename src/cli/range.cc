#include "cli/range.h"

#include "base/status_macros.h"

namespace varve::cli {
namespace {

Status TakeBound(const Context& context, std::string_view flag, std::optional<std::string>* bound) {
  const std::optional<std::string> text = context.arguments.Value(flag);
  if (!text.has_value()) return Status::Ok();
  VARVE_ASSIGN_OR_RETURN(*bound, BytesFromCommandLine(context, *text));
  return Status::Ok();
}

}  // namespace

std::vector<FlagSpec> RangeFlagsAnd(std::vector<FlagSpec> others) {
  others.insert(others.begin(), {kNamespaceFlag,
                                 {"--prefix", "P", "only keys that start with P"},
                                 {"--from", "A", "only keys from A on, A included"},
                                 {"--to", "B", "only keys before B"}});
  return others;
}

Result<Range> RangeFrom(const Context& context) {
  Range range;
  std::optional<std::string> prefix;
  VARVE_RETURN_IF_ERROR(TakeBound(context, "--prefix", &prefix));
  VARVE_RETURN_IF_ERROR(TakeBound(context, "--from", &range.from));
  VARVE_RETURN_IF_ERROR(TakeBound(context, "--to", &range.to));
  range.prefix = prefix.value_or("");
  return range;
}

Status Walk(Namespace& space, const Range& range, const WalkOptions& options,
            const RecordVisitor& visit) {
  IteratorOptions iterator_options;
  iterator_options.prefix = range.prefix;
  iterator_options.lower_bound = range.from;
  iterator_options.upper_bound = range.to;
  const std::unique_ptr<Iterator> it = space.NewIterator(iterator_options);
  uint64_t left = options.limit.value_or(UINT64_MAX);
  if (left > 0) options.reverse ? it->SeekToLast() : it->SeekToFirst();
  while (it->Valid() && left > 0) {
    const std::string_view value = options.keys_only ? std::string_view() : it->value();
    // An unreadable value reads as empty; the status tells them apart.
    if (value.empty()) VARVE_RETURN_IF_ERROR(it->status());
    const uint64_t expire_at = options.deadlines ? it->expire_at_millis() : 0;
    if (options.deadlines) VARVE_RETURN_IF_ERROR(it->status());
    if (!visit(it->key(), value, expire_at)) return Status::Ok();
    if (--left == 0) break;
    options.reverse ? it->Prev() : it->Next();
  }
  return it->status();
}

}  // namespace varve::cli
