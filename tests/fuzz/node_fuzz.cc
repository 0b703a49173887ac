// What a node accepts from others, over any bytes: frames, hellos, messages and their pieces; the same however the bytes are
// split.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "node/channel.h"

namespace {

using varve::node::Channel;

class Listener : public Channel::Owner {
 public:
  varve::Status Approve(const varve::node::Hello&, const varve::tls::Session*) override { return varve::Status::Ok(); }
  void OnOpen() override { seen += "open "; }
  void OnMessage(const varve::node::Delivery& delivery) override {
    seen += std::to_string(delivery.bytes.size()) + ":" + std::string(delivery.bytes) + " ";
  }
  void OnPong(uint64_t number) override { seen += "pong" + std::to_string(number) + " "; }
  std::string seen;
};

// Frames whose checksums are right, from a script: a byte that says the type and a byte of size for each; the rest of the
// input is what they hold. So the fuzzer gets behind the checksum.
std::string Dress(std::string_view script) {
  using namespace varve::node;
  std::string bytes;
  Hello hello{.nonce = 5};
  hello.identity = {.cluster = "f", .node = varve::cluster::NodeId{1}};
  AppendFrame(FrameType::kHello, "", EncodeHello(hello), kHelloSeed, 0, &bytes);
  const uint64_t seed = FrameSeed(5, 6, true);
  for (uint64_t number = 0; script.size() >= 2; ++number) {
    const FrameType type = static_cast<FrameType>(1 + static_cast<uint8_t>(script[0]) % 8);
    const size_t size = std::min<size_t>(static_cast<uint8_t>(script[1]), script.size() - 2);
    AppendFrame(type, "", script.substr(2, size), seed, number, &bytes);
    script.remove_prefix(2 + size);
  }
  return bytes;
}

std::string Run(Channel::Side side, std::string_view input, size_t step) {
  Listener listener;
  varve::node::AssemblyBudget budget{.limit = 4096};
  varve::node::Hello hello{.nonce = 6};
  hello.identity = {.cluster = "f", .node = varve::cluster::NodeId{2}};
  {
    Channel channel(side, hello, nullptr, {.max_message_bytes = 1 << 20, .max_answer_bytes = 1 << 30}, &listener, &budget);
    if (side == Channel::Side::kDials) channel.Begin();
    for (size_t at = 0; at < input.size(); at += step) {
      const varve::Status status = channel.Receive(input.substr(at, step), 1);
      if (status.ok()) continue;
      listener.seen += status.ToString();
      break;
    }
    listener.seen += channel.output();
  }
  if (budget.used != 0) std::abort();
  return listener.seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string dressed = (data[0] & 1) != 0 ? Dress(input) : std::string(input);
  const Channel::Side side = (data[0] & 2) != 0 ? Channel::Side::kDials : Channel::Side::kAccepts;
  const std::string whole = Run(side, dressed, dressed.size() + 1);
  for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, size_t{1} + data[0]}) {
    if (Run(side, dressed, step) != whole) std::abort();
  }
  return 0;
}
