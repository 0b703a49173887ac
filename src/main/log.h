// The server's log: one line for each event, as text or as JSON.
#ifndef VARVE_MAIN_LOG_H_
#define VARVE_MAIN_LOG_H_

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"

namespace varve {

// Thread-safe.
//   2026-01-31T12:00:00.123Z info server: stopping signal=15
//   {"time":"2026-01-31T12:00:00.123Z","level":"info","area":"server","event":"stopping","signal":"15"}
// In text, values with spaces, quotes or control characters are quoted and escaped as in JSON.
class Log {
 public:
  // A name with one value or several: text repeats the name, JSON has a list.
  struct Field {
    std::string_view name;
    std::vector<std::string> values;
    bool is_list = false;
  };
  // Borrows both.
  Log(std::ostream& out, Clock* clock, bool is_json) : out_(out), clock_(clock), is_json_(is_json) {}

  void Info(std::string_view event, const std::vector<Field>& fields = {}) { Line("info", event, fields); }
  void Warn(std::string_view event, const std::vector<Field>& fields = {}) { Line("warn", event, fields); }

 private:
  void Line(std::string_view level, std::string_view event, const std::vector<Field>& fields);

  Mutex mu_;  // one line at a time
  std::ostream& out_;
  Clock* const clock_;
  const bool is_json_;
};

}  // namespace varve

#endif  // VARVE_MAIN_LOG_H_
