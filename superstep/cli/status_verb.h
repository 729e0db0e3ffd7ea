// superstep status.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace superstep::cli {

struct StatusArguments {
  std::string run, page;
  bool watch = false, json = false, prometheus = false;
};
void add_status_options(CLI::App& command, StatusArguments& arguments);
/// Prints it, or writes the page; with `watch` until the run ends.
void show_status(const StatusArguments& arguments);

}  // namespace superstep::cli
