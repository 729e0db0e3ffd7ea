// The command `superstep`: parses, calls the front door, prints. No defaults and no algorithms live
// here. Messages go to standard error, answers to standard output.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage or config, 75 stopped and resumable.

#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>

#include "superstep/base/heap.h"
#include "superstep/base/log.h"
#include "superstep/cli/cluster_verbs.h"
#include "superstep/cli/signals.h"
#include "superstep/cli/status_verb.h"
#include "superstep/cli/training_view.h"
#include "superstep/cli/yarn_verbs.h"
#include "superstep/front_door/properties_job.h"
#include "superstep/front_door/runs.h"
#include "superstep/io/file.h"
#include "superstep/superstep.h"

namespace {

using namespace superstep;

constexpr int kDone = 0, kFailed = 1, kUsage = 2, kStopped = 75;

report::ProgressStyle progress_style() {
  report::ProgressStyle style;
  style.terminal = isatty(STDERR_FILENO) != 0;
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.width = size.ws_col;
  return style;
}

// How this program is started again: bin/superstep of a package says so (launcher_main.cpp), since
// /proc/self/exe is then the package's loader.
std::string program_path() {
  const char* launcher = std::getenv("SUPERSTEP_PROGRAM");
  return launcher ? launcher : TrainOptions{}.program;
}

struct TrainArguments {
  std::string target, label, engine, start;
  std::vector<std::string> phases;
  int64_t workers = 0;
  std::vector<std::string> assignments;
  bool resume = false, json = false, quiet = false, detach = false;
};

void set_options(Job& job, const TrainArguments& arguments, bool workers_given) {
  if (!arguments.start.empty()) job.set("model.start=" + arguments.start);
  if (!arguments.phases.empty())
    job.set(fmt::format("job.phases=[\"{}\"]", fmt::join(arguments.phases, "\", \"")));
  if (!arguments.engine.empty()) job.set("engine.kind=" + arguments.engine);
  if (workers_given) job.set(fmt::format("engine.workers={}", arguments.workers));
  for (const std::string& assignment : arguments.assignments) job.set(assignment);
}

void load_job(Job& job, const TrainArguments& arguments, bool workers_given) {
  const std::filesystem::path target(arguments.target);
  if (const std::string run = front_door::find_run(arguments.target); !run.empty()) {
    if (!arguments.resume)
      throw ConfigError("{}: {} is a run; add --resume to go on with it", arguments.target,
                        run == arguments.target ? "this" : run);
    job.load((std::filesystem::path(run) / front_door::kJobFile).string());
    job.set(fmt::format("output.dir={}", run));
  } else if (target.extension() == ".toml" || is_properties(arguments.target)) {
    // Where paths of 2014 lie depends on the engine.
    if (is_properties(arguments.target)) set_options(job, arguments, workers_given);
    job.load(arguments.target);
    if (!arguments.label.empty()) job.set("data.label=" + arguments.label);
  } else {
    job.use_data(arguments.target, arguments.label);
  }
  set_options(job, arguments, workers_given);
}

// Trains by `train` and shows it.
int run_train(const TrainArguments& arguments, bool workers_given,
              const std::function<TrainResult(Job&, const TrainOptions&)>& train) {
  const std::stop_token stop = cli::stop_on_signals();
  Job job;
  load_job(job, arguments, workers_given);
  cli::TrainingView view(std::cerr, progress_style());
  TrainListener silent;
  TrainListener* listener = arguments.quiet ? &silent : &view;
  const TrainResult done = train(job, {.resume = arguments.resume,
                                       .stop = stop,
                                       .listener = listener,
                                       .detach = arguments.detach,
                                       .program = program_path()});
  if (!done.application.empty()) {
    std::cout << done.application << '\n';
    return kDone;
  }
  if (!done.finished) {
    std::cerr << fmt::format("\nstopped; go on with\n  superstep train {} --resume\n", done.run);
    return kStopped;
  }
  if (!arguments.quiet) view.finished(done);
  if (arguments.json)
    std::cout << done.metrics.to_json() << '\n';
  else if (done.metrics_rows != "train" && done.metrics.error)
    std::cout << fmt::format("held-out error: {:.2f}%\n", 100 * *done.metrics.error);
  else
    std::cout << fmt::format("{} on the {} rows\n", done.metrics.headline(), done.metrics_rows);
  return kDone;
}

void print_metrics(const training::Metrics& metrics) {
  std::cout << fmt::format("{}\n{:<18} {}\n", metrics.headline(), "rows",
                           report::with_commas(metrics.rows));
  const auto line = [](const char* name, const std::optional<double>& value) {
    if (value) std::cout << fmt::format("{:<18} {:.4f}\n", name, *value);
  };
  line("loss", metrics.loss);
  line("macro f1", metrics.macro_f1);
  line("auroc", metrics.auroc);
  line("average precision", metrics.average_precision);
  line("brier", metrics.brier);
  line("mae", metrics.mae);
  if (metrics.per_class.empty()) return;
  size_t width = 5;
  for (const auto& c : metrics.per_class) width = std::max(width, c.name.size());
  std::cout << fmt::format("\n{:<{}}  {:>9}  {:>9}  {:>9}  {:>9}\n", "class", width, "rows",
                           "precision", "recall", "f1");
  for (const auto& c : metrics.per_class)
    std::cout << fmt::format("{:<{}}  {:>9}  {:>9.4f}  {:>9.4f}  {:>9.4f}\n", c.name, width,
                             report::with_commas(c.rows), c.precision, c.recall, c.f1);
}

// CLI11 says of a word that is no verb only that a verb is wanted.
void check_verb(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::string verbs;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb->check_name(argv[1])) return;
    verbs += (verbs.empty() ? "" : ", ") + verb->get_name();
  }
  throw ConfigError("no verb '{}'; there are {}", argv[1], verbs);
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  CLI::App app{
      "Superstep trains deep networks where the data are: one command, the same model to the byte\n"
      "on any number of workers."};
  app.require_subcommand(1);
  app.set_version_flag("--version", SUPERSTEP_VERSION);
  app.get_formatter()->column_width(36);
  app.footer(
      "Begin with:   superstep train mydata.csv --label COLUMN\n"
      "Exit codes:   0 done, 1 failed, 2 wrong usage or config, 75 stopped and resumable");
  int status = kDone;

  auto* init = app.add_subcommand("init", "Write a commented job.toml for a table");
  std::string init_data, init_label, init_out = "job.toml";
  bool init_force = false;
  init->add_option("data", init_data, "A file: CSV, TSV or IDX, plain or .gz")->required();
  init->add_option("--label", init_label, "What to predict: a column's name, or its number from 0");
  init->add_option("--out", init_out, "Where to write it, - for standard output")
      ->capture_default_str();
  init->add_flag("--force", init_force, "Replace a file that is there");
  init->callback([&] {
    const std::string text = init_job(init_data, init_label);
    if (init_out == "-") {
      std::cout << text;
      return;
    }
    if (std::filesystem::exists(init_out) && !init_force)
      throw ConfigError("{} is there already; --force replaces it, --out names another", init_out);
    write_job(init_out, text);
    std::cerr << fmt::format("wrote {0}\nnext   superstep train {0}\n", init_out);
  });

  TrainArguments train_arguments;
  CLI::Option* workers = nullptr;
  const auto add_train_options = [&](CLI::App& command) {
    command.add_option(
        "target", train_arguments.target,
        "A job file (.toml, or .properties of 2014), a table (CSV, TSV or IDX), or with "
        "--resume a run's folder");
    command.add_option("--label", train_arguments.label,
                       "What to predict: a column's name, or its number from 0");
    command
        .add_option("--phases", train_arguments.phases,
                    "Run only these: pretrain, finetune [both]. One pretraining serves many "
                    "finetunings, with --start")
        ->delimiter(',')
        ->allow_extra_args(false);
    command.add_option("--start", train_arguments.start,
                       "Go on from this model's weights: a model file or a run's folder");
    command
        .add_option("--set", train_arguments.assignments,
                    "Any key of the job: --set finetune.epochs=30 (more than once)")
        ->allow_extra_args(false);
    command.add_flag("--resume", train_arguments.resume, "Go on with a run that was stopped");
    command.add_flag("--json", train_arguments.json, "Print the final figures as JSON");
    command.add_flag("--quiet", train_arguments.quiet, "No progress");
  };
  auto* train_command =
      app.add_subcommand("train", "Train a model from a job file, or from data and a label alone");
  add_train_options(*train_command);
  train_command->get_option("target")->required();
  train_command->add_option("--engine", train_arguments.engine,
                            "Where workers run: local, process, yarn [local]");
  train_command->add_flag("--detach", train_arguments.detach,
                          "Engine yarn: print the application's id, and leave it to the cluster");
  workers =
      train_command->add_option("--workers", train_arguments.workers,
                                "How many workers; changes the time, never the model [one a core]");
  train_command->callback([&] {
    status = run_train(train_arguments, workers->count() > 0,
                       [](Job& job, const TrainOptions& options) { return train(job, options); });
  });

  const char* model_help = "A model file, a run's folder, or a folder of runs (its latest)";
  auto* evaluate_command =
      app.add_subcommand("evaluate", "How a model does on data that hold the label");
  evaluate_command->alias("score");
  std::string model;
  EvaluateOptions evaluate_options;
  bool json = false;
  evaluate_command
      ->add_option("model", model,
                   std::string(model_help) + "; or a job of 2014 (.properties), its model")
      ->required();
  evaluate_command->add_option("--data", evaluate_options.data,
                               "The data [of a job of 2014: those that it names]");
  evaluate_command->add_option("--label", evaluate_options.label,
                               "The label's column, where it is not the one of training");
  evaluate_command->add_flag("--json", json, "For programs");
  evaluate_command->callback([&] {
    const auto metrics = evaluate(model, evaluate_options);
    if (json) {
      std::cout << metrics.to_json() << '\n';
      return;
    }
    if (is_properties(model)) std::cout << lines_of_2014(metrics) << '\n';
    print_metrics(metrics);
  });

  auto* predict_command = app.add_subcommand("predict", "Answers for rows without a label, as CSV");
  PredictOptions predict_options;
  predict_command->add_option("model", model, model_help)->required();
  predict_command->add_option("--data", predict_options.data, "The data")->required();
  predict_command->add_option("--out", predict_options.out, "A file, or - for standard output")
      ->capture_default_str();
  predict_command->callback([&] {
    const int64_t rows = predict(model, predict_options);
    if (predict_options.out != "-")
      std::cerr << fmt::format("wrote {} rows to {}\n", report::with_commas(rows),
                               predict_options.out);
  });

  auto* describe_command =
      app.add_subcommand("describe", "What a job file, a run or a model file holds");
  std::string describe_path;
  std::vector<std::string> describe_assignments;
  bool describe_json = false;
  describe_command->add_option("path", describe_path, "A job file, a run's folder or a model file");
  bool describe_defaults = false;
  describe_command->add_flag("--defaults", describe_defaults,
                             "Instead: a job file with every key, its meaning and its default");
  bool describe_properties = false;
  describe_command->add_flag("--properties", describe_properties,
                             "Instead: what becomes of the keys of a job of 2014, as Markdown");
  describe_command->add_option("--set", describe_assignments, "Any key of the job");
  describe_command->add_flag("--json", describe_json, "For programs");
  describe_command->callback([&] {
    if (!describe_path.empty() + describe_defaults + describe_properties != 1)
      throw ConfigError("describe: wanted a path, or --defaults or --properties alone");
    if (describe_defaults)
      std::cout << Job().document.to_toml();
    else if (describe_properties)
      std::cout << properties_table();
    else
      std::cout << describe(describe_path, describe_assignments, describe_json);
  });

  auto* status_command = app.add_subcommand(
      "status", "How a run stands: while it trains, on any engine or machine, or afterwards");
  status_command->footer(
      "Examples:  superstep status runs/digits --watch\n"
      "           superstep status runs/digits/1 --json\n"
      "           superstep status runs/digits/1 --prometheus > textfile/digits.prom\n"
      "A run keeps such a page fresh by itself: status.html in its folder.");
  cli::StatusArguments status_arguments;
  cli::add_status_options(*status_command, status_arguments);
  status_command->callback([&] {
    if (!cli::is_application(status_arguments.run)) return cli::show_status(status_arguments);
    cli::run_client(program_path(), {"client-status", status_arguments.run,
                                     status_arguments.json ? "json" : "text"});
  });

  std::string application;
  const char* application_help = "An application's id on YARN: application_...";
  auto* logs_command =
      app.add_subcommand("logs", "What the containers of an ended application on YARN have said");
  logs_command->add_option("application", application, application_help)->required();
  logs_command->callback([&] {
    cli::check_application("logs", application);
    cli::run_client(program_path(), {"client-logs", application});
  });

  auto* kill_command = app.add_subcommand(
      "kill", "Stop an application on YARN after its superstep, so that --resume can go on");
  bool kill_now = false;
  kill_command->add_option("application", application, application_help)->required();
  kill_command->add_flag("--now", kill_now,
                         "At once: what is newer than the last checkpoint is lost");
  kill_command->callback([&] {
    cli::check_application("kill", application);
    cli::run_client(program_path(), {"client-kill", application, kill_now ? "now" : "after"});
  });

  auto* verify_command =
      app.add_subcommand("verify", "Train a run's job again and compare the bytes of the models");
  std::string verify_run;
  int verify_workers = 0;
  verify_command->add_option("run", verify_run, "A run's folder")->required();
  verify_command->add_option("--workers", verify_workers, "How many workers this time");
  verify_command->callback([&] {
    cli::TrainingView view(std::cerr, progress_style());
    const auto result = verify(verify_run, verify_workers,
                               {.resume = false,
                                .stop = cli::stop_on_signals(),
                                .listener = &view,
                                .program = program_path()});
    if (result.same) {
      std::cout << fmt::format("same bytes: {}\n", result.sha256);
    } else {
      std::cout << fmt::format("the models part at {}\n  {}\n  {}\n", result.first_difference,
                               result.sha256, result.again);
      status = kFailed;
    }
  });

  auto* render_command = app.add_subcommand("render", "Pictures of what a model has learned");
  RenderOptions render_options;
  render_command->add_option("model", model, model_help)->required();
  render_command->add_option("--data", render_options.data, "Rows to reconstruct [the run's own]");
  render_command->add_option("--out", render_options.out, "The folder to write to")
      ->capture_default_str();
  render_command
      ->add_option("--class", render_options.classes,
                   "Draw samples of this class (more than once; a generative net) [all]")
      ->allow_extra_args(false);
  render_command->add_option("--samples", render_options.samples, "How many of each class")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  render_command->add_option("--steps", render_options.steps, "Steps of Gibbs sampling for each")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  render_command->add_option("--seed", render_options.seed, "Other samples")->capture_default_str();
  render_command->callback([&] {
    for (const std::string& path : render(model, render_options)) std::cout << path << '\n';
  });

  auto* coordinator_command = app.add_subcommand(
      "coordinator", "Train with workers that are started elsewhere, by superstep worker");
  cli::CoordinatorArguments coordinator_arguments;
  add_train_options(*coordinator_command);
  cli::add_coordinator_options(*coordinator_command, coordinator_arguments);
  coordinator_command->callback([&] {
    if (coordinator_arguments.supervised) {
      status = cli::coordinate_supervised();
      return;
    }
    if (train_arguments.target.empty())
      throw ConfigError("coordinator: wanted a job file, a table, or with --resume a run's folder");
    status = run_train(train_arguments, false, [&](Job& job, const TrainOptions& options) {
      return cli::coordinate_by_hand(job, coordinator_arguments, options);
    });
  });

  auto* worker_command =
      app.add_subcommand("worker", "Compute for a coordinator until its job is done");
  cli::WorkerArguments worker_arguments;
  cli::add_worker_options(*worker_command, worker_arguments);
  worker_command->callback([&] { status = cli::work_until_done(worker_arguments); });

  try {
    check_verb(app, argc, argv);
    app.parse(argc, argv);
    std::cout.flush();
    if (!std::cout) throw FileError("standard output: cannot write");
    return status;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  } catch (const ConfigError& error) {
    log::write(log::Level::kError, error.what());
    return kUsage;
  } catch (const std::exception& error) {
    log::write(log::Level::kError, error.what());
    return kFailed;
  }
}
