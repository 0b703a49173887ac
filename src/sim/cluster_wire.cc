#include "sim/cluster_wire.h"

#include <utility>

#include "base/check.h"
#include "base/coding.h"

namespace varve::sim {
namespace {

uint64_t Number(std::string_view* input) {
  uint64_t number = 0;
  VARVE_CHECK(ConsumeVarint(input, &number));
  return number;
}

std::string Bytes(std::string_view* input) {
  std::string_view bytes;
  VARVE_CHECK(ConsumeLengthPrefixed(input, &bytes));
  return std::string(bytes);
}

void AppendSeen(std::string* to, const cluster::SeenContext& seen) {
  AppendVarint(to, seen.stamp);
  seen.context.AppendTo(to);
}

cluster::SeenContext Seen(std::string_view* input) {
  cluster::SeenContext seen;
  seen.stamp = Number(input);
  VARVE_CHECK(cluster::CausalContext::Consume(input, &seen.context));
  return seen;
}

void AppendBody(std::string* to, const ClientCall& call) {
  AppendVarint(to, call.number);
  AppendVarint(to, static_cast<uint64_t>(call.kind));
  AppendVarint(to, static_cast<uint64_t>(call.level));
  AppendVarint(to, call.sloppy ? 1 : 0);
  AppendVarint(to, call.patience);
  AppendLengthPrefixed(to, call.key);
  AppendLengthPrefixed(to, call.value);
  AppendSeen(to, call.brought);
}

void AppendBody(std::string* to, const ClientAnswer& answer) {
  AppendVarint(to, answer.number);
  AppendVarint(to, static_cast<uint64_t>(answer.outcome));
  AppendSeen(to, answer.seen);
  AppendVarint(to, answer.values.size());
  for (const std::string& value : answer.values) AppendLengthPrefixed(to, value);
}

void AppendBody(std::string* to, const NodeFrame& frame) {
  AppendVarint(to, Value(frame.from));
  AppendVarint(to, Value(frame.to));
  *to += frame.bytes;
}

ClientCall Call(std::string_view input) {
  ClientCall call;
  call.number = Number(&input);
  call.kind = static_cast<ClientOperation::Kind>(Number(&input));
  call.level = static_cast<cluster::Level>(Number(&input));
  call.sloppy = Number(&input) != 0;
  call.patience = Number(&input);
  call.key = Bytes(&input);
  call.value = Bytes(&input);
  call.brought = Seen(&input);
  return call;
}

ClientAnswer Answer(std::string_view input) {
  ClientAnswer answer;
  answer.number = Number(&input);
  answer.outcome = static_cast<cluster::Outcome>(Number(&input));
  answer.seen = Seen(&input);
  for (uint64_t left = Number(&input); left > 0; --left) answer.values.push_back(Bytes(&input));
  return answer;
}

}  // namespace

std::string Encode(const ClusterMessage& message) {
  std::string bytes(1, static_cast<char>(message.index()));
  std::visit([&bytes](const auto& body) { AppendBody(&bytes, body); }, message);
  return bytes;
}

ClusterMessage DecodeClusterMessage(std::string_view bytes) {
  const size_t index = static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  if (index == 0) return Call(bytes);
  if (index == 1) return Answer(bytes);
  NodeFrame frame;
  frame.from = cluster::NodeId{Number(&bytes)};
  frame.to = cluster::NodeId{Number(&bytes)};
  frame.bytes = bytes;
  return frame;
}

}  // namespace varve::sim
