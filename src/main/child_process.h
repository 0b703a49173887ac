// ChildProcess: a program that runs beside this one, and ends with it.
#ifndef VARVE_MAIN_CHILD_PROCESS_H_
#define VARVE_MAIN_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "varve/status.h"

namespace varve {

// For one thread, which lives as long as the process.
class ChildProcess {
 public:
  ChildProcess() = default;
  ~ChildProcess() { Kill(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Runs `words`, the first of which is looked for as shells do; what it prints goes to the end of the file `log`. Signals of the
  // keyboard do not reach it.
  Status Start(const std::vector<std::string>& words, const std::string& log);
  bool is_running();
  // kill -9, and waits. Idempotent.
  void Kill() { End(9); }
  // SIGTERM, and waits.
  void Stop();

 private:
  void End(int signal);

  pid_t pid_ = -1;
};

}  // namespace varve

#endif  // VARVE_MAIN_CHILD_PROCESS_H_
