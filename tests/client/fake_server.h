// FakeServer: answers requests on loopback, or on a Unix socket, as a test says.
#ifndef VARVE_TESTS_CLIENT_FAKE_SERVER_H_
#define VARVE_TESTS_CLIENT_FAKE_SERVER_H_

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/endpoint.h"

namespace varve::client {

using Words = std::vector<std::string>;

// What one connection does. Made for each; called by one thread.
class FakeSession {
 public:
  virtual ~FakeSession() = default;
  // The bytes of the reply. std::nullopt: the connection is closed.
  virtual std::optional<std::string> Answer(const Words& request) = 0;
};

class FakeServer {
 public:
  using NewSession = std::function<std::unique_ptr<FakeSession>()>;
  using Handler = std::function<std::optional<std::string>(const Words& request)>;

  // `unix_path`: listens there; else at a free port of `host`.
  explicit FakeServer(NewSession new_session, const std::string& unix_path = "",
                      const std::string& host = "127.0.0.1");
  explicit FakeServer(Handler handler);
  // Closes all connections and joins.
  ~FakeServer();

  // Whether there is such an address here: false without IPv6, for instance.
  bool is_listening() const { return listener_ >= 0; }
  Endpoint endpoint() const { return endpoint_; }
  // All requests so far, of all connections.
  std::vector<Words> Requests();

 private:
  void Listen(const std::string& unix_path, const std::string& host);
  void Accept();
  void Serve(int descriptor);

  const NewSession new_session_;
  Endpoint endpoint_;
  int listener_ = -1;
  std::mutex mu_;
  std::vector<Words> requests_;
  std::vector<int> connections_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// A store behind the protocol, with the commands that the client uses. Thread-safe.
struct FakeStore;
std::shared_ptr<FakeStore> NewFakeStore(bool knows_range);
std::unique_ptr<FakeSession> NewStoreSession(const std::shared_ptr<FakeStore>& store);

}  // namespace varve::client

#endif  // VARVE_TESTS_CLIENT_FAKE_SERVER_H_
