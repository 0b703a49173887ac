#include "env/stream_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace varve {
namespace stream_socket_test {

constexpr uint64_t kLong = 60'000'000'000;

class StreamSocketTest : public testing::Test {
 protected:
  StreamSocketTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    socket_ = StreamSocket(ends[0]);
    other_ = ends[1];
  }
  ~StreamSocketTest() override {
    if (other_ >= 0) ::close(other_);
  }
  size_t Wait(uint64_t timeout_nanos, bool wants_to_write = false) {
    waits_ = {{.socket = &socket_, .wants_to_write = wants_to_write}};
    const Result<size_t> ready = WaitForSockets(&waits_, timeout_nanos);
    EXPECT_TRUE(ready.ok()) << ready.status().ToString();
    return *ready;
  }

  StreamSocket socket_{-1};
  int other_ = -1;
  std::vector<SocketWait> waits_;
};

TEST_F(StreamSocketTest, ReadingWaitsForNothing) {
  char buffer[8];
  const auto nothing = socket_.Read(buffer, sizeof(buffer));
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->has_value());
  EXPECT_EQ(Wait(0), 0u);
  ASSERT_EQ(::send(other_, "abc", 3, 0), 3);
  EXPECT_EQ(Wait(kLong), 1u);
  EXPECT_TRUE(waits_[0].can_read);
  EXPECT_EQ(socket_.Read(buffer, sizeof(buffer))->value(), 3u);
}

TEST_F(StreamSocketTest, WritingTakesWhatFits) {
  const std::string bytes(1 << 20, 'x');
  size_t written = 0;
  while (true) {
    const Result<size_t> done = socket_.Write(bytes);
    ASSERT_TRUE(done.ok()) << done.status().ToString();
    if (*done == 0) break;
    written += *done;
  }
  EXPECT_GT(written, 0u);
  EXPECT_EQ(Wait(0, /*wants_to_write=*/true), 0u);
  std::string read(written, '\0');
  for (size_t got = 0; got < written;) {
    const ssize_t some = ::recv(other_, read.data(), read.size(), 0);
    ASSERT_GT(some, 0);
    got += static_cast<size_t>(some);
  }
  EXPECT_EQ(Wait(kLong, /*wants_to_write=*/true), 1u);
  EXPECT_TRUE(waits_[0].can_write);
  EXPECT_FALSE(waits_[0].can_read);
}

TEST_F(StreamSocketTest, APeerThatIsGoneEndsReadingAndBreaksWriting) {
  ::close(std::exchange(other_, -1));
  EXPECT_EQ(Wait(kLong), 1u);
  EXPECT_TRUE(waits_[0].can_read);
  char buffer[8];
  EXPECT_EQ(socket_.Read(buffer, sizeof(buffer))->value(), 0u);
  // And no signal ends the process.
  EXPECT_EQ(socket_.Write("abc").status().code(), StatusCode::kUnavailable);
}

TEST_F(StreamSocketTest, MovingLeavesOneOwner) {
  StreamSocket moved(std::move(socket_));
  EXPECT_EQ(socket_.descriptor(), -1);
  EXPECT_EQ(*moved.Write("abc"), 3u);
  socket_ = std::move(moved);
  EXPECT_EQ(*socket_.Write("def"), 3u);
}

TEST(StreamSocketConnectTest, NoSuchHostIsNotFound) {
  // More than 63 letters in a part of a name: no resolver asks anybody.
  const Status status = StreamSocket::ConnectTcp(std::string(70, 'a') + ".b", 1, kLong).status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("host 'aaa"), std::string_view::npos) << status.ToString();
}

}  // namespace stream_socket_test
}  // namespace varve
