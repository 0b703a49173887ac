#include "format/wal.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/coding.h"
#include "tests/format/test_bytes.h"
#include "tests/support/status_matchers.h"
#include "varve/version.h"

namespace varve {
namespace wal_test {

using test::Hex;
using test::Unhex;

constexpr uint8_t kPut = static_cast<uint8_t>(EntryKind::kValue);
constexpr uint8_t kDel = static_cast<uint8_t>(EntryKind::kDelete);

const WalFileHeader kHeader = {.format_version = kFormatVersion,
                               .log_number = 5,
                               .salt = 0x1122334455667788,
                               .previous_log_number = 4,
                               .previous_end_offset = 4096,
                               .previous_is_synced = true};

std::string HeaderBytes(const WalFileHeader& header) {
  std::string bytes(kWalFileHeaderBytes, '\0');
  EncodeWalFileHeader(header, bytes.data());
  return bytes;
}

TEST(WalFileHeaderTest, ComesBack) {
  Result<WalFileHeader> decoded = DecodeWalFileHeader(HeaderBytes(kHeader), 5);
  ASSERT_OK(decoded);
  EXPECT_TRUE(*decoded == kHeader);
}

TEST(WalFileHeaderTest, BytesAreThoseOfTheFormat) {
  EXPECT_EQ(Hex(HeaderBytes(kHeader)),
            "564152564557414c"
            "01000000"
            "01000000"  // magic, version, flags
            "0500000000000000"
            "8877665544332211"  // number, salt
            "0400000000000000"
            "0010000000000000"  // the log before, its end
            "0000000000000000"
            "03f807479d7d9032");
}

TEST(WalFileHeaderTest, AnyFlippedByteIsAnError) {
  const std::string good = HeaderBytes(kHeader);
  for (size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      EXPECT_STATUS(kCorruption, DecodeWalFileHeader(bad, 5));
    }
  }
}

TEST(WalFileHeaderTest, FileWhoseUseNeverBeganIsNotFound) {
  EXPECT_STATUS(kNotFound, DecodeWalFileHeader(std::string(4096, '\0'), 5));
  EXPECT_STATUS(kNotFound, DecodeWalFileHeader("", 5));
  EXPECT_STATUS(kNotFound, DecodeWalFileHeader(HeaderBytes(kHeader), 6));
}

TEST(WalFileHeaderTest, CutOffHeaderIsCorruption) {
  EXPECT_STATUS(kCorruption, DecodeWalFileHeader(HeaderBytes(kHeader).substr(0, 63), 5));
}

TEST(WalFileHeaderTest, NewerVersionIsNotSupported) {
  std::string bytes = HeaderBytes(kHeader);
  StoreFixed(bytes.data() + 8, kFormatVersion + 1);
  StoreFixed(bytes.data() + 56, Hash64({bytes.data(), 56}, PlaceSeed(5, 0)));
  EXPECT_STATUS(kNotSupported, DecodeWalFileHeader(bytes, 5));
}

TEST(WalRecordTest, BytesAreThoseOfTheFormat) {
  std::string payload;
  AppendWalOp({kPut, "key", "value"}, &payload);
  AppendWalOp({kDel, "gone", ""}, &payload);
  AppendWalOp({kDeleteRangeOp, "a", "b"}, &payload);
  EXPECT_EQ(Hex(payload),
            "01"
            "036b6579"
            "0576616c7565"
            "00"
            "04676f6e65"
            "03"
            "0161"
            "0162");
  std::string log = HeaderBytes(kHeader);
  AppendWalRecord({.type = WalRecordType::kBatch,
                   .payload_bytes = static_cast<uint32_t>(payload.size()),
                   .first_sequence = 0x0102,
                   .synced_offset = 64,
                   .count = 3},
                  payload, kHeader.seed(), &log);
  EXPECT_EQ(Hex(log.substr(64)),
            "2f730718"
            "16000000"
            "0201000000000000"
            "40000000"
            "03000010" +
                Hex(payload) + "0000");
}

TEST(WalRecordTest, OneRecordChecksumDependsOnEveryFieldAndThePlace) {
  const WalHeaderFields fields = {
      .payload_bytes = 10, .first_sequence = 7, .synced_offset = 64, .count = 2};
  const auto checksum = [](const WalHeaderFields& f, uint64_t hash, uint64_t seed,
                           uint64_t offset) {
    char header[kWalRecordHeaderBytes];
    EncodeWalRecordHeader(f, hash, seed, offset, header);
    return LoadFixed<uint32_t>(header);
  };
  const uint32_t reference = checksum(fields, 99, 1, 64);
  const auto with = [&](const auto& change) {
    WalHeaderFields changed = fields;
    change(changed);
    return checksum(changed, 99, 1, 64);
  };
  EXPECT_NE(reference, with([](WalHeaderFields& f) { f.payload_bytes = 11; }));
  EXPECT_NE(reference, with([](WalHeaderFields& f) { f.first_sequence = 8; }));
  EXPECT_NE(reference, with([](WalHeaderFields& f) { f.synced_offset = 72; }));
  EXPECT_NE(reference, with([](WalHeaderFields& f) { f.count = 3; }));
  EXPECT_NE(reference, with([](WalHeaderFields& f) { f.type = WalRecordType::kMark; }));
  EXPECT_NE(reference, checksum(fields, 98, 1, 64));
  EXPECT_NE(reference, checksum(fields, 99, 2, 64));
  EXPECT_NE(reference, checksum(fields, 99, 1, 72));
}

std::vector<WalOp> Ops(std::string_view payload, uint32_t count, bool* ok) {
  std::vector<WalOp> ops;
  WalOpReader reader(payload, count);
  for (WalOp op; reader.Next(&op);) ops.push_back(op);
  *ok = reader.ok();
  return ops;
}

TEST(WalOpTest, ChangesComeBackInOrder) {
  const std::string large(70000, 'x');
  std::string payload;
  AppendWalOp({kPut, "", ""}, &payload);
  AppendWalOp({kPut, "k", large}, &payload);
  AppendWalOp({kDel, std::string(300, 'd'), ""}, &payload);
  AppendWalOp({kDeleteRangeOp, "a", "b"}, &payload);
  AppendWalOp({static_cast<uint8_t>(EntryKind::kValuePointer), "p", std::string(24, 'q')},
              &payload);
  bool ok;
  const std::vector<WalOp> ops = Ops(payload, 5, &ok);
  ASSERT_TRUE(ok);
  ASSERT_EQ(ops.size(), 5u);
  EXPECT_EQ(ops[0].kind, kPut);
  EXPECT_EQ(ops[0].key, "");
  EXPECT_EQ(ops[1].value, large);
  EXPECT_EQ(ops[2].kind, kDel);
  EXPECT_EQ(ops[2].key.size(), 300u);
  EXPECT_EQ(ops[3].value, "b");
  EXPECT_EQ(ops[4].value, std::string(24, 'q'));
}

TEST(WalOpTest, AChangeThatExpiresHasItsDeadlineBeforeItsValue) {
  WalOp op{static_cast<uint8_t>(EntryKind::kExpiringValue), "key", "value"};
  std::string payload(WalOpBytes(op.kind, 3, 5 + kDeadlineBytes), '\0');
  const char* end =
      StoreExpiringWalOp(EncodeDeadline(0x010203040506, EntryKind::kExpiringValue), &op, payload.data());
  EXPECT_EQ(end, payload.data() + payload.size());
  EXPECT_EQ(Hex(payload), "04036b65790d060504030201000076616c7565");
  EXPECT_EQ(op.value.data() + op.value.size(), end);
  bool ok;
  const std::vector<WalOp> ops = Ops(payload, 1, &ok);
  ASSERT_TRUE(ok && ops.size() == 1);
  EXPECT_EQ(ops[0].value, op.value);
  EXPECT_EQ(DeadlineOf(ops[0].value), 0x010203040506u);
  EXPECT_EQ(PlainValueOf(EntryKind::kExpiringValue, ops[0].value), "value");
}

TEST(WalOpTest, MalformedPayloadsAreNoticed) {
  const auto is_ok = [](std::string_view bytes, uint32_t count) {
    bool ok;
    const std::vector<char> copy(bytes.begin(), bytes.end());
    Ops({copy.data(), copy.size()}, count, &ok);
    return ok;
  };
  EXPECT_TRUE(is_ok("", 0));
  EXPECT_TRUE(is_ok(Unhex("00 0161"), 1));
  EXPECT_TRUE(is_ok(Unhex("01 0161 0162"), 1));
  EXPECT_FALSE(is_ok(Unhex("01 0161 0162"), 2));  // fewer changes than told
  EXPECT_FALSE(is_ok(Unhex("01 0161 0162"), 0));  // more
  EXPECT_FALSE(is_ok(Unhex("06 0161 0162"), 1));  // unknown kind
  EXPECT_FALSE(is_ok(Unhex("04 0161 0162"), 1));  // no room for a deadline
  EXPECT_FALSE(is_ok(Unhex("04 0161 0701020304050607"), 1));
  EXPECT_TRUE(is_ok(Unhex("04 0161 080102030405060000"), 1));
  EXPECT_FALSE(is_ok(Unhex("01 0161"), 1));
  EXPECT_FALSE(is_ok(Unhex("01 0261"), 1));
  EXPECT_FALSE(is_ok(Unhex("01 0161 0262"), 1));
  EXPECT_FALSE(is_ok(Unhex("01"), 1));
  EXPECT_FALSE(is_ok(Unhex("01 ffffffffffffffffff01"), 1));
}

}  // namespace wal_test
}  // namespace varve
