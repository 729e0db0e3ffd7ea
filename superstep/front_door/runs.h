// Runs on disk: runs/<name>/<n>, the latest of them, and the files in one.
#pragma once

#include <string>

#include "superstep/cluster/run_folder.h"
#include "superstep/front_door/job.h"
#include "superstep/superstep.h"

namespace superstep::front_door {

/// The folder of a new run, claimed; or to resume, that of output.dir or else the job's latest.
/// Throws ConfigError where a new run would meet another's files, or nothing is there to resume.
cluster::RunFolder open_run(const Job& job, bool resume);

/// The path of the folder that open_run() would make or open, from anywhere: for a job that is
/// trained elsewhere. A new run's is not made, but named by runs/<name>/latest.
std::string run_path(const Job& job, bool resume);

/// Whether an attempt at the run in this folder has begun.
bool is_begun(const std::string& run);

/// The folder of a run: the path itself, or the latest run in it. Empty where there is none.
std::string find_run(const std::string& path);

/// What a finished run came to, from the last line of its metrics.jsonl. Throws DataError where
/// that is not the end of a run.
TrainResult result_of_run(const std::string& path);

/// The SHA-256 of a file, wherever it is.
std::string sha256_of(const std::string& path);

inline constexpr const char* kModelFile = "model.safetensors";
inline constexpr const char* kReportFile = "report.html";
inline constexpr const char* kJobFile = "job.toml";
inline constexpr const char* kAddressFile = "address";
inline constexpr const char* kPictureFolder = "pictures";
inline constexpr const char* kLatest = "latest";

}  // namespace superstep::front_door
