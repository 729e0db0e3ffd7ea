#!/usr/bin/env bash
# Trains on real handwritten digits, from one end to the other; `make quickstart` calls this. Further
# arguments go to `superstep train`: examples/digits/run.sh --workers 1 --set job.seed=2
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=${SUPERSTEP_BIN:-build/release/bin}
# The rows come with scikit-learn, which tools/bootstrap.sh installs.
data=$(build/venv/bin/python -c 'import importlib.util as u, os
print(os.path.join(os.path.dirname(u.find_spec("sklearn").origin), "datasets", "data"))')

answer=$("$bin/superstep" train examples/digits/job.toml --set data.dir="$data" "$@")
"$bin/nearest_neighbour" examples/digits/job.toml --set data.dir="$data" "$@"
echo "$answer"
