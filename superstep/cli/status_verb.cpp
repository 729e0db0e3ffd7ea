#include "superstep/cli/status_verb.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <thread>

#include "superstep/io/file.h"
#include "superstep/superstep.h"

namespace superstep::cli {
namespace {

constexpr auto kBetween = std::chrono::seconds(2);
constexpr const char* kClear = "\033[H\033[2J";

}  // namespace

void add_status_options(CLI::App& command, StatusArguments& arguments) {
  command
      .add_option(
          "run", arguments.run,
          "A run's folder, or a folder of runs (its latest), or an application's id on YARN")
      ->required();
  command.add_flag("--watch", arguments.watch, "Again and again, until the run ends");
  auto* json = command.add_flag("--json", arguments.json, "For programs: one object a line");
  auto* prometheus = command.add_flag("--prometheus", arguments.prometheus,
                                      "For Prometheus: its text format, for a textfile collector");
  auto* page = command.add_option("--html", arguments.page, "Write a page to this file instead");
  json->excludes(prometheus, page);
  prometheus->excludes(page);
}

void show_status(const StatusArguments& arguments) {
  const StatusForm form = !arguments.page.empty() ? StatusForm::kPage
                          : arguments.json        ? StatusForm::kJson
                          : arguments.prometheus  ? StatusForm::kPrometheus
                                                  : StatusForm::kText;
  const bool redraw = arguments.watch && form == StatusForm::kText && isatty(STDOUT_FILENO) != 0;
  for (;;) {
    const StatusAnswer answer = status(arguments.run, form);
    if (form == StatusForm::kPage)
      io::write_file(arguments.page, answer.text);
    else
      std::cout << (redraw ? kClear : "") << answer.text << std::flush;
    if (!arguments.watch || !answer.running) return;
    std::this_thread::sleep_for(kBetween);
  }
}

}  // namespace superstep::cli
