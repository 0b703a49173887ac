// What a server says of itself: the lines of INFO.
#ifndef VARVE_CLI_SERVER_INFO_H_
#define VARVE_CLI_SERVER_INFO_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/context.h"

namespace varve::cli {

// "name:value" lines in their order; comments and empty lines are left out.
class ServerInfo {
 public:
  explicit ServerInfo(std::string_view text);

  const std::vector<std::pair<std::string, std::string>>& lines() const { return lines_; }
  // Empty when there is no such line.
  std::string_view Text(std::string_view name) const;
  // 0 when there is no such line, or it is no number.
  uint64_t Number(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

// The number that all of `text` is.
std::optional<uint64_t> WholeNumber(std::string_view text);

// 'stats' of the context's server. REQUIRES: it has one.
int PrintServerStats(const Context& context);

}  // namespace varve::cli

#endif  // VARVE_CLI_SERVER_INFO_H_
