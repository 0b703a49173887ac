#include "varve/db.h"

#include "varve/statistics.h"

namespace varve {

std::string Db::At(std::string_view key) {
  Result<std::string> value = Get(key);
  if (value.ok()) return *std::move(value);
  if (value.status().IsNotFound()) throw KeyNotFound("varve: key not found: " + std::string(key));
  throw std::runtime_error("varve: " + value.status().ToString());
}

double Statistics::WriteAmplification() const {
  if (user_bytes_written == 0) return 0;
  return static_cast<double>(wal_bytes_written + flush_bytes_written + compaction_bytes_written +
                             value_log_bytes_written) /
         static_cast<double>(user_bytes_written);
}

}  // namespace varve
