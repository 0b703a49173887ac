// What the HTTP port takes and what it refuses.
#include "http/request_parser.h"

#include <gtest/gtest.h>

#include <string>

#include "http/handler.h"

namespace varve::http {
namespace request_parser_test {

Outcome Parse(const std::string& input) {
  Request request;
  return ParseRequest(input, &request);
}

TEST(HttpRequestTest, GetAndHeadAreTaken) {
  Request request;
  for (const char* version : {"HTTP/1.0", "HTTP/1.1"}) {
    const std::string get = "GET /metrics?x=1 " + std::string(version) + "\r\nHost: evil\r\nX:\r\n\r\n";
    ASSERT_EQ(ParseRequest(get, &request), Outcome::kRequest);
    EXPECT_EQ(request.path, "/metrics");
    EXPECT_FALSE(request.is_head);
  }
  const std::string head = "HEAD / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
  ASSERT_EQ(ParseRequest(head, &request), Outcome::kRequest);
  EXPECT_TRUE(request.is_head);
  EXPECT_EQ(request.path, "/");
}

TEST(HttpRequestTest, EveryPrefixNeedsMore) {
  const std::string whole = "GET /stats HTTP/1.1\r\nHost: localhost:1\r\nAccept: */*\r\n\r\n";
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Parse(whole.substr(0, size)), Outcome::kNeedMore) << size;
  }
  EXPECT_EQ(Parse(whole), Outcome::kRequest);
}

TEST(HttpRequestTest, OtherMethodsVersionsAndBodiesAreRefused) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "G"}) {
    EXPECT_EQ(Parse(std::string(method) + " / HTTP/1.1\r\n\r\n"), Outcome::kMethodNotAllowed) << method;
  }
  EXPECT_EQ(Parse("GET / HTTP/2.0\r\n\r\n"), Outcome::kWrongVersion);
  EXPECT_EQ(Parse("GET / HTTP/1.11\r\n\r\n"), Outcome::kWrongVersion);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\ncontent-LENGTH: 1\r\n\r\nx"), Outcome::kHasBody);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nContent-Length: 00\r\n\r\n"), Outcome::kHasBody);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n"), Outcome::kHasBody);
}

TEST(HttpRequestTest, WhatIsNotHttpIsRefused) {
  for (const std::string& bad : {
           std::string("GET /\r\n\r\n"), std::string("GET  HTTP/1.1\r\n\r\n"),
           std::string("GET / x HTTP/1.1\r\n\r\n"), std::string("GET http://h/ HTTP/1.1\r\n\r\n"),
           std::string("GET /\x01 HTTP/1.1\r\n\r\n"), std::string("GET /\xff HTTP/1.1\r\n\r\n"),
           std::string("G\0T / HTTP/1.1\r\n\r\n", 18), std::string(" / HTTP/1.1\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nName : x\r\n\r\n"), std::string("GET / HTTP/1.1\r\n: x\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\n folded\r\n\r\n"), std::string("GET / HTTP/1.1\r\nnothing\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nA: \x01\r\n\r\n"), std::string("GET / HTTP/1.1\r\nA: x\ny\r\n\r\n"),
           std::string("\r\n\r\n"), std::string("*1\r\n$4\r\nPING\r\n\r\n"),
       }) {
    EXPECT_EQ(Parse(bad), Outcome::kBadRequest) << bad;
  }
  // A handshake of TLS, before there is any line.
  EXPECT_EQ(Parse(std::string("\x16\x03\x01\x02\x00", 5)), Outcome::kBadRequest);
}

TEST(HttpRequestTest, SizeIsLimited) {
  const std::string begin = "GET / HTTP/1.1\r\nA: ";
  const std::string end = "\r\n\r\n";
  std::string fits = begin + std::string(kMaxRequestBytes - begin.size() - end.size(), 'x') + end;
  EXPECT_EQ(Parse(fits), Outcome::kRequest);
  fits.insert(begin.size(), 1, 'x');
  EXPECT_EQ(Parse(fits), Outcome::kTooLarge);
  EXPECT_EQ(Parse(std::string(kMaxRequestBytes - 1, 'x')), Outcome::kNeedMore);
  EXPECT_EQ(Parse(std::string(kMaxRequestBytes, 'x')), Outcome::kTooLarge);
}

TEST(HttpHandlerTest, AnswersOnceAndCloses) {
  const Pages pages = {{"/a", [] { return Page{.body = "text\n"}; }}};
  const auto answer = [&](const std::string& input) {
    std::string output;
    const net::Turn turn = NewHandler(&pages)->OnInput(input, &output);
    EXPECT_EQ(turn.next, net::Turn::Next::kCloseAfterReplies);
    EXPECT_EQ(turn.consumed, input.size());
    return output;
  };
  const std::string get = answer("GET /a HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n");
  EXPECT_EQ(get.find("HTTP/1.1 200 OK\r\n"), 0u);
  EXPECT_NE(get.find("\r\nContent-Length: 5\r\n"), get.npos);
  EXPECT_TRUE(get.ends_with("\r\n\r\ntext\n"));
  const std::string head = answer("HEAD /a HTTP/1.1\r\n\r\n");
  EXPECT_EQ(head + "text\n", get);
  EXPECT_EQ(answer("GET /b HTTP/1.1\r\n\r\n").find("HTTP/1.1 404 "), 0u);
  const std::string post = answer("POST /a HTTP/1.1\r\n\r\n");
  EXPECT_EQ(post.find("HTTP/1.1 405 "), 0u);
  EXPECT_NE(post.find("\r\nAllow: GET, HEAD\r\n"), post.npos);
  std::string output;
  EXPECT_EQ(NewHandler(&pages)->OnInput("GET", &output).next, net::Turn::Next::kRead);
  EXPECT_EQ(output, "");
}

}  // namespace request_parser_test
}  // namespace varve::http
