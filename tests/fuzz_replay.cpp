// Runs a fuzz target over files instead of letting libFuzzer make them up: what a fuzz target is
// in builds without clang's sanitizers.
//
//   csv_fuzz csv_corpus ...        every file of the folders, in order of name
//
// It fails when a folder is missing or holds no file: a corpus that was lost must not pass.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void replay(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) throw fs::filesystem_error("cannot be read", file, std::error_code());
  // The exact size on the heap, so that a read past the end is seen by a memory checker.
  const std::vector<uint8_t> data(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(data.data(), data.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
    return 2;
  }
  size_t count = 0;
  std::string current;
  try {
    for (int i = 1; i < argc; ++i) {
      current = argv[i];
      const std::vector<fs::path> files = files_below(current);
      if (files.empty()) {
        std::fprintf(stderr, "%s: no file in this folder, wanted at least one\n", argv[i]);
        return 1;
      }
      for (const fs::path& file : files) {
        current = file.string();
        replay(file);
        ++count;
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", current.c_str(), error.what());
    return 1;
  }
  std::printf("%zu inputs replayed\n", count);
  return 0;
}
