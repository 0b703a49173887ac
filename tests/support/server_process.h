// ServerProcess: `varve server` as a process of its own, to be killed.
#ifndef VARVE_TESTS_SUPPORT_SERVER_PROCESS_H_
#define VARVE_TESTS_SUPPORT_SERVER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "varve/status.h"

namespace varve::test {

// Thread-compatible, but path() is for all threads. Killed by the destructor.
class ServerProcess {
 public:
  // `dir` holds the store, the socket and the log of all servers that are started here one after another.
  ServerProcess(std::string program, std::string dir);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Starts it with these options beside those for its place. REQUIRES: it does not run. kIoError: there is no
  // such program.
  Status Start(const std::vector<std::string>& options);
  // Until it takes connections. kUnavailable with the end of its log: it has ended, or takes a minute.
  Status AwaitListening();
  // Sends the signal and waits for the end; how that came, as waitpid says it. REQUIRES: it runs.
  int EndBy(int signal);
  bool runs() const { return pid_ > 0; }
  // Of the socket.
  const std::string& path() const { return path_; }
  // What the servers have logged.
  std::string Log() const;

 private:
  const std::string program_;
  const std::string dir_;
  const std::string path_;
  pid_t pid_ = -1;
};

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_SERVER_PROCESS_H_
