// EventLog: what happened to a store, one line an event, for the people who run it.
#ifndef VARVE_ENGINE_EVENT_LOG_H_
#define VARVE_ENGINE_EVENT_LOG_H_

#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "env/env.h"

namespace varve {

// Appends to the file EVENTS of a store: "<milliseconds since 1970> <event>". Starts over when the file
// has grown to a megabyte. Failures are ignored: a full disk must not make anything worse. Thread-safe.
class EventLog {
 public:
  // Does nothing until Open.
  void Open(Env* env, const std::string& path);
  void Add(std::string_view event) VARVE_EXCLUDES(mu_);

 private:
  static constexpr uint64_t kMaxBytes = uint64_t{1} << 20;

  Mutex mu_;
  Env* env_ VARVE_GUARDED_BY(mu_) = nullptr;
  std::unique_ptr<WritableFile> file_ VARVE_GUARDED_BY(mu_);
  uint64_t end_ VARVE_GUARDED_BY(mu_) = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_EVENT_LOG_H_
