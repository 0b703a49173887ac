// A session over a store in memory, fed with any bytes. Whatever comes: every reply can be read, every request has
// one, and the way the bytes are split changes nothing.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"
#include "env/crash_env.h"
#include "net/handler.h"
#include "resp/reply_parser.h"
#include "resp/request_parser.h"
#include "server/service.h"
#include "varve/db.h"

namespace {

using varve::net::Turn;
using varve::resp::RequestParser;

// More than this is other targets' business.
constexpr size_t kMaxInputBytes = 4096;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& byte : lower) {
    if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte + ('a' - 'A'));
  }
  return lower;
}

// Whether the text occurs in any case, spelt without zero bytes.
bool Mentions(std::string_view input, std::initializer_list<std::string_view> words) {
  const std::string lower = Lower(input);
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return lower.find(word) != lower.npos; });
}

// A server of its own with one connection.
class Connection {
 public:
  Connection() : env_(1, varve::SimClock::Mode::kManual) {
    varve::Options options;
    options.env = &env_;
    varve::Result<std::unique_ptr<varve::Db>> db = varve::Db::Open("/db", options);
    VARVE_CHECK(db.ok());
    db_ = *std::move(db);
    varve::server::Options server_options;
    server_options.max_bulk_bytes = 1 << 20;
    service_ = std::make_unique<varve::server::Service>(db_.get(), server_options, &env_, [] {});
    VARVE_CHECK(service_->Load().ok());
    loop_ = service_->NewLoop(0);
    varve::net::Peer peer;
    peer.id = 1;
    peer.address = "127.0.0.1:1";
    peer.local_address = "127.0.0.1:6379";
    peer.is_local = true;
    peer.close = [] {};
    peer.wake = [] {};
    peer.write = [this](std::string bytes) { heard_ += bytes; };
    session_ = loop_->OnConnect(peer);
  }

  // What is answered. Nothing more is taken once the session has ended or waits.
  std::string Send(std::string_view bytes) {
    std::string output;
    if (is_over_) return output;
    input_.append(bytes);
    Turn turn;
    do {
      turn = session_->OnInput(input_, &output);
      VARVE_CHECK(turn.consumed <= input_.size());
      input_.erase(0, turn.consumed);
    } while (turn.next == Turn::Next::kMore);
    is_over_ = turn.next != Turn::Next::kRead;
    VARVE_CHECK(is_over_ || turn.wanted == 0 || turn.wanted > input_.size());
    VARVE_CHECK(loop_->BeforeSend());
    return output;
  }
  bool is_over() const { return is_over_; }
  // What it was told without having asked.
  const std::string& heard() const { return heard_; }

 private:
  varve::CrashEnv env_;
  std::unique_ptr<varve::Db> db_;
  std::unique_ptr<varve::server::Service> service_;
  std::unique_ptr<varve::net::LoopHandler> loop_;
  std::string heard_;
  std::unique_ptr<varve::net::ConnectionHandler> session_;
  std::string input_;
  bool is_over_ = false;
};

// How many replies there are. All of the bytes must belong to one.
size_t CountReplies(std::string_view bytes) {
  varve::resp::ReplyParser parser({.max_bulk_bytes = 1 << 28, .max_depth = 64});
  varve::resp::Reply reply;
  size_t count = 0;
  for (; !bytes.empty(); ++count) {
    VARVE_CHECK(parser.Parse(bytes, &reply) == varve::resp::ReplyParser::Outcome::kReply);
    VARVE_CHECK(parser.consumed() > 0);
    bytes.remove_prefix(parser.consumed());
  }
  return count;
}

// One request after another, with a look at each reply.
std::string OneByOne(std::string_view input, std::string* heard) {
  // (P, S)(UN)SUBSCRIBE answer once for each channel, and CLIENT REPLY takes replies away.
  const bool has_any_count = Mentions(input, {"subscribe", "reply"});
  Connection connection;
  RequestParser parser({.max_bulk_bytes = 1 << 20});
  std::string all;
  while (!input.empty() && !connection.is_over()) {
    const auto outcome = parser.Parse(input, true);
    const bool is_last = outcome != RequestParser::Outcome::kRequest;
    const size_t size = is_last ? input.size() : parser.consumed();
    const std::string replies = connection.Send(input.substr(0, size));
    const size_t count = CountReplies(replies);
    if (outcome == RequestParser::Outcome::kNeedMore) VARVE_CHECK(count == 0);
    if (outcome == RequestParser::Outcome::kError) VARVE_CHECK(count == 1 && connection.is_over());
    if (outcome == RequestParser::Outcome::kRequest && !has_any_count) {
      VARVE_CHECK(count == 1 || (count == 0 && connection.is_over()));
    }
    all += replies;
    input.remove_prefix(size);
  }
  static_cast<void>(CountReplies(connection.heard()));
  *heard = connection.heard();
  return all;
}

std::string InPieces(std::string_view input, size_t step, std::string* heard) {
  Connection connection;
  std::string all;
  for (size_t at = 0; at < input.size(); at += step) all += connection.Send(input.substr(at, step));
  *heard = connection.heard();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > kMaxInputBytes) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  // A clock that stands still would let it sleep for ever.
  if (Mentions(input, {"sleep"})) return 0;
  std::string heard;
  const std::string replies = OneByOne(input, &heard);
  // What is random, or tells of memory and of how the bytes came.
  if (Mentions(input, {"info", "genpass", "randomkey", "memory", "client", "stats", "hello", "monitor"})) return 0;
  for (const size_t step : {input.size() + 1, size_t{1} + data[0] % 32}) {
    std::string heard_now;
    VARVE_CHECK(InPieces(input, step, &heard_now) == replies);
    VARVE_CHECK(heard_now == heard);
  }
  return 0;
}
