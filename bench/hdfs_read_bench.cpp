// Reading a file of 256 MiB from HDFS: our stream beside curl with one stream, in turns.
//
//   tools/hadoop/hadoop up; HADOOP_CONF_DIR=build/hadoop/conf build/release/bin/hdfs_read_bench
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/stopwatch.h"
#include "superstep/base/error.h"
#include "superstep/io/file.h"
#include "superstep/io/hdfs/hadoop_conf.h"

namespace {

using namespace superstep;

constexpr size_t kBytes = size_t{256} << 20;
constexpr int kTurns = 5;

double ours(const std::string& path) {
  const bench::Stopwatch watch;
  const auto in = io::open_raw(path);
  std::vector<char> chunk(size_t{1} << 20);
  size_t total = 0;
  while (const size_t n = in->read(chunk)) total += n;
  if (total != kBytes) throw FileError("{}: {} bytes came, wanted {}", path, total, kBytes);
  return static_cast<double>(kBytes) / 1e6 / watch.elapsed().wall;
}

double curls(const std::string& url) {
  const std::string command =
      fmt::format("curl -sS --fail -L -o /dev/null -w '%{{speed_download}}' '{}'", url);
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  double speed = 0;
  if (!pipe || std::fscanf(pipe.get(), "%lf", &speed) != 1) throw Error("curl did not run");
  return speed / 1e6;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main() {
  if (std::getenv("HADOOP_CONF_DIR") == nullptr) {
    fmt::print("skipped: HADOOP_CONF_DIR is not set (tools/hadoop/README.md)\n");
    return 0;
  }
  const std::string name = fmt::format("/superstep-bench-{}", ::getpid());
  const std::string path = "hdfs://" + name;
  io::write_file(path, std::string(kBytes, 'x'));
  const auto endpoints =
      io::hdfs::endpoints_of("hdfs://", io::hdfs::HadoopConf::from_environment());
  std::vector<double> our, curl;
  for (int turn = 0; turn < kTurns; ++turn) {
    our.push_back(ours(path));
    curl.push_back(curls(endpoints.bases[0] + name + "?op=OPEN"));
  }
  io::remove(path);
  fmt::print("ours {:.0f} MB/s, curl with one stream {:.0f} MB/s (medians of {}): {:.0f}%\n",
             median(our), median(curl), kTurns, 100 * median(our) / median(curl));
}
