// Two ends of TLS in memory: what goes through, in any pieces; and who is not trusted.
#include "tls/session.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/tls/certificates.h"

namespace varve::tls {
namespace session_test {

class TlsTest : public ::testing::Test {
 protected:
  // Carries bytes between both in pieces until nothing is left or one has failed.
  void Talk(size_t piece = 1 << 20) {
    if (client_status_.ok() && !client_->is_established() && to_server_.empty()) {
      client_status_ = client_->Receive("", &client_seen_, &to_server_);
    }
    while (!to_server_.empty() || !to_client_.empty()) {
      Carry(server_.get(), &to_server_, piece, &server_seen_, &to_client_, &server_status_);
      Carry(client_.get(), &to_client_, piece, &client_seen_, &to_server_, &client_status_);
    }
  }
  static void Carry(Session* session, std::string* from, size_t piece, std::string* seen, std::string* to,
                    Status* status) {
    const std::string bytes = from->substr(0, piece);
    from->erase(0, bytes.size());
    if (status->ok() && !bytes.empty()) *status = session->Receive(bytes, seen, to);
  }
  void Make(const Files& server, const Files& client, const std::string& host) {
    Result<std::shared_ptr<const Context>> server_context = Context::ForServer(server);
    Result<std::shared_ptr<const Context>> client_context = Context::ForClient(client);
    ASSERT_OK(server_context.status());
    ASSERT_OK(client_context.status());
    server_ = Session::Create(*server_context);
    client_ = Session::Create(*client_context, host);
    ASSERT_NE(server_, nullptr);
    ASSERT_NE(client_, nullptr);
    server_status_ = client_status_ = Status::Ok();
    to_server_.clear();
    to_client_.clear();
    server_seen_.clear();
    client_seen_.clear();
  }
  bool AreEstablished() const {
    return client_status_.ok() && server_status_.ok() && client_->is_established() && server_->is_established();
  }
  Files ServerFiles(const test::Certificate& own, const std::string& authorities = "") {
    return {.certificate = own.certificate_file, .key = own.key_file, .authorities = authorities};
  }

  test::TempDir dir_;
  const test::Certificate ca_ = test::MakeCertificate(dir_.Sub("ca"), "", nullptr);
  const test::Certificate box_ = test::MakeCertificate(dir_.Sub("box"), "DNS:box,IP:127.0.0.1", &ca_);
  const test::Certificate other_ca_ = test::MakeCertificate(dir_.Sub("other"), "", nullptr);
  const Files trusts_ca_ = {.certificate = {}, .key = {}, .authorities = ca_.certificate_file};
  std::unique_ptr<Session> server_, client_;
  Status server_status_, client_status_;
  std::string to_server_, to_client_, server_seen_, client_seen_;
};

TEST_F(TlsTest, BytesGoThroughInAnyPieces) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}, size_t{1} << 20}) {
    Make(ServerFiles(box_), trusts_ca_, "box");
    Talk(piece);
    ASSERT_TRUE(AreEstablished()) << client_status_.ToString() << server_status_.ToString();
    std::string much(100'000, 'x');
    for (size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>(i * 7);
    ASSERT_OK(client_->Send(much, &to_server_));
    EXPECT_EQ(to_server_.find(much.substr(1000, 50)), to_server_.npos);
    Talk(piece);
    EXPECT_EQ(server_seen_, much);
    ASSERT_OK(server_->Send("answer", &to_client_));
    server_->Close(&to_client_);
    server_->Close(&to_client_);
    Talk(piece);
    EXPECT_EQ(client_seen_, "answer");
    EXPECT_TRUE(client_->has_ended());
    EXPECT_FALSE(server_->has_ended());
  }
}

TEST_F(TlsTest, AServerIsTrustedForItsNamesAndByItsAuthorityOnly) {
  for (const auto& [host, trusted] : std::initializer_list<std::pair<std::string, bool>>{
           {"box", true}, {"127.0.0.1", true}, {"BOX", true}, {"127.0.0.2", false}, {"box2", false}, {"::1", false}}) {
    Make(ServerFiles(box_), trusts_ca_, host);
    Talk();
    EXPECT_EQ(AreEstablished(), trusted) << host;
    EXPECT_EQ(client_status_.ok(), trusted) << host;
  }
  Make(ServerFiles(box_), {.certificate = {}, .key = {}, .authorities = other_ca_.certificate_file}, "box");
  Talk();
  EXPECT_STATUS(kUnavailable, client_status_);
  EXPECT_NE(client_status_.message().find("certificate"), std::string_view::npos);
  EXPECT_FALSE(server_status_.ok());
  // Nor does the system know the authority.
  Make(ServerFiles(box_), {}, "box");
  Talk();
  EXPECT_FALSE(client_status_.ok());
  // One that has expired.
  const test::Certificate old = test::MakeCertificate(dir_.Sub("old"), "DNS:box", &ca_, -1);
  Make(ServerFiles(old), trusts_ca_, "box");
  Talk();
  EXPECT_NE(client_status_.message().find("expired"), std::string_view::npos);
}

TEST_F(TlsTest, ClientsShowACertificateWhereItIsWanted) {
  const test::Certificate good = test::MakeCertificate(dir_.Sub("good"), "DNS:ada", &ca_);
  const test::Certificate forged = test::MakeCertificate(dir_.Sub("forged"), "DNS:ada", &other_ca_);
  const test::Certificate old = test::MakeCertificate(dir_.Sub("old"), "DNS:ada", &ca_, -1);
  const auto is_let_in = [&](const test::Certificate* own) {
    Files files = trusts_ca_;
    if (own != nullptr) {
      files.certificate = own->certificate_file;
      files.key = own->key_file;
    }
    Make(ServerFiles(box_, ca_.certificate_file), files, "box");
    Talk();
    // What it sends before it has heard of the refusal is not seen.
    if (client_->is_established() && client_status_.ok()) {
      static_cast<void>(client_->Send("SET", &to_server_));
      Talk();
    }
    EXPECT_EQ(server_->is_established(), server_seen_ == "SET");
    return server_seen_ == "SET";
  };
  EXPECT_TRUE(is_let_in(&good));
  EXPECT_FALSE(is_let_in(nullptr));
  EXPECT_FALSE(is_let_in(&forged));
  EXPECT_FALSE(is_let_in(&old));
}

TEST_F(TlsTest, WhatIsNotTlsIsRefused) {
  for (const std::string& bytes : {std::string("*1\r\n$4\r\nPING\r\n"), std::string("GET / HTTP/1.1\r\n\r\n"),
                                   std::string(100, '\0'), std::string(100, '\xff')}) {
    Make(ServerFiles(box_), trusts_ca_, "box");
    EXPECT_STATUS(kUnavailable, server_->Receive(bytes, &server_seen_, &to_client_));
    EXPECT_FALSE(server_->is_established());
    EXPECT_EQ(server_seen_, "");
    EXPECT_STATUS(kUnavailable, client_->Receive(bytes, &client_seen_, &to_server_));
  }
}

// A byte that was changed on the way is noticed, wherever it is.
TEST_F(TlsTest, ChangedBytesAreNoticed) {
  for (size_t at = 0; at < 40; ++at) {
    Make(ServerFiles(box_), trusts_ca_, "box");
    Talk();
    ASSERT_TRUE(AreEstablished());
    ASSERT_OK(client_->Send("a message of some length, in one record", &to_server_));
    to_server_[at] = static_cast<char>(to_server_[at] ^ 1);
    // With a longer length it waits for the rest.
    to_server_.append(512, 'x');
    EXPECT_FALSE(server_->Receive(to_server_, &server_seen_, &to_client_).ok()) << at;
    EXPECT_EQ(server_seen_, "") << at;
  }
}

TEST_F(TlsTest, FilesThatAreWrongAreNamed) {
  const auto refusal = [&](const Files& files) {
    const Status status = Context::ForServer(files).status();
    EXPECT_STATUS(kInvalidArgument, status);
    return std::string(status.message());
  };
  EXPECT_NE(refusal({.certificate = dir_.Sub("x"), .key = box_.key_file, .authorities = {}}).find(dir_.Sub("x")),
            std::string::npos);
  EXPECT_NE(refusal({.certificate = box_.certificate_file, .key = ca_.key_file, .authorities = {}}).find("key"),
            std::string::npos);
  EXPECT_NE(refusal({.certificate = box_.key_file, .key = box_.key_file, .authorities = {}}).find(box_.key_file),
            std::string::npos);
  EXPECT_NE(refusal(ServerFiles(box_, dir_.Sub("y"))).find(dir_.Sub("y")), std::string::npos);
  refusal({});
  EXPECT_STATUS(kInvalidArgument,
                Context::ForClient({.certificate = box_.certificate_file, .key = {}, .authorities = {}}).status());
}

}  // namespace session_test
}  // namespace varve::tls
