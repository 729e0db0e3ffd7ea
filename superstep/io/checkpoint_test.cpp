#include "superstep/io/checkpoint.h"

#include "superstep/base/log.h"
#include "superstep/io/full_disk.h"
#include "superstep/io/stream.h"
#include "superstep/io/test_folder.h"
#include "superstep/io/write.h"

namespace superstep::io {
namespace {

class CheckpointTest : public TestFolder {
 protected:
  void SetUp() override {
    TestFolder::SetUp();
    log::set_level(log::Level::kError);  // the warnings are wanted here
  }
  void TearDown() override {
    log::set_level(log::Level::kInfo);
    TestFolder::TearDown();
  }
};
using Names = std::vector<std::string>;

/// A checkpoint whose numbers tell which one it is.
Checkpoint example(float value, int64_t numbers = 2) {
  ParamSet shared({{"w", {numbers, 2}}, {"b", {3}}}), outer({{"w", {2}}});
  for (const int i : {0, 1}) std::ranges::fill(shared.values(i), value);
  outer.values("w")[1] = -value;
  Checkpoint checkpoint;
  checkpoint.sets = {{"shared", shared}, {"outer", outer}, {"empty", ParamSet()}};
  checkpoint.blobs = {{"notes", Bytes("\0x", 2)}, {"private/1", ""}};
  return checkpoint;
}
float value_of(const std::optional<CheckpointFolder::Found>& found) {
  return found ? found->checkpoint.set("shared").values("b")[0] : -1;
}

TEST_F(CheckpointTest, ReadsBackSetsAndBlobsInTheirOrder) {
  CheckpointFolder folder(path("checkpoints"));
  EXPECT_FALSE(folder.newest().has_value());
  folder.write(7, 2, example(1.5F));
  const auto found = folder.newest();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->number, 7);
  EXPECT_EQ(found->attempt, 2);
  const Checkpoint& got = found->checkpoint;
  ASSERT_EQ(got.sets.size(), 3U);
  EXPECT_EQ(got.sets[0].first, "shared");
  EXPECT_EQ(got.sets[1].first, "outer");
  EXPECT_EQ(got.sets[2].first, "empty");
  EXPECT_EQ(got.set("shared").layout().specs(), example(0).set("shared").layout().specs());
  EXPECT_EQ(got.set("shared").values("w")[3], 1.5F);
  EXPECT_EQ(got.set("outer").values("w")[1], -1.5F);
  EXPECT_EQ(got.set("empty").layout().size(), 0);
  EXPECT_EQ(got.blobs, example(0).blobs);
  EXPECT_EQ(got.blob("notes"), Bytes("\0x", 2));
  EXPECT_EQ(error_of<DataError>([&] { (void)got.set("x"); }), "the checkpoint has no set 'x'");
  EXPECT_EQ(error_of<DataError>([&] { (void)got.blob("x"); }), "the checkpoint has no blob 'x'");
}

TEST_F(CheckpointTest, KeepsTheNewest) {
  CheckpointFolder folder(folder_, 2);
  for (const int number : {8, 9, 10, 11})
    folder.write(number, 1, example(static_cast<float>(number)));
  EXPECT_EQ(names(), (Names{"checkpoint-10-1.json", "checkpoint-10-1.safetensors",
                            "checkpoint-11-1.json", "checkpoint-11-1.safetensors"}));
  EXPECT_EQ(value_of(folder.newest()), 11);
}

TEST_F(CheckpointTest, PrefersTheHigherAttempt) {
  CheckpointFolder folder(folder_, 3);
  folder.write(9, 1, example(9));
  folder.write(5, 2, example(5));
  EXPECT_EQ(value_of(folder.newest()), 5);
  folder.write(10, 1, example(10));  // a coordinator that was replaced and does not know it yet
  EXPECT_EQ(value_of(folder.newest()), 5);
}

TEST_F(CheckpointTest, FallsBackToAnOlderOneWhenTheNewestIsDamaged) {
  const auto make = [&] {
    std::filesystem::remove_all(folder_);
    CheckpointFolder folder(folder_);
    folder.write(1, 1, example(1));
    folder.write(2, 1, example(2));
  };
  const std::string data = path("checkpoint-2-1.safetensors");
  const std::string manifest = path("checkpoint-2-1.json");
  const CheckpointFolder folder(folder_);

  make();
  EXPECT_EQ(value_of(folder.newest()), 2);
  const std::string whole = read_file(data);
  put("checkpoint-2-1.safetensors", whole.substr(0, whole.size() - 1));
  EXPECT_EQ(value_of(folder.newest()), 1) << "cut short";

  std::string flipped = whole;
  flipped[whole.size() - 3] ^= 1;  // the format is whole, one number is not
  put("checkpoint-2-1.safetensors", flipped);
  EXPECT_EQ(value_of(folder.newest()), 1) << "one bit";

  std::filesystem::remove(data);
  EXPECT_EQ(value_of(folder.newest()), 1) << "no data file";

  make();
  for (const char* text : {"", "{", "[]", "{}", "\xff", R"({"file": "checkpoint-1-1.safetensors"})",
                           R"({"file": 3, "size": "x"})"}) {
    put("checkpoint-2-1.json", text);
    EXPECT_EQ(value_of(folder.newest()), 1) << "manifest: " << text;
  }
  std::filesystem::remove(manifest);
  EXPECT_EQ(value_of(folder.newest()), 1) << "no manifest: the writer was killed before it";
  put("checkpoint-1-1.json", "x");
  EXPECT_FALSE(folder.newest().has_value()) << "none is whole";
}

TEST_F(CheckpointTest, DoesNotCountDamagedOnesAmongThoseToKeep) {
  CheckpointFolder folder(folder_, 2);
  folder.write(1, 1, example(1));
  folder.write(2, 1, example(2));
  put("checkpoint-2-1.safetensors", "cut");
  folder.write(3, 1, example(3));
  put("checkpoint-3-1.safetensors", "");
  EXPECT_EQ(value_of(folder.newest()), 1);
}

TEST_F(CheckpointTest, LeavesTheOlderOnesWhenThereIsNoRoom) {
  CheckpointFolder folder(folder_, 1);
  folder.write(1, 1, example(1));
  const Names before = names();
  const Checkpoint large = example(2, 100'000);
  std::string error;
  {
    const FullDisk full(1 << 16);
    error = error_of<FileError>([&] { folder.write(2, 1, large); });
  }
  EXPECT_EQ(error, path("checkpoint-2-1.safetensors") + ": cannot write: File too large");
  EXPECT_EQ(names(), before);
  EXPECT_EQ(value_of(folder.newest()), 1);
  folder.write(2, 1, large);
  EXPECT_EQ(value_of(folder.newest()), 2);
}

TEST_F(CheckpointTest, ClearsAwayWhatAKilledWriterLeftBehind) {
  put("checkpoint-1-1.safetensors", "no manifest");
  put(".checkpoint-1-1.safetensors.tmp-77-0", "half");
  put(".checkpoint-9-2.json.tmp-78-0", "of a newer attempt: not ours to clear");
  put("notes.txt", "not a checkpoint");
  put("checkpoint-x-1.safetensors", "not a checkpoint");
  CheckpointFolder folder(folder_);
  folder.write(2, 1, example(2));
  EXPECT_EQ(names(),
            (Names{".checkpoint-9-2.json.tmp-78-0", "checkpoint-2-1.json",
                   "checkpoint-2-1.safetensors", "checkpoint-x-1.safetensors", "notes.txt"}));
}

TEST_F(CheckpointTest, ReplacesOneOfTheSameNumberAndAttempt) {
  CheckpointFolder folder(folder_);
  folder.write(1, 1, example(1));
  folder.write(1, 1, example(4));
  EXPECT_EQ(names().size(), 2U);
  EXPECT_EQ(value_of(folder.newest()), 4);
}

}  // namespace
}  // namespace superstep::io
