#include "superstep/data/dataset.h"

#include <zlib.h>

#include <algorithm>
#include <thread>

#include "superstep/base/error.h"
#include "superstep/data/row_source.h"
#include "superstep/data/testing.h"

namespace superstep::data {
namespace {

using testing::idx;
using testing::TestFolder;

std::string gzip(std::string_view bytes) {
  z_stream z{};
  constexpr int kGzip = 16 + MAX_WBITS;
  deflateInit2(&z, 6, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, bytes.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::shared_ptr<const DataSet> open(const std::string& rows, const DataConfig& config = {}) {
  return DataSet::open({rows, ""}, config);
}

// Opens and reads everything.
void read_all(const std::string& rows, const DataConfig& config = {}) {
  const auto data = open(rows, config);
  for (int split = 0; split < data->splits(); ++split) static_cast<void>(data->records(split));
}

// Five images of 2 x 2 bytes with their labels; each column spans 0 to 255.
const std::string kPixels(
    "\x00\x10\xFF\x07\xFF\xFF\x00\x00\x80\x00\x22\xFF\x01\x02\x03\x04\x20\x40\x60\x80", 20);
const std::string kDigits("\x07\x03\x07\x0A\x03", 5);
const char kPixelsCsv[] =
    "a,b,digit,c,d\n0,16,7,255,7\n255,255,3.0,0,0\n128,0,07,34,255\n1,2,10,3,4\n32,64,3,96,128\n";

const char kPixelsSvm[] =
    "# a b c d\n7 1:0 2:16 3:255 4:7\n3.0 1:255 2:255\n07 1:128 3:34 4:255\n"
    "10 1:1 2:2 3:3 4:4\n\n3 1:32 2:64 3:96 4:128\n";

TEST(DataSet, GivesTheSameTensorsFromEveryFormat) {
  const TestFolder folder;
  DataConfig csv;
  csv.label = "digit";
  std::vector<std::pair<std::string, DataConfig>> sources;
  sources.emplace_back(folder.write("x.csv", kPixelsCsv), csv);
  sources.emplace_back(folder.write("x.csv.gz", gzip(kPixelsCsv)), csv);
  sources.emplace_back(folder.write("x-images-idx3-ubyte", idx({5, 2, 2}, kPixels)), DataConfig{});
  folder.write("x-labels-idx1-ubyte", idx({5}, kDigits));
  sources.emplace_back(folder.write("y-images-idx3-ubyte.gz", gzip(idx({5, 2, 2}, kPixels))),
                       DataConfig{});
  folder.write("y-labels-idx1-ubyte.gz", gzip(idx({5}, kDigits)));
  sources.emplace_back(folder.write("rows", kPixelsSvm), DataConfig{});
  sources.emplace_back(folder.write("rows.svm.gz", gzip(kPixelsSvm)), DataConfig{});

  for (const char* scale : {"none", "standardise", "together", "minmax", "binarise"}) {
    Batch first;
    for (const auto& [path, config] : sources) {
      const auto data = open(path, config);
      const RowIndex index = RowIndex::of(*data);
      const Statistics fit =
          statistics(*data, index, 0, index.rows, [](int64_t row) { return row != 3; });
      const RowSource source(data, index, Scaling::fit(scale, data->schema(), fit),
                             infer_target(index, data->schema(), "classify"));
      Batch batch;
      const std::vector<int64_t> rows = {4, 0, 3, 1, 2};
      source.read(rows, batch);
      // Classes are 3, 7, 10: in the order of numbers.
      EXPECT_EQ(batch.labels, (std::vector<int32_t>{0, 1, 2, 0, 1})) << path;
      // Zeros left out, written out again: the same as well.
      Batch sparse;
      source.read_as(Form::kSparse, rows, sparse);
      EXPECT_EQ(sparse.labels, batch.labels);
      Tensor written({5, 4});
      for (int64_t r = 0; r < 5; ++r)
        for (size_t i = 0; i < sparse.sparse.view().row_values(r).size(); ++i) {
          const float value = sparse.sparse.view().row_values(r)[i];
          EXPECT_NE(value, 0);
          written.matrix().row(r)[sparse.sparse.view().row_columns(r)[i]] = value;
        }
      EXPECT_TRUE(std::ranges::equal(written.values(), batch.x.values())) << path << " " << scale;
      if (first.rows() == 0) std::swap(first, batch);
      if (batch.rows() == 0) continue;
      EXPECT_TRUE(std::equal(first.x.values().begin(), first.x.values().end(),
                             batch.x.values().begin(), batch.x.values().end()))
          << path << " " << scale;
    }
    EXPECT_EQ(first.rows(), 5);
  }
}

TEST(DataSet, TakesFilesInTheOrderOfTheirPathsAndSkipsEachHeader) {
  const TestFolder folder;
  folder.write("b.csv", "x,y\n5,6\n");
  folder.write("a.csv", "x,y\n1,2\n3,4\n");
  folder.write("c.csv", "7,8\n");
  folder.write("d.csv", "");
  const auto data = open(folder.path("*.csv"));
  ASSERT_EQ(data->splits(), 4);
  const RowIndex index = RowIndex::of(*data);
  EXPECT_EQ(index.first_row, (std::vector<int64_t>{0, 2, 3, 4}));
  EXPECT_EQ(index.rows, 4);
  EXPECT_EQ(std::get<std::vector<double>>(data->records(2).values), (std::vector<double>{7, 8}));
  EXPECT_EQ(data->place(1, 0), folder.path("b.csv") + ":2");
}

TEST(DataSet, RefusesAFileWithAnotherHeader) {
  const TestFolder folder;
  folder.write("a.csv", "x,y\n1,2\n");
  folder.write("b.csv", "y,x\n1,2\n");
  EXPECT_ERROR(DataError, open(folder.path("*.csv")), "b.csv:1: another header", "a.csv");
}

TEST(DataSet, PairsImagesWithTheirLabelsInAFolder) {
  const TestFolder folder;
  folder.write("x-images-idx3-ubyte", idx({5, 2, 2}, kPixels));
  folder.write("x-labels-idx1-ubyte.gz", gzip(idx({5}, kDigits)));
  const auto data = open(folder.path(""));
  EXPECT_EQ(data->splits(), 1);
  EXPECT_EQ(data->schema().image, (std::vector<int64_t>{2, 2}));
  EXPECT_TRUE(data->schema().has_label());
  EXPECT_EQ(data->schema().name(3), "pixel (1, 1)");
  EXPECT_EQ(data->place(0, 4), folder.path("x-images-idx3-ubyte") + ", row 4");
}

TEST(DataSet, TakesLabelsByAnyNameWhenTheyAreNamed) {
  const TestFolder folder;
  folder.write("p", idx({5, 4}, kPixels));
  folder.write("q", idx({5}, kDigits));
  DataConfig config;
  config.dir = folder.path("");
  const auto data = DataSet::open({"p", "q"}, config);
  EXPECT_EQ(data->records(0).label_names, (std::vector<std::string>{"7", "3", "10"}));
  EXPECT_TRUE(std::holds_alternative<std::vector<uint8_t>>(data->records(0).values));
}

TEST(DataSet, NamesBothCountsWhenImagesAndLabelsDiffer) {
  const TestFolder folder;
  folder.write("x-images-idx3-ubyte", idx({5, 2, 2}, kPixels));
  folder.write("x-labels-idx1-ubyte", idx({4}, "\1\2\3\4"));
  EXPECT_ERROR(DataError, open(folder.path("x-images-idx3-ubyte")), "images-idx3-ubyte holds 5",
               "labels-idx1-ubyte holds 4");
}

TEST(DataSet, RefusesFilesThatAreEmptyAbsentOrOfAnotherKind) {
  const TestFolder folder;
  EXPECT_ERROR(FileError, open(folder.path("none.csv")), "none.csv");
  EXPECT_ERROR(DataError, open(folder.write("e.csv", "")), "e.csv: empty, wanted records");
  EXPECT_ERROR(DataError, open(folder.write("h.csv", "a,b\n")), "h.csv: a header and no records");
  EXPECT_ERROR(DataError, open(folder.write("m-images-idx3-ubyte", "12345678")),
               "byte 0 holds 31 32 33 34");
  EXPECT_ERROR(DataError, open(folder.write("x.png", std::string("\x89PNG\0\0", 6))), "x.png",
               "wanted CSV or IDX");
  EXPECT_ERROR(ConfigError, open(""), "no rows are named");
  DataConfig config;
  config.label = "kind";
  EXPECT_ERROR(ConfigError, open(folder.write("i", idx({5, 4}, kPixels)), config), "label = 'kind'",
               "has no columns");
}

TEST(DataSet, NamesAFileThatChangedUnderIt) {
  const TestFolder folder;
  const std::string path = folder.write("x.csv", "1,2\n3,4\n");
  const auto data = open(path);
  folder.write("x.csv", "1,2\n3,4\n5,6\n");
  EXPECT_ERROR(FileError, data->records(0), "x.csv");
}

TEST(DataSet, EndsInAnErrorForGzipCutAnywhere) {
  const TestFolder folder;
  for (const std::string& whole : {gzip(idx({5, 2, 2}, kPixels)), gzip(kPixelsCsv)}) {
    DataConfig config;
    if (whole.size() != gzip(idx({5, 2, 2}, kPixels)).size()) config.label = "digit";
    for (size_t size = 3; size < whole.size(); ++size) {
      const std::string path = folder.write("cut.gz", whole.substr(0, size));
      EXPECT_ERROR(Error, read_all(path, config), "cut.gz");
    }
  }
}

TEST(DataSet, EndsInAnErrorForGzipThatIsDamaged) {
  const TestFolder folder;
  const std::string whole = gzip(idx({5, 2, 2}, kPixels));
  // Behind the 10 bytes of the gzip header every bit is covered by structure or checksum.
  for (size_t at = 10; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    const std::string path = folder.write("damaged.gz", damaged);
    EXPECT_ERROR(Error, read_all(path), "damaged.gz");
  }
}

TEST(DataSet, ParsesASplitOnceForManyThreads) {
  const TestFolder folder;
  const auto data = open(folder.write("x.csv", "1,2\n3,4\n"));
  std::vector<const Records*> seen(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < seen.size(); ++i)
    threads.emplace_back([&, i] { seen[i] = &data->records(0); });
  for (std::thread& thread : threads) thread.join();
  for (const Records* records : seen) EXPECT_EQ(records, seen[0]);
  EXPECT_EQ(seen[0]->rows, 2);
}

TEST(Schema, ComesBackFromBytes) {
  const TestFolder folder;
  DataConfig config;
  config.label = "digit";
  config.drop = {"b"};
  const Schema schema = open(folder.write("x.csv", kPixelsCsv), config)->schema();
  EXPECT_EQ(schema.names, (std::vector<std::string>{"a", "c", "d"}));
  EXPECT_EQ(Schema::from_bytes(schema.to_bytes()), schema);
  EXPECT_ERROR(DataError, Schema::from_bytes(schema.to_bytes().substr(0, 30), "model.x"),
               "model.x");
}

// The data of the README of data sets: counts and sums that others state as well.
TEST(RealData, MnistIsWhole) {
  const std::string folder = testing::real_data() + "/mnist";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no " << folder << "; set SUPERSTEP_DATA";
  const auto data = open(folder + "/train-images-idx3-ubyte.gz");
  const RowIndex index = RowIndex::of(*data);
  EXPECT_EQ(index.rows, 60'000);
  EXPECT_EQ(index.labels.counts.at("1"), 6'742);
  const auto& values = std::get<std::vector<uint8_t>>(data->records(0).values);
  EXPECT_EQ(values.size(), 47'040'000U);
  EXPECT_EQ(values.capacity(), values.size());
  const Target target = infer_target(index, data->schema());
  EXPECT_EQ(target.classes.size(), 10);
  const Statistics all = statistics(*data, index, 0, index.rows, [](int64_t) { return true; });
  double sum = 0;
  for (const ColumnStatistics& column : all.columns) sum += column.sum.value();
  // The mean pixel of the training images is 33.318421: 1,567,298,545 in all.
  EXPECT_EQ(sum, 1'567'298'545.0);
}

TEST(RealData, MnistCutShortIsAnError) {
  const std::string from = testing::real_data() + "/mnist/t10k-images-idx3-ubyte.gz";
  if (!std::filesystem::exists(from)) GTEST_SKIP() << "no " << from << "; set SUPERSTEP_DATA";
  const TestFolder folder;
  std::ifstream in(from, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  for (const size_t size : {whole.size() / 2, whole.size() - 9, whole.size() - 1})
    EXPECT_ERROR(Error, read_all(folder.write("t10k.gz", whole.substr(0, size))), "t10k.gz");
}

TEST(SvmlightDataSet, CountsColumnsFromZeroWhereOneOfItsFilesHasAnIndexOfZero) {
  const TestFolder folder;
  folder.write("a.svm", "x 1:1 3:5\n");
  const auto one = open(folder.path("a.svm"));
  EXPECT_TRUE(one->is_sparse());
  EXPECT_EQ(one->schema().columns, 3);
  EXPECT_EQ(one->schema().names, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(one->schema().label, "label");
  folder.write("b.svm", "y 0:2\n");
  const auto both = open(folder.path("*.svm"));
  EXPECT_EQ(both->schema().columns, 4);
  EXPECT_EQ(both->schema().name(3), "column 3");
  EXPECT_EQ(both->records(0).value(0, 3), 5);
  EXPECT_EQ(both->records(0).value(0, 2), 0);
  EXPECT_EQ(both->records(1).value(0, 0), 2);
}

TEST(SvmlightDataSet, IsAsWideAsAsked) {
  const TestFolder folder;
  const std::string rows = folder.write("a.svm", "x 1:1 3:5\ny 2:1\n");
  DataConfig config;
  config.width = 7;
  EXPECT_EQ(open(rows, config)->schema().columns, 7);
  config.width = 2;
  EXPECT_ERROR(DataError, open(rows, config), "a.svm: an index of 3, wanted 2 columns from 1 on");
  config.width = 7;
  EXPECT_ERROR(ConfigError, open(folder.write("a.csv", "1,2\n3,4\n"), config), "[data] width = 7",
               "a.csv is CSV");
  EXPECT_ERROR(DataError, open(folder.write("none.svm", "x\ny\n")), "no row names a value");
}

TEST(SvmlightDataSet, HasTheColumnsOfTheModelItIsFor) {
  const TestFolder folder;
  const auto train = open(folder.write("a.svm", "x 1:1 3:5\ny 2:1\n"));
  const auto same = [&](const std::string& text) {
    return DataSet::open({folder.write("b.svm", text), ""}, {}, &train->schema());
  };
  const auto rows = same("y 2:4\n");
  EXPECT_EQ(rows->schema(), train->schema());
  EXPECT_EQ(rows->records(0).value(0, 1), 4);
  EXPECT_ERROR(DataError, same("y 2:4\n\nx 4:1\n")->records(0),
               "b.svm:3: index 4, but columns are 1 to 3");
  EXPECT_ERROR(DataError, same("y 0:4\n")->records(0), "index 0, but columns are 1 to 3");
}

TEST(SvmlightDataSet, RefusesKeysThatSayNothingOfIt) {
  const TestFolder folder;
  const std::string rows = folder.write("a.svm", "x 1:1 3:5\n");
  DataConfig config;
  config.label = "kind";
  EXPECT_ERROR(ConfigError, open(rows, config), "label = 'kind'", "begins with its label");
  config.label = "label";
  EXPECT_EQ(open(rows, config)->schema().columns, 3);
  config.drop = {"2"};
  EXPECT_ERROR(ConfigError, open(rows, config), "drop", "SVMLight");
  EXPECT_ERROR(ConfigError, DataSet::open({rows, rows}, {}), "labels = ", "SVMLight");
  folder.write("b.csv", "1,2\n3,4\n");
  EXPECT_ERROR(DataError, open(folder.path("*")), "b.csv is CSV", "a.svm is SVMLight");
}

TEST(MetronomeDataSet, ReadsClassesPlainOrCompressedAndIsKnownByItsContent) {
  const TestFolder folder;
  const std::string text = "0:0.3 4:0.21 | 0:1.0\n2:1 | 1:1.0\n";
  folder.write("a.txt", text);
  folder.write("b.txt.gz", gzip("1:7 | 2:1\n"));
  const auto rows = open(folder.path("*"));
  EXPECT_TRUE(rows->is_sparse());
  EXPECT_EQ(rows->schema().columns, 5);
  EXPECT_EQ(rows->schema().label, "label");
  EXPECT_EQ(rows->schema().names.front(), "0");
  EXPECT_EQ(rows->records(0).value(0, 4), 0.21);
  EXPECT_EQ(rows->records(0).label_names, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(rows->records(1).label_names, (std::vector<std::string>{"2"}));
  EXPECT_EQ(rows->place(0, 1), folder.path("a.txt") + ":2");
  DataConfig config;
  config.width = 4;
  EXPECT_ERROR(DataError, open(folder.path("a.txt"), config), "an index of 4, wanted 4 columns");
  config.width = 784;
  EXPECT_EQ(open(folder.path("a.txt"), config)->schema().columns, 784);
  config.label = "kind";
  EXPECT_ERROR(ConfigError, open(folder.path("a.txt"), config), "label = 'kind'", "Metronome",
               "every row ends with its label");
  // Its name says so too, so that damage is named as such.
  EXPECT_ERROR(DataError, open(folder.write("c.metronome", "0:1 | 0:1\n0;1 | 1:1\n")),
               "c.metronome:2: '0;1', wanted index:value");
}

TEST(MetronomeDataSet, TakesASingleOutputForTheLabelUnlessTheModelKnowsClasses) {
  const TestFolder folder;
  const std::string value = folder.write("value.txt", "0:1 | 0:0.5\n1:1 |\n");
  const auto values = open(value);
  EXPECT_EQ(values->schema().label, "output");
  EXPECT_EQ(values->records(0).label_names, (std::vector<std::string>{"0.5", "0"}));
  const auto classes = open(folder.write("classes.txt", "0:1 | 0:1\n1:1 | 1:1\n"));
  const std::string first = folder.write("first.txt", "0:1 | 0:1\n");
  const auto fitted = [&](const std::string& path, const DataSet& to) {
    return DataSet::open({path, ""}, {}, &to.schema());
  };
  EXPECT_EQ(fitted(first, *classes)->records(0).label_names, (std::vector<std::string>{"0"}));
  EXPECT_EQ(fitted(first, *values)->records(0).label_names, (std::vector<std::string>{"1"}));
  EXPECT_ERROR(DataError, fitted(value, *classes)->records(0),
               "value.txt:1: output 0 is 0.5, wanted 1");
  EXPECT_EQ(fitted(first, *classes)->schema(), classes->schema());
  const std::string none = folder.write("none.txt", "0:1 |\n");
  EXPECT_FALSE(fitted(none, *classes)->schema().has_label());
  EXPECT_ERROR(DataError, fitted(folder.write("wide.txt", "2:1 | 0:1\n"), *classes)->records(0),
               "wide.txt:1: index 2, but columns are 0 to 1");
  EXPECT_ERROR(DataError, fitted(first, *open(folder.write("from-one.svm", "x 1:1 2:5\n"))),
               "indices begin at 0, those of the model at 1");
}

TEST(SparseStatistics, AreThoseOfTheSameRowsWrittenOut) {
  const TestFolder folder;
  DataConfig config;
  config.label = "0";
  const auto dense = open(folder.write("a.csv", "7,0,-2,0\n8,1.5,0,0\n9,0,-4,0\n"), config);
  const auto sparse = open(folder.write("a.svm", "7 2:-2\n8 1:1.5 3:0\n9 2:-4\n"));
  const auto fit = [](const DataSet& data) {
    const RowIndex index = RowIndex::of(data);
    return statistics(data, index, 0, index.rows, [](int64_t row) { return row != 3; });
  };
  EXPECT_EQ(fit(*sparse), fit(*dense));
  EXPECT_EQ(fit(*sparse).columns[1].max, 0);
}

TEST(RealData, UciTablesAreRead) {
  const std::string folder = testing::real_data() + "/uci";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no " << folder << "; set SUPERSTEP_DATA";
  struct Case {
    const char *file, *label;
    int64_t rows, columns, classes;  // 0 classes: regressed on
  };
  for (const Case& c : std::vector<Case>{{"iris.csv", "4", 150, 4, 3},
                                         {"wine.csv", "13", 178, 13, 3},
                                         {"sonar.csv", "60", 208, 60, 2},
                                         {"ionosphere.csv", "34", 351, 34, 2},
                                         {"banknote_authentication.csv", "4", 1372, 4, 2},
                                         {"pima-indians-diabetes.csv", "8", 768, 8, 2},
                                         {"winequality-red.csv", "11", 1599, 11, 6},
                                         {"winequality-red.csv", "10", 1599, 11, 0}}) {
    DataConfig config;
    config.label = c.label;
    const auto data = open(folder + "/" + c.file, config);
    const RowIndex index = RowIndex::of(*data);
    const Target target = infer_target(index, data->schema());
    EXPECT_EQ(index.rows, c.rows) << c.file;
    EXPECT_EQ(data->schema().columns, c.columns) << c.file;
    EXPECT_EQ(target.classes.size(), c.classes) << c.file;
    EXPECT_EQ(target.task, c.classes > 0 ? Task::kClassify : Task::kRegress) << c.file;
  }
}

}  // namespace
}  // namespace superstep::data
