// The range that scan, count and dump work on, from --prefix, --from and --to.
#ifndef VARVE_CLI_RANGE_H_
#define VARVE_CLI_RANGE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"

namespace varve::cli {

// The flags' own specs, for a verb's list.
std::vector<FlagSpec> RangeFlagsAnd(std::vector<FlagSpec> others);

struct Range {
  std::string prefix;
  std::optional<std::string> from;  // inclusive
  std::optional<std::string> to;    // exclusive

  bool IsEverything() const { return prefix.empty() && !from && !to; }
};

// kInvalidArgument when an escape is wrong.
Result<Range> RangeFrom(const Context& context);

struct WalkOptions {
  bool reverse = false;
  bool keys_only = false;  // the value is then empty
  bool deadlines = false;  // 0 otherwise
  std::optional<uint64_t> limit;
};

// Calls `visit` for every record of `range`, in order, until it returns false. The views live for
// the call.
// `expire_at_millis`: when the record expires, in milliseconds since 1970; 0: never.
using RecordVisitor = std::function<bool(std::string_view key, std::string_view value,
                                         uint64_t expire_at_millis)>;
Status Walk(Namespace& space, const Range& range, const WalkOptions& options, const RecordVisitor& visit);

}  // namespace varve::cli

#endif  // VARVE_CLI_RANGE_H_
