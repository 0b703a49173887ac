// The device under a CrashEnv: its space, and what tests plant on it directly.
#include <string>

#include "tests/env/crash_fixture.h"

namespace varve::test {
namespace crash_device_test {

using ::testing::HasSubstr;

class CrashDeviceTest : public CrashEnvTest {};

// --- Space.

TEST_F(CrashDeviceTest, AFullDeviceRefusesAndRecovers) {
  auto file = Open("a");
  env_.SetFreeSpace(10'000);  // two blocks
  EXPECT_EQ(*env_.FreeSpace("/db"), 10'000u);
  ASSERT_OK(file->Write(0, std::string(8'192, 'x')));
  ASSERT_OK(file->Write(0, std::string(8'192, 'y')));  // overwriting needs nothing
  const Status status = file->Write(8'192, "z");
  EXPECT_STATUS(kIoError, status);
  EXPECT_THAT(status.ToString(), HasSubstr("no space"));
  EXPECT_EQ(Content("a").size(), 8'192u);
  env_.SetFreeSpace(4'096);
  EXPECT_OK(file->Write(8'192, "z"));
}

TEST_F(CrashDeviceTest, AWriteThatDoesNotFitStoresItsFront) {
  auto file = Open("a");
  env_.SetFreeSpace(4'096);
  EXPECT_STATUS(kIoError, file->Write(100, std::string(9'000, 'x')));
  EXPECT_EQ(Content("a"), std::string(100, '\0') + std::string(3'996, 'x'));
}

TEST_F(CrashDeviceTest, AllocatedAndPopulatedBlocksAreReserved) {
  auto file = Open("a");
  env_.SetFreeSpace(4 * 4'096);
  ASSERT_OK(file->Allocate(0, 2 * 4'096));
  auto mapped = Map("log", 1 << 20);
  ASSERT_OK(mapped->Populate(0, 2 * 4'096));
  EXPECT_EQ(*env_.FreeSpace("/db"), 0u);
  ASSERT_OK(file->Write(0, std::string(2 * 4'096, 'x')));
  ASSERT_OK(mapped->Populate(0, 2 * 4'096));
  EXPECT_STATUS(kIoError, mapped->Populate(2 * 4'096, 1));
  EXPECT_STATUS(kIoError, file->Allocate(0, 3 * 4'096));
}

TEST_F(CrashDeviceTest, SpaceReturnsWithTheLastNameAndHandle) {
  auto file = Open("a");
  env_.SetFreeSpace(4 * 4'096);
  ASSERT_OK(file->Write(0, std::string(3 * 4'096, 'x')));
  ASSERT_OK(env_.LinkFile(Path("a"), Path("b")));
  ASSERT_OK(file->Truncate(4'097));
  EXPECT_EQ(*env_.FreeSpace("/db"), 2u * 4'096);
  ASSERT_OK(env_.RemoveFile(Path("a")));
  ASSERT_OK(env_.RemoveFile(Path("b")));
  EXPECT_EQ(*env_.FreeSpace("/db"), 2u * 4'096);
  ASSERT_OK(file->Close());
  EXPECT_EQ(*env_.FreeSpace("/db"), 4u * 4'096);
}

TEST_F(CrashDeviceTest, ACloneHasTheSameLimitAndCountsItsOwnFiles) {
  PutDurably("a", std::string(4'096, 'x'));
  env_.SetFreeSpace(3 * 4'096);
  auto file = Open("b");
  ASSERT_OK(file->Write(0, std::string(4'096, 'x')));
  EXPECT_EQ(*env_.CloneAfterProcessCrash()->FreeSpace("/"), 2u * 4'096);
  EXPECT_EQ(*env_.CloneAfterPowerCut(kLose)->FreeSpace("/"), 3u * 4'096);
  EXPECT_EQ(*env_.CloneAfterPowerCut(kKeep)->FreeSpace("/"), 2u * 4'096);
}

TEST_F(CrashDeviceTest, WithoutAllocationMappingIsNotSupported) {
  env_.SetAllocationSupported(false);
  EXPECT_STATUS(kNotSupported, env_.OpenMapped(Path("log"), 4'096));
  EXPECT_FALSE(env_.FileExists(Path("log")));
  EXPECT_STATUS(kNotSupported, Open("a")->Allocate(0, 1));
  EXPECT_STATUS(kNotSupported, env_.CloneAfterProcessCrash()->OpenMapped(Path("log"), 4'096));
}

// --- Direct access.

TEST_F(CrashDeviceTest, PlantedContentIsDurable) {
  ASSERT_OK(env_.CreateDir("/new"));
  ASSERT_OK(env_.WriteFileForTest("/new/a", "hello"));
  ASSERT_OK(env_.WriteFileForTest("/new/a", 5, " world"));
  EXPECT_EQ(*env_.CloneAfterPowerCut(kLose)->ReadFileForTest("/new/a"), "hello world");
  ASSERT_OK(env_.WriteFileForTest("/new/a", "x"));
  EXPECT_EQ(*env_.CloneAfterPowerCut(kLose)->ReadFileForTest("/new/a"), "x");
  EXPECT_STATUS(kNotFound, env_.WriteFileForTest("/nowhere/a", "x"));
}

TEST_F(CrashDeviceTest, CorruptionHitsEveryState) {
  PutDurably("a", "abc");
  auto file = Open("a");
  ASSERT_OK(file->Write(0, "xyz12"));
  ASSERT_OK(env_.CorruptByte(Path("a"), 1, 0x01));
  ASSERT_OK(env_.CorruptByte(Path("a"), 4, 0x80));
  EXPECT_EQ(Content("a"), "xxz1\xB2");
  EXPECT_EQ(ContentAfter(kLose, "a"), "acc");
  EXPECT_STATUS(kInvalidArgument, env_.CorruptByte(Path("a"), 5, 1));
}

TEST_F(CrashDeviceTest, CorruptionShowsInAMapping) {
  PutDurably("log", std::string(4'096, 'a'));
  auto file = Map("log", 1 << 20);
  ASSERT_OK(file->Populate(0, 4'096));
  file->data()[0] = 'b';
  ASSERT_OK(env_.CorruptByte(Path("log"), 4'095, 0x02));
  EXPECT_EQ(file->data()[4'095], 'c');
  EXPECT_EQ(Content("log")[0], 'b');
}

TEST_F(CrashDeviceTest, EqualEnvironmentsDrawEqualSeeds) {
  CrashEnv first(7), second(7), other(8);
  const uint64_t seed = first.RandomSeed();
  EXPECT_EQ(seed, second.RandomSeed());
  EXPECT_NE(seed, other.RandomSeed());
  // What a clone draws its original has not drawn: an incarnation after a crash salts anew.
  EXPECT_NE(first.CloneAfterProcessCrash()->RandomSeed(), seed);
}

}  // namespace crash_device_test
}  // namespace varve::test
