// Processes that campaigns start and kill: this very program, in other roles. The program's main brings them.
#ifndef VARVE_TORTURE_PROCESSES_H_
#define VARVE_TORTURE_PROCESSES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "varve/status.h"

namespace varve::torture {

// One child at a time. Thread-compatible. The destructor kills what still runs.
class Processes {
 public:
  virtual ~Processes() = default;
  // Runs this program with `arguments`, as a process of its own; what it prints goes to the end of the file `log`.
  // REQUIRES: none runs.
  virtual Status Start(const std::vector<std::string>& arguments, const std::string& log) = 0;
  // false: it has ended by itself, or none was started.
  virtual bool IsRunning() = 0;
  // kill -9, and waits. Idempotent.
  virtual void Kill() = 0;
  // SIGTERM, and waits. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_PROCESSES_H_
