#include "tests/support/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "env/env.h"

extern char** environ;

namespace varve::test {

ServerProcess::ServerProcess(std::string program, std::string dir)
    : program_(std::move(program)), dir_(std::move(dir)), path_(dir_ + "/socket") {}

ServerProcess::~ServerProcess() {
  if (runs()) EndBy(SIGKILL);
}

Status ServerProcess::Start(const std::vector<std::string>& options) {
  VARVE_CHECK(!runs());
  std::vector<std::string> words = {program_, "server",      dir_ + "/store", "--port", "0",
                                    "--unixsocket", path_};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string log = dir_ + "/log";
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&files, 1, 2);
  const int error = ::posix_spawn(&pid_, program_.c_str(), &files, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (error == 0) return Status::Ok();
  pid_ = -1;
  return Status(StatusCode::kIoError, program_ + " cannot be started");
}

Status ServerProcess::AwaitListening() {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  while (std::chrono::steady_clock::now() < give_up) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool listens = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    ::close(fd);
    if (listens) return Status::Ok();
    int end = 0;
    if (::waitpid(pid_, &end, WNOHANG) == pid_) {
      pid_ = -1;
      break;
    }
    Env::Default()->clock()->SleepNanos(1'000'000);
  }
  const std::string log = Log();
  return Status(StatusCode::kUnavailable, "no server: " + log.substr(log.size() - std::min<size_t>(log.size(), 500)));
}

int ServerProcess::EndBy(int signal) {
  VARVE_CHECK(runs());
  VARVE_CHECK(::kill(pid_, signal) == 0);
  int end = 0;
  VARVE_CHECK(::waitpid(pid_, &end, 0) == pid_);
  pid_ = -1;
  return end;
}

std::string ServerProcess::Log() const {
  std::ifstream in(dir_ + "/log");
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace varve::test
