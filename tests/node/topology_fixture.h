// What tests of topology stores share: a child process of etcd, a watcher that collects, and an HTTP server that does
// what a test says.
#ifndef VARVE_TESTS_NODE_TOPOLOGY_FIXTURE_H_
#define VARVE_TESTS_NODE_TOPOLOGY_FIXTURE_H_

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "node/etcd_topology_store.h"
#include "tests/node/node_fixture.h"
#include "tests/support/temp_dir.h"

namespace varve::node::test {

// Keeps what it was told, as a map.
class Follower : public TopologyWatcher {
 public:
  void OnChanges(uint64_t revision, const Changes& changes) override {
    const std::lock_guard<std::mutex> lock(mu_);
    went_back_ |= revision < revision_;
    revision_ = revision;
    ++calls_;
    for (const auto& [key, record] : changes) {
      if (record) {
        records_[key] = record->value;
      } else {
        records_.erase(key);
      }
    }
  }
  void OnTrouble(const std::string&) override {
    const std::lock_guard<std::mutex> lock(mu_);
    ++troubles_;
  }
  std::map<std::string, std::string> records() {
    const std::lock_guard<std::mutex> lock(mu_);
    return records_;
  }
  bool AwaitRecords(const std::map<std::string, std::string>& wanted) {
    return Await([&] { return records() == wanted; });
  }
  int calls() {
    const std::lock_guard<std::mutex> lock(mu_);
    return calls_;
  }
  int troubles() {
    const std::lock_guard<std::mutex> lock(mu_);
    return troubles_;
  }
  bool went_back() {
    const std::lock_guard<std::mutex> lock(mu_);
    return went_back_;
  }

 private:
  std::mutex mu_;
  std::map<std::string, std::string> records_;
  uint64_t revision_ = 0;
  int calls_ = 0;
  int troubles_ = 0;
  bool went_back_ = false;
};

inline std::string EtcdProgram() {
  for (const std::string path : {"/usr/bin/etcd", "/usr/local/bin/etcd"}) {
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

// Debian's etcd, alone, on ports of loopback that were free.
class EtcdProcess {
 public:
  ~EtcdProcess() { Kill(); }
  // Its files lie in `directory`; started again there it has what it had. False: it does not come up.
  bool Start(const std::string& directory) {
    for (int attempt = 0; attempt < 10; ++attempt) {
      // Somebody else may take the ports before it does.
      if (endpoint_.empty() || attempt > 0) ChoosePorts();
      Spawn(directory);
      EtcdTopologyStore store({.endpoints = {endpoint_}, .seed = 1}, Env::Default());
      bool is_up = false;
      const bool has_settled = Await([&] {
        is_up = store.Read("x").ok();
        if (!is_up && ::waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = 0;  // it has ended
        return is_up || pid_ == 0;
      });
      if (has_settled && is_up) return true;
      Kill();
    }
    return false;
  }
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  // Returns when all of it stands still.
  void Stop() {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    ::waitpid(pid_, &status, WUNTRACED);
  }
  void Continue() { ::kill(pid_, SIGCONT); }
  const std::string& endpoint() const { return endpoint_; }

 private:
  void ChoosePorts() {
    endpoint_ = "http://127.0.0.1:" + std::to_string(FreePort());
    peer_ = "http://127.0.0.1:" + std::to_string(FreePort());
  }
  void Spawn(const std::string& directory) {
    const std::string program = EtcdProgram();
    std::vector<std::string> words = {program, "--data-dir", directory, "--name", "t", "--log-level", "error",
                                      "--logger", "zap", "--unsafe-no-fsync",
                                      "--listen-client-urls", endpoint_, "--advertise-client-urls", endpoint_,
                                      "--listen-peer-urls", peer_, "--initial-advertise-peer-urls", peer_,
                                      "--initial-cluster", "t=" + peer_};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }

  pid_t pid_ = 0;
  std::string endpoint_, peer_;
};

// Answers HTTP requests one connection at a time, each as the next of the script says.
class FakeHttp {
 public:
  struct Request {
    std::string path, headers, body;
  };
  // Gets the socket, and may answer, wait or end.
  using Act = std::function<void(const Request&, RawSocket*)>;
  FakeHttp() : thread_([this] { Run(); }) {}
  ~FakeHttp() {
    {
      const std::lock_guard<std::mutex> lock(mu_);
      is_ending_ = true;
    }
    changed_.notify_all();
    RawSocket::Connect(listener_.port());  // wakes it
    thread_.join();
  }
  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(listener_.port()); }
  // For requests that come from now on; the last act stays.
  void Script(std::vector<Act> acts) {
    const std::lock_guard<std::mutex> lock(mu_);
    acts_.assign(acts.begin(), acts.end());
  }
  std::vector<Request> requests() {
    const std::lock_guard<std::mutex> lock(mu_);
    return requests_;
  }
  // Until the fake ends, or `condition`.
  void Hold(const std::function<bool()>& condition = [] { return false; }) {
    std::unique_lock<std::mutex> lock(mu_);
    while (!is_ending_ && !condition()) changed_.wait_for(lock, std::chrono::milliseconds(1));
  }

  static Act Answer(int status, const std::string& body) {
    return [status, body](const Request&, RawSocket* socket) {
      socket->Send("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) +
                   "\r\n\r\n" + body);
    };
  }
  static Act Cut() {
    return [](const Request&, RawSocket*) {};
  }
  static std::string Chunk(const std::string& text) {
    char size[20];
    std::snprintf(size, sizeof(size), "%zx\r\n", text.size());
    return size + text + "\r\n";
  }

 private:
  void Run() {
    while (true) {
      RawSocket socket = listener_.Accept();
      Act act;
      {
        const std::lock_guard<std::mutex> lock(mu_);
        if (is_ending_) return;
      }
      Request request;
      if (!Take(&socket, &request)) continue;
      {
        const std::lock_guard<std::mutex> lock(mu_);
        requests_.push_back(request);
        if (acts_.empty()) continue;
        act = acts_.front();
        if (acts_.size() > 1) acts_.pop_front();
      }
      act(request, &socket);
    }
  }
  static bool Take(RawSocket* socket, Request* request) {
    std::string all;
    size_t end = all.npos;
    while ((end = all.find("\r\n\r\n")) == all.npos) {
      const std::string some = socket->ReadSome();
      if (some.empty()) return false;
      all += some;
    }
    request->headers = all.substr(0, end);
    request->path = all.substr(all.find(' ') + 1);
    request->path.resize(request->path.find(' '));
    const size_t length_at = request->headers.find("Content-Length: ");
    const size_t length = length_at == all.npos ? 0 : std::stoul(request->headers.substr(length_at + 16));
    request->body = all.substr(end + 4);
    while (request->body.size() < length) {
      const std::string some = socket->ReadSome();
      if (some.empty()) return false;
      request->body += some;
    }
    return true;
  }

  RawListener listener_;
  std::mutex mu_;
  std::condition_variable changed_;
  std::deque<Act> acts_;
  std::vector<Request> requests_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace varve::node::test

#endif  // VARVE_TESTS_NODE_TOPOLOGY_FIXTURE_H_
