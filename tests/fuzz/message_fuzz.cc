// Messages between nodes from any bytes: what decodes has one spelling, and the states in it are whole or refused.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <variant>

#include "cluster/key_state.h"
#include "cluster/message_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve::cluster;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const varve::Result<Message> message = DecodeMessage(bytes);
  if (!message.ok()) return 0;
  if (EncodeMessage(*message) != bytes) std::abort();
  if (const auto* merge = std::get_if<MergeRequest>(&message->body)) {
    const varve::Result<KeyState> state = KeyState::Decode(merge->state);
    if (state.ok() && state->Encode() != merge->state) std::abort();
  }
  return 0;
}
