#include "client/client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "tests/client/fake_server.h"
#include "tests/support/temp_dir.h"

namespace varve::client {
namespace client_test {

std::unique_ptr<Client> Open(const FakeServer& server, const ClientOptions& options = {}) {
  Result<std::unique_ptr<Client>> client = Client::Connect(server.endpoint(), options);
  EXPECT_TRUE(client.ok()) << client.status().ToString();
  return client.ok() ? *std::move(client) : nullptr;
}

std::string Bulk(std::string_view bytes) {
  return "$" + std::to_string(bytes.size()) + "\r\n" + std::string(bytes) + "\r\n";
}

// Answers the first argument.
FakeServer::Handler Echo() {
  return [](const Words& request) { return Bulk(request.size() > 1 ? request[1] : request[0]); };
}

TEST(ClientTest, AnyBytesGoBothWays) {
  FakeServer server(Echo());
  const auto client = Open(server);
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  bytes += "\r\n$-1\r\n";
  const Result<Reply> reply = client->Call({"ECHO", bytes});
  ASSERT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_EQ(reply->text, bytes);
  EXPECT_EQ(client->Call({"ECHO", ""})->text, "");
}

TEST(ClientTest, ConnectsByIpv6) {
  FakeServer server([] { return NewStoreSession(NewFakeStore(true)); }, "", "::1");
  if (!server.is_listening()) GTEST_SKIP() << "NOT TESTED: no IPv6 here";
  EXPECT_EQ(Open(server)->Call({"PING"})->text, "PONG");
}

TEST(ClientTest, ConnectsByUnixSocket) {
  const test::TempDir dir;
  FakeServer server([] { return NewStoreSession(NewFakeStore(true)); }, dir.path() + "/s");
  const auto client = Open(server);
  EXPECT_EQ(client->Call({"PING"})->text, "PONG");
  EXPECT_EQ(client->name(), dir.path() + "/s");
}

TEST(ClientTest, GivesUserPasswordAndDatabaseInOneRoundTrip) {
  FakeServer server([](const Words&) { return "+OK\r\n"; });
  Endpoint endpoint = server.endpoint();
  endpoint.password = "hush";
  ASSERT_TRUE(Client::Connect(endpoint).ok());
  endpoint.user = "ada";
  endpoint.database = 3;
  ASSERT_TRUE(Client::Connect(endpoint).ok());
  EXPECT_EQ(server.Requests(),
            (std::vector<Words>{{"AUTH", "hush"}, {"AUTH", "ada", "hush"}, {"SELECT", "3"}}));
}

TEST(ClientTest, ARefusedPasswordIsAnAuthenticationFailure) {
  FakeServer server([](const Words& request) {
    return request[0] == "AUTH" ? "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
                                : "-NOAUTH Authentication required.\r\n";
  });
  Endpoint endpoint = server.endpoint();
  endpoint.password = "hush";
  const Status refused = Client::Connect(endpoint).status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(IsAuthenticationFailure(refused)) << refused.ToString();
  EXPECT_TRUE(IsAuthenticationFailure(Open(server)->Call({"GET", "k"}).status()));
  EXPECT_FALSE(IsAuthenticationFailure(Status::InvalidArgument("ERR syntax error")));
  EXPECT_FALSE(IsAuthenticationFailure(Status::Ok()));
}

TEST(ClientTest, NobodyThereIsUnavailableAndNamesTheAddress) {
  // Bound and not listened at: nobody else gets the port.
  const int reserved = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(reserved, generic, size), 0);
  ASSERT_EQ(::getsockname(reserved, generic, &size), 0);
  Endpoint endpoint;
  endpoint.port = ntohs(address.sin_port);
  const Status status = Client::Connect(endpoint).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "cannot connect to " + endpoint.Name() + ": Connection refused");
  ::close(reserved);
  endpoint.unix_path = "/nonexistent/socket";
  EXPECT_EQ(Client::Connect(endpoint).status().code(), StatusCode::kUnavailable);
  endpoint.unix_path = "/" + std::string(200, 'x');
  EXPECT_EQ(Client::Connect(endpoint).status().code(), StatusCode::kInvalidArgument);
}

TEST(ClientTest, ErrorRepliesAreStatusesOfCallAndRepliesOfRun) {
  FakeServer server([](const Words& request) { return "-" + request[0] + " text\r\n"; });
  const auto client = Open(server);
  const Status status = client->Call({"WRONGTYPE"}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "WRONGTYPE text");
  EXPECT_EQ(client->Call({"LOADING"}).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(client->Call({"ERR unknown command 'x'"}).status().code(), StatusCode::kNotSupported);
  const auto replies = client->Run({{"A"}, {"B"}});
  ASSERT_TRUE(replies.ok());
  EXPECT_EQ((*replies)[0].text, "A text");
  EXPECT_EQ((*replies)[1].text, "B text");
  EXPECT_FALSE(client->is_broken());
}

// Goal: neither end waits for the other to read. Method: far more than fits into the buffers between
// them, both ways, in one pipeline; the server reads nothing new while it writes.
TEST(ClientTest, APipelineLargerThanAllBuffersDoesNotBlock) {
  FakeServer server(Echo());
  const auto client = Open(server);
  const std::string value(200'000, 'v');
  const std::vector<Request> requests(150, Request{"ECHO", value});
  const auto replies = client->Run(requests);
  ASSERT_TRUE(replies.ok()) << replies.status().ToString();
  ASSERT_EQ(replies->size(), requests.size());
  for (const Reply& reply : *replies) EXPECT_EQ(reply.text, value);
}

TEST(ClientTest, RepliesInSinglePiecesOfBytes) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  Client client(StreamSocket(ends[0]), "pair", {});
  auto replies = std::async(std::launch::async, [&] { return client.Run({{"A"}, {"B"}, {"C"}}); });
  const std::string bytes = "*2\r\n$1\r\nx\r\n:-5\r\n$-1\r\n+done\r\n";
  for (const char byte : bytes) ASSERT_EQ(::send(ends[1], &byte, 1, 0), 1);
  const auto got = replies.get();
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  ASSERT_EQ(got->size(), 3u);
  EXPECT_EQ((*got)[0].elements[1].integer, -5);
  EXPECT_EQ((*got)[1].type, Reply::Type::kNull);
  EXPECT_EQ((*got)[2].text, "done");
  ::close(ends[1]);
}

TEST(ClientTest, AServerThatDoesNotAnswerIsTimedOutAndTheConnectionIsDone) {
  FakeServer server([](const Words&) { return ""; });
  const auto client = Open(server, {.reply_timeout = std::chrono::milliseconds(20)});
  const Status status = client->Call({"GET", "k"}).status();
  EXPECT_EQ(status.code(), StatusCode::kTimedOut);
  EXPECT_NE(status.message().find("no answer within 20 ms"), std::string_view::npos) << status.ToString();
  EXPECT_TRUE(client->is_broken());
  // A late reply is not taken for that of the next request.
  EXPECT_EQ(client->Call({"GET", "other"}).status().code(), StatusCode::kUnavailable);
}

TEST(ClientTest, AServerThatLeavesIsUnavailable) {
  FakeServer server([](const Words& request) -> std::optional<std::string> {
    if (request[0] == "LAST") return std::nullopt;
    return "+OK\r\n";
  });
  const auto client = Open(server);
  EXPECT_TRUE(client->Call({"FIRST"}).ok());
  const Status status = client->Call({"LAST"}).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status.ToString();
  EXPECT_TRUE(client->is_broken());
}

TEST(ClientTest, WhatIsNoProtocolIsUnavailable) {
  FakeServer server([](const Words&) { return "HTTP/1.1 400 Bad Request\r\n\r\n"; });
  const auto client = Open(server);
  const Status status = client->Call({"PING"}).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("does not speak the protocol"), std::string_view::npos);
  EXPECT_TRUE(client->is_broken());
}

TEST(ClientTest, AwaitsWhatNobodyAskedFor) {
  FakeServer server([](const Words&) { return "+OK\r\n+one\r\n+two\r\n"; });
  const auto client = Open(server);
  EXPECT_EQ(client->Call({"MONITOR"})->text, "OK");
  constexpr uint64_t kLong = 60'000'000'000;
  EXPECT_EQ(client->Await(kLong)->text, "one");
  EXPECT_EQ(client->Await(kLong)->text, "two");
  EXPECT_EQ(client->Await(1'000'000).status().code(), StatusCode::kTimedOut);
  EXPECT_FALSE(client->is_broken());
}

}  // namespace client_test
}  // namespace varve::client
