#include "cluster/message_codec.h"

#include <cstddef>
#include <limits>
#include <utility>
#include <variant>

#include "base/coding.h"
#include "base/planted_bug.h"
#include "cluster/hash_tree.h"
#include "cluster/wire.h"

namespace varve::cluster {
namespace {

constexpr char kMessageVersion = 1;
// So many bytes most messages have besides their texts.
constexpr size_t kRoomForNumbers = 64;

// Appends.
class Writer {
 public:
  explicit Writer(std::string* to) : to_(to) {}

  bool Number(const uint64_t& value) {
    AppendVarint(to_, value);
    return true;
  }
  bool Text(const std::string& text) {
    AppendLengthPrefixed(to_, text);
    return true;
  }
  bool Flag(const bool& flag) {
    to_->push_back(flag ? 1 : 0);
    return true;
  }
  bool Code(const ReplyCode& code) {
    to_->push_back(static_cast<char>(code));
    return true;
  }
  bool Id(const NodeId& id) { return Number(Value(id)); }
  bool At(const Epoch& epoch) { return Number(Value(epoch)); }
  bool Of(const Dot& dot) { return Number(Value(dot.actor)) && Number(dot.counter); }
  bool Vector(const VersionVector& vector) {
    vector.AppendTo(to_);
    return true;
  }
  bool Seen(const SeenContext& seen) {
    seen.context.AppendTo(to_);
    return Number(seen.stamp);
  }
  bool Hash(const uint64_t& hash) {
    AppendFixed(to_, hash);
    return true;
  }
  bool Leaf(const uint32_t& leaf) { return Number(leaf); }
  bool Leaves(const std::vector<uint32_t>& leaves) {
    return List(leaves, 1, [this](const uint32_t& leaf) { return Leaf(leaf); });
  }
  template <typename T, typename Each>
  bool List(const std::vector<T>& list, size_t /*least_bytes*/, Each each) {
    AppendVarint(to_, list.size());
    for (const T& item : list) each(item);
    return true;
  }

 private:
  std::string* const to_;
};

// Consumes; false when it is anything that Writer does not write.
class Reader {
 public:
  explicit Reader(std::string_view input) : input_(input) {}
  bool is_at_end() const { return input_.empty(); }

  bool Number(uint64_t& value) { return ConsumeCanonicalVarint(&input_, &value); }
  bool Text(std::string& text) {
    std::string_view bytes;
    if (!ConsumeCanonicalBytes(&input_, &bytes)) return false;
    text = bytes;
    return true;
  }
  bool Byte(uint64_t most, uint8_t* value) {
    if (input_.empty() || static_cast<uint8_t>(input_[0]) > most) return false;
    *value = static_cast<uint8_t>(input_[0]);
    input_.remove_prefix(1);
    return true;
  }
  bool Flag(bool& flag) {
    uint8_t value = 0;
    if (!Byte(1, &value)) return false;
    flag = value != 0;
    return true;
  }
  bool Code(ReplyCode& code) {
    uint8_t value = 0;
    if (!Byte(static_cast<uint64_t>(ReplyCode::kStorageFailed), &value)) return false;
    code = static_cast<ReplyCode>(value);
    return true;
  }
  bool Id(NodeId& id) {
    uint64_t value = 0;
    if (!Number(value)) return false;
    id = NodeId{value};
    return true;
  }
  bool At(Epoch& epoch) {
    uint64_t value = 0;
    if (!Number(value)) return false;
    epoch = Epoch{value};
    return true;
  }
  bool Of(Dot& dot) {
    uint64_t actor = 0;
    if (!Number(actor) || actor > std::numeric_limits<uint32_t>::max()) return false;
    dot.actor = ActorId{static_cast<uint32_t>(actor)};
    return Number(dot.counter);
  }
  bool Vector(VersionVector& vector) { return VersionVector::Consume(&input_, &vector); }
  bool Seen(SeenContext& seen) {
    return CausalContext::Consume(&input_, &seen.context) && Number(seen.stamp) && seen.stamp <= kMaxStamp;
  }
  bool Hash(uint64_t& hash) { return ConsumeFixed(&input_, &hash); }
  bool Leaf(uint32_t& leaf) {
    uint64_t value = 0;
    if (!Number(value) || value > std::numeric_limits<uint32_t>::max()) return false;
    leaf = static_cast<uint32_t>(value);
    return true;
  }
  // Ascending leaves of the hash tree.
  bool Leaves(std::vector<uint32_t>& leaves) {
    uint64_t next = 0;
    return List(leaves, 1, [this, &next](uint32_t& leaf) {
      if (!Leaf(leaf) || leaf < next || leaf >= HashTree::kLeaves) return false;
      next = uint64_t{leaf} + 1;
      return true;
    });
  }
  // An item takes at least so many bytes: no list is longer than what there is.
  template <typename T, typename Each>
  bool List(std::vector<T>& list, size_t least_bytes, Each each) {
    uint64_t count = 0;
    if (!Number(count) || count > input_.size() / least_bytes) return false;
    list.resize(count);
    for (T& item : list) {
      if (!each(item)) return false;
    }
    return true;
  }

 private:
  std::string_view input_;
};

// One description of the fields for both directions. T is the body, const for a Writer.
template <typename Coder, typename T>
bool Fields(Coder& coder, T& body) {
  using Body = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Body, UpdateRequest>) {
    return coder.Text(body.key) && coder.Flag(body.is_delete) && coder.Text(body.value) && coder.Seen(body.seen);
  } else if constexpr (std::is_same_v<Body, UpdateReply>) {
    return coder.Code(body.code) && coder.Of(body.dot) && coder.Number(body.stamp) && coder.Text(body.state);
  } else if constexpr (std::is_same_v<Body, MergeRequest>) {
    return coder.Text(body.key) && coder.Text(body.state) && coder.Flag(body.wants_state);
  } else if constexpr (std::is_same_v<Body, MergeReply> || std::is_same_v<Body, ReadReply>) {
    return coder.Code(body.code) && coder.Text(body.state);
  } else if constexpr (std::is_same_v<Body, ReadRequest>) {
    return coder.Text(body.key);
  } else if constexpr (std::is_same_v<Body, HintRequest>) {
    return coder.Id(body.owner) && coder.Text(body.key) && coder.Text(body.state);
  } else if constexpr (std::is_same_v<Body, HintReply>) {
    return coder.Code(body.code) && coder.Id(body.owner);
  } else if constexpr (std::is_same_v<Body, TreeRequest>) {
    return coder.Leaf(body.branch);
  } else if constexpr (std::is_same_v<Body, KeysRequest>) {
    return coder.Leaves(body.leaves) && coder.Text(body.after);
  } else if constexpr (std::is_same_v<Body, TreeReply>) {
    return coder.Code(body.code) &&
           coder.List(body.hashes, sizeof(uint64_t), [&coder](auto& hash) { return coder.Hash(hash); });
  } else if constexpr (std::is_same_v<Body, KeysReply>) {
    return coder.Code(body.code) && coder.List(body.items, 1 + sizeof(uint64_t), [&coder](auto& item) {
      return coder.Text(item.key) && coder.Hash(item.hash);
    }) && coder.Flag(body.is_end);
  } else if constexpr (std::is_same_v<Body, ProgressReply>) {
    return coder.Code(body.code) && coder.Flag(body.is_replica) && coder.At(body.durable_epoch) &&
           coder.Of(body.last) && coder.Vector(body.floor) &&
           coder.List(body.merged, 1, [&coder](auto& node) { return coder.Id(node); }) &&
           coder.Number(body.hints);
  } else if constexpr (std::is_same_v<Body, FloorRequest>) {
    return coder.Vector(body.floor);
  } else if constexpr (std::is_same_v<Body, TopologyRequest>) {
    return coder.At(body.known);
  } else if constexpr (std::is_same_v<Body, TopologyReply>) {
    return coder.Text(body.topology);
  } else {
    static_assert(std::is_same_v<Body, ProgressRequest>);
    return true;
  }
}

// The bytes of a body's texts, which are most of it.
template <typename Body>
size_t SizeOfTexts(const Body& body) {
  size_t size = 0;
  if constexpr (requires { body.key; }) size += body.key.size();
  if constexpr (requires { body.value; }) size += body.value.size();
  if constexpr (requires { body.state; }) size += body.state.size();
  return size;
}

template <size_t kKind = 0>
bool ReadBody(size_t kind, Reader* reader, Message::Body* body) {
  if constexpr (kKind == std::variant_size_v<Message::Body>) {
    return false;
  } else {
    if (kind != kKind) return ReadBody<kKind + 1>(kind, reader, body);
    return Fields(*reader, body->emplace<kKind>());
  }
}

}  // namespace

std::string EncodeMessage(const Message& message) {
  std::string bytes;
  bytes.reserve(kRoomForNumbers + std::visit([](const auto& body) { return SizeOfTexts(body); }, message.body));
  bytes.push_back(kMessageVersion);
  bytes.push_back(static_cast<char>(message.body.index()));
  Writer writer(&bytes);
  writer.Number(Value(message.partition));
  writer.Number(Value(message.epoch));
  writer.Number(message.request);
  std::visit([&writer](const auto& body) { Fields(writer, body); }, message.body);
  return bytes;
}

Result<Message> DecodeMessage(std::string_view bytes) {
  if (bytes.size() < 2) return Status::Corruption("message: cut off");
  if (bytes[0] != kMessageVersion) {
    return Status::NotSupported("message: of version " + std::to_string(static_cast<uint8_t>(bytes[0])));
  }
  const size_t kind = static_cast<uint8_t>(bytes[1]);
  Reader reader(bytes.substr(2));
  Message message;
  uint64_t partition = 0;
  if (!reader.Number(partition) || partition > std::numeric_limits<uint16_t>::max() ||
      !reader.At(message.epoch) || !reader.Number(message.request) ||
      !ReadBody(kind, &reader, &message.body)) {
    return Status::Corruption("message: malformed");
  }
  if (!reader.is_at_end() && !VARVE_PLANTED_BUG("message.trailing_bytes_accepted")) {
    return Status::Corruption("message: bytes behind its end");
  }
  message.partition = PartitionId{static_cast<uint16_t>(partition)};
  return message;
}

}  // namespace varve::cluster
