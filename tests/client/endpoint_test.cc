#include "client/endpoint.h"

#include <gtest/gtest.h>

namespace varve::client {
namespace endpoint_test {

Endpoint At(std::string host, uint16_t port) {
  Endpoint endpoint;
  endpoint.host = std::move(host);
  endpoint.port = port;
  return endpoint;
}

TEST(EndpointTest, ReadsAddresses) {
  const std::pair<const char*, Endpoint> cases[] = {
      {"redis://", Endpoint()},
      {"redis://box", At("box", 6379)},
      {"redis://box:7000", At("box", 7000)},
      {"redis://:7000", At("127.0.0.1", 7000)},
      {"redis://[::1]:7000", At("::1", 7000)},
      {"redis://[::1]", At("::1", 6379)},
      {"redis://box/", At("box", 6379)},
      {"box", At("box", 6379)},
      {"box:1", At("box", 1)},
      {"[fe80::1]:65535", At("fe80::1", 65535)},
  };
  for (const auto& [text, expected] : cases) {
    const Result<Endpoint> endpoint = ParseEndpoint(text);
    ASSERT_TRUE(endpoint.ok()) << text << ": " << endpoint.status().ToString();
    EXPECT_EQ(*endpoint, expected) << text;
  }
}

TEST(EndpointTest, ReadsUserPasswordAndDatabase) {
  const Result<Endpoint> all = ParseEndpoint("redis://ada:a%40b%3a@c@box:7000/3");
  ASSERT_TRUE(all.ok()) << all.status().ToString();
  EXPECT_EQ(all->user, "ada");
  EXPECT_EQ(all->password, "a@b:@c");
  EXPECT_EQ(all->host, "box");
  EXPECT_EQ(all->database, 3u);
  const Result<Endpoint> password = ParseEndpoint("redis://:secret@box");
  ASSERT_TRUE(password.ok());
  EXPECT_EQ(password->user, "");
  EXPECT_EQ(password->password, "secret");
  EXPECT_EQ(password->Name(), "box:6379");
}

TEST(EndpointTest, ReadsUnixSockets) {
  const Result<Endpoint> plain = ParseEndpoint("unix:///run/varve.sock");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->unix_path, "/run/varve.sock");
  EXPECT_EQ(plain->Name(), "/run/varve.sock");
  const Result<Endpoint> all = ParseEndpoint("unix://:pw@/run/a%20b?db=4");
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->unix_path, "/run/a b");
  EXPECT_EQ(all->password, "pw");
  EXPECT_EQ(all->database, 4u);
  EXPECT_EQ(ParseEndpoint("/run/varve.sock")->unix_path, "/run/varve.sock");
}

TEST(EndpointTest, RefusesWhatIsNoAddressAndNamesNoPassword) {
  for (const char* text :
       {"", "http://box", "redis://box:", "redis://box:0", "redis://box:65536", "redis://box:7x",
        "redis://::1", "redis://[::1", "redis://[::1]7", "redis://box/x", "redis://box/-1",
        "redis://ada@box", "redis://ada:@box", "redis://:hush%4@box", "redis://:hush%zz@box",
        "unix://", "unix://box/path", "unix:///path?database=1", "unix:///path?db=x",
        "redis://:hush@box:x"}) {
    const Result<Endpoint> endpoint = ParseEndpoint(text);
    ASSERT_FALSE(endpoint.ok()) << text;
    EXPECT_EQ(endpoint.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(endpoint.status().message().find("hush"), std::string_view::npos) << text;
  }
}

TEST(EndpointTest, TlsIsTheSameWithAnotherWord) {
  for (const std::string rest : {"box", "ada:hush@[::1]:7/3", "/2"}) {
    Result<Endpoint> tls = ParseEndpoint("rediss://" + rest);
    Result<Endpoint> plain = ParseEndpoint("redis://" + rest);
    ASSERT_TRUE(tls.ok() && plain.ok()) << rest;
    EXPECT_TRUE(tls->is_tls);
    EXPECT_FALSE(plain->is_tls);
    plain->is_tls = true;
    EXPECT_EQ(*tls, *plain);
  }
}

}  // namespace endpoint_test
}  // namespace varve::client
