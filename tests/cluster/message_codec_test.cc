#include "cluster/message_codec.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <variant>

#include "base/random.h"
#include "cluster/hash_tree.h"

namespace varve::cluster {
namespace message_codec_test {

// VARVE_TEST_SEED, or 1.
uint64_t Seed() {
  const char* text = std::getenv("VARVE_TEST_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

std::string Bytes(Random* random) {
  std::string bytes(random->Uniform(random->OneIn(8) ? 300 : 9), '\0');
  for (char& c : bytes) c = static_cast<char>(random->Next());
  return bytes;
}
uint64_t Number(Random* random) { return random->Next() >> random->Uniform(64); }
Dot ADot(Random* random) { return {ActorId{static_cast<uint32_t>(1 + random->Uniform(5))}, 1 + Number(random) / 2}; }
VersionVector Vector(Random* random) {
  VersionVector vector;
  for (uint64_t i = random->Uniform(4); i > 0; --i) {
    const Dot dot = ADot(random);
    vector.Raise(dot.actor, dot.counter);
  }
  return vector;
}
SeenContext Seen(Random* random) {
  SeenContext seen;
  seen.context.Merge(Vector(random));
  for (uint64_t i = random->Uniform(4); i > 0; --i) seen.context.Add(ADot(random));
  seen.stamp = Number(random) / 2;
  return seen;
}
ReplyCode Code(Random* random) { return static_cast<ReplyCode>(random->Uniform(10)); }

Message::Body Body(size_t kind, Random* random) {
  switch (kind) {
    case 0: return UpdateRequest{Bytes(random), random->OneIn(2), Bytes(random), Seen(random)};
    case 1: return UpdateReply{Code(random), ADot(random), Number(random), Bytes(random)};
    case 2: return MergeRequest{Bytes(random), Bytes(random), random->OneIn(2)};
    case 3: return MergeReply{Code(random), Bytes(random)};
    case 4: return ReadRequest{Bytes(random)};
    case 5: return ReadReply{Code(random), Bytes(random)};
    case 6: return HintRequest{NodeId{Number(random)}, Bytes(random), Bytes(random)};
    case 7: return HintReply{Code(random), NodeId{Number(random)}};
    case 8: return TreeRequest{random->OneIn(2) ? HashTree::kRoot : static_cast<uint32_t>(random->Uniform(64))};
    case 9: {
      TreeReply reply{Code(random), {}};
      for (uint64_t i = random->Uniform(65); i > 0; --i) reply.hashes.push_back(random->Next());
      return reply;
    }
    case 10: {
      KeysRequest request;
      for (uint32_t leaf = 0; leaf < HashTree::kLeaves; leaf += 1 + static_cast<uint32_t>(random->Uniform(900))) {
        request.leaves.push_back(leaf);
      }
      request.after = Bytes(random);
      return request;
    }
    case 11: {
      KeysReply reply{Code(random), {}, random->OneIn(2)};
      for (uint64_t i = random->Uniform(5); i > 0; --i) reply.items.push_back({Bytes(random), random->Next()});
      return reply;
    }
    case 12: return ProgressRequest{};
    case 13:
      return ProgressReply{.code = Code(random),
                           .is_replica = random->OneIn(2),
                           .durable_epoch = Epoch{Number(random)},
                           .last = ADot(random),
                           .floor = Vector(random),
                           .merged = {NodeId{Number(random)}, NodeId{3}},
                           .hints = Number(random)};
    case 14: return FloorRequest{Vector(random)};
    case 15: return TopologyRequest{Epoch{Number(random)}};
    default: return TopologyReply{Bytes(random)};
  }
}

Message Any(size_t kind, Random* random) {
  return {.partition = PartitionId{static_cast<uint16_t>(random->Next())},
          .epoch = Epoch{Number(random)},
          .request = Number(random),
          .body = Body(kind, random)};
}

class MessageCodecTest : public ::testing::TestWithParam<size_t> {};

// The bytes are canonical, so that they stand for the message.
TEST_P(MessageCodecTest, ComesBackAsItWas) {
  Random random(Seed());
  for (int i = 0; i < 300; ++i) {
    const Message message = Any(GetParam(), &random);
    const std::string bytes = EncodeMessage(message);
    const Result<Message> decoded = DecodeMessage(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
    EXPECT_EQ(decoded->body.index(), GetParam());
    EXPECT_EQ(decoded->partition, message.partition);
    EXPECT_EQ(decoded->epoch, message.epoch);
    EXPECT_EQ(decoded->request, message.request);
    EXPECT_EQ(EncodeMessage(*decoded), bytes);
  }
}

TEST_P(MessageCodecTest, EveryCutIsRefusedAndNothingMayFollow) {
  Random random(Seed());
  for (int i = 0; i < 20; ++i) {
    const std::string bytes = EncodeMessage(Any(GetParam(), &random));
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(DecodeMessage(std::string_view(bytes).substr(0, size)).ok()) << size;
    }
    EXPECT_FALSE(DecodeMessage(bytes + '\0').ok());
    EXPECT_FALSE(DecodeMessage(bytes + bytes).ok());
  }
}

// What is not refused is a message, of one spelling.
TEST_P(MessageCodecTest, EveryFlippedByteIsRefusedOrAnotherMessage) {
  Random random(Seed());
  for (int i = 0; i < 10; ++i) {
    std::string bytes = EncodeMessage(Any(GetParam(), &random));
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (const uint8_t flip : {0x01, 0x40, 0x80, 0xff}) {
        bytes[at] = static_cast<char>(static_cast<uint8_t>(bytes[at]) ^ flip);
        const Result<Message> decoded = DecodeMessage(bytes);
        if (decoded.ok()) {
          EXPECT_EQ(EncodeMessage(*decoded), bytes);
        }
        bytes[at] = static_cast<char>(static_cast<uint8_t>(bytes[at]) ^ flip);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllKinds, MessageCodecTest,
                         ::testing::Range(size_t{0}, std::variant_size_v<Message::Body>));

TEST(MessageBytesTest, OtherVersionsAndKindsAreRefused) {
  Random random(1);
  std::string bytes = EncodeMessage(Any(4, &random));
  bytes[0] = 2;
  EXPECT_EQ(DecodeMessage(bytes).status().code(), StatusCode::kNotSupported);
  bytes[0] = 1;
  bytes[1] = static_cast<char>(std::variant_size_v<Message::Body>);
  EXPECT_EQ(DecodeMessage(bytes).status().code(), StatusCode::kCorruption);
}

// A few bytes that promise much.
TEST(MessageBytesTest, ClaimsAllocateNothing) {
  const std::string huge("\xff\xff\xff\xff\xff\xff\xff\x7f", 8);
  for (const char kind : {0, 2, 9, 10, 11, 16}) {
    std::string bytes{1, kind, 0, 0, 0};
    if (kind == 9 || kind == 11) bytes.push_back(0);
    EXPECT_EQ(DecodeMessage(bytes + huge).status().code(), StatusCode::kCorruption);
  }
}

TEST(MessageBytesTest, AnyBytes) {
  Random random(Seed());
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = Bytes(&random);
    if (bytes.size() > 2) {
      bytes[0] = 1;
      bytes[1] = static_cast<char>(random.Uniform(std::variant_size_v<Message::Body> + 1));
    }
    const Result<Message> decoded = DecodeMessage(bytes);
    if (decoded.ok()) {
      EXPECT_EQ(EncodeMessage(*decoded), bytes);
    }
  }
}

}  // namespace message_codec_test
}  // namespace varve::cluster
