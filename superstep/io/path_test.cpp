#include "superstep/io/path.h"

#include <chrono>

#include "superstep/io/test_folder.h"

namespace superstep::io {
namespace {

using PathTest = TestFolder;

TEST(Path, KnowsPlainPathsAndFileAddresses) {
  EXPECT_EQ(local_path("data/a.csv"), "data/a.csv");
  EXPECT_EQ(local_path("file:///data/a%20b%zz.csv"), "/data/a b%zz.csv");
  EXPECT_EQ(local_path("file://localhost/a.csv"), "/a.csv");
  EXPECT_EQ(local_path("a b://c"), "a b://c");  // no scheme has a space
  EXPECT_EQ(error_of<ConfigError>([] { return local_path("ftp://host/a.csv"); }),
            "ftp://host/a.csv: unknown scheme 'ftp://'; known: file://, hdfs://, webhdfs://, "
            "swebhdfs://, and plain paths");
  EXPECT_EQ(error_of<ConfigError>([] { return local_path("file://host/a.csv"); }),
            "file://host/a.csv: file:// wants a path from the root, as in file:///data/rows.csv");
}

TEST_F(PathTest, ListsFilesSortedByTheirBytes) {
  for (const char* name :
       {"b.csv", "a10.csv", "a2.csv", "B.csv", ".hidden.csv", "_SUCCESS", "sub/c.csv", "d.txt"})
    put(name, "x");
  EXPECT_EQ(list_files(folder_),
            (std::vector<std::string>{path("B.csv"), path("a10.csv"), path("a2.csv"), path("b.csv"),
                                      path("d.txt")}));
  EXPECT_EQ(list_files(path("*.csv")), (std::vector<std::string>{path("B.csv"), path("a10.csv"),
                                                                 path("a2.csv"), path("b.csv")}));
  EXPECT_EQ(list_files(path("s*/?.csv")), (std::vector<std::string>{path("sub/c.csv")}));
  EXPECT_EQ(list_files(path("_*")), (std::vector<std::string>{path("_SUCCESS")}));
  EXPECT_EQ(list_files("file://" + path("b.csv")), (std::vector<std::string>{path("b.csv")}));
}

TEST_F(PathTest, TakesAnExistingNameAsItIs) {
  put("a[1].csv", "x");
  put("a1.csv", "x");
  EXPECT_EQ(list_files(path("a[1].csv")), (std::vector<std::string>{path("a[1].csv")}));
}

TEST_F(PathTest, NamesThePatternAndTheNearestFolder) {
  put("sub/c.csv", "x");
  EXPECT_EQ(error_of<FileError>([&] { return list_files(path("sub/no/such.csv")); }),
            path("sub/no/such.csv") + ": no such file; the nearest folder that exists is '" +
                path("sub") + "'");
  EXPECT_EQ(error_of<FileError>([&] { return list_files(path("sub/*.gz")); }),
            path("sub/*.gz") +
                ": no such file (nothing matches the pattern); the nearest folder that exists is "
                "'" +
                path("sub") + "'");
  std::filesystem::create_directories(path("empty"));
  EXPECT_EQ(error_of<FileError>([&] { return list_files(path("empty")); }),
            path("empty") + ": the folder holds no file");
  EXPECT_NE(error_of<FileError>([] { return list_files("no-such-file"); }).find("is '.'"),
            std::string::npos);
  EXPECT_NE(error_of<FileError>([] { return list_files(""); }), "");
}

TEST_F(PathTest, SeesThatAFileChanged) {
  const std::string file = put("a.csv", "1234");
  const FileIdentity was = identify(file);
  EXPECT_EQ(was.size, 4);
  EXPECT_NO_THROW(check_unchanged(was));

  put("a.csv", "12345");
  EXPECT_EQ(error_of<FileError>([&] { check_unchanged(was); }),
            file + ": the file changed while in use: it held 4 bytes, now 5");
  put("a.csv", "4321");
  std::filesystem::last_write_time(
      file, std::filesystem::last_write_time(file) + std::chrono::seconds(10));
  EXPECT_NE(error_of<FileError>([&] { check_unchanged(was); }).find("was written to"),
            std::string::npos);
  std::filesystem::remove(file);
  EXPECT_EQ(error_of<FileError>([&] { check_unchanged(was); }),
            file + ": No such file or directory");
  EXPECT_EQ(error_of<FileError>([&] { return identify(folder_); }),
            folder_ + ": is a folder, wanted a file");
}

}  // namespace
}  // namespace superstep::io
