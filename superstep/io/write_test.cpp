#include "superstep/io/write.h"

#include <atomic>
#include <thread>

#include "superstep/io/full_disk.h"
#include "superstep/io/stream.h"
#include "superstep/io/test_folder.h"

namespace superstep::io {
namespace {

using WriteTest = TestFolder;
using Names = std::vector<std::string>;

TEST_F(WriteTest, PublishesAWholeFileOrNone) {
  const std::string file = put("model", "old");
  {
    AtomicFile out(file);
    out.write("ne");
    EXPECT_EQ(read_file(file), "old");
    EXPECT_EQ(names().size(), 2U);  // the old one, and what is being written
  }
  EXPECT_EQ(read_file(file), "old");
  EXPECT_EQ(names(), Names{"model"});

  AtomicFile out(file);
  out.write("ne");
  out.write("w");
  out.commit();
  EXPECT_EQ(read_file(file), "new");
  EXPECT_EQ(names(), Names{"model"});
}

TEST_F(WriteTest, LeavesNothingBehindOnAFullDisk) {
  const std::string file = put("model", "old");
  const std::string large(1 << 20, 'x');
  std::string error;
  {
    const FullDisk full(1 << 16);
    error = error_of<FileError>([&] { write_file(file, large); });
  }
  EXPECT_EQ(error, file + ": cannot write: File too large");
  EXPECT_EQ(read_file(file), "old");
  EXPECT_EQ(names(), Names{"model"});
}

TEST_F(WriteTest, NamesThePathAndTheReason) {
  EXPECT_EQ(error_of<FileError>([&] { write_file(path("none/model"), "x"); }),
            path("none/model") + ": cannot write beside it: No such file or directory");
  std::filesystem::create_directories(path("folder/inside"));
  EXPECT_EQ(error_of<FileError>([&] { write_file(path("folder"), "x"); }),
            path("folder") + ": cannot publish: Is a directory");
  EXPECT_EQ(names(), Names{"folder"});
}

TEST_F(WriteTest, GivesAnExclusiveNameToOneOfMany) {
  std::atomic<int> winners{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] { winners += create_exclusive(path("attempt-1"), "me") ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(read_file(path("attempt-1")), "me");
  EXPECT_EQ(error_of<FileError>([&] { create_exclusive(path("none/a")); }),
            path("none/a") + ": cannot create: No such file or directory");
}

TEST_F(WriteTest, AppendsAndCutsBack) {
  const std::string file = path("metrics.jsonl");
  {
    AppendFile out(file);
    EXPECT_EQ(out.position(), 0);
    out.write("one\n");
    out.write("two\n");
    EXPECT_EQ(out.position(), 8);
    EXPECT_EQ(read_file(file), "one\ntwo\n");  // at once, not when it is closed
  }
  AppendFile out(file);
  EXPECT_EQ(out.position(), 8);
  out.truncate_to(4);
  out.write("2\n");
  out.sync();
  EXPECT_EQ(read_file(file), "one\n2\n");
  EXPECT_EQ(error_of<FileError>([&] { out.truncate_to(7); }),
            file + ": cannot cut back to byte 7: the file holds 6");
}

TEST_F(WriteTest, AppendsAWholeLineOrNone) {
  const std::string file = path("metrics.jsonl");
  AppendFile out(file);
  out.write("one\n");
  std::string error;
  {
    const FullDisk full(100);
    error = error_of<FileError>([&] { out.write(std::string(200, 'x')); });
  }
  EXPECT_EQ(error, file + ": cannot write: File too large");
  EXPECT_EQ(read_file(file), "one\n");
  out.write("two\n");
  EXPECT_EQ(read_file(file), "one\ntwo\n");
}

TEST_F(WriteTest, MakesFolders) {
  make_folder(path("a/b/c"));
  make_folder(path("a/b/c"));
  EXPECT_TRUE(std::filesystem::is_directory(path("a/b/c")));
  put("file", "x");
  EXPECT_TRUE(error_of<FileError>([&] {
                make_folder(path("file/a"));
              }).starts_with(path("file/a") + ": cannot make the folder: "));
}

}  // namespace
}  // namespace superstep::io
