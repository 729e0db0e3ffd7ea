#!/usr/bin/env bash
# Layout, layers, links, and names. `tools/bootstrap.sh lint` installs the tools.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t sources < <(git ls-files -co --exclude-standard '*.h' '*.cpp')
clang-format-14 --dry-run -Werror "${sources[@]}"
tools/check_layers.py
tools/check_links.py
cmake --preset dev > /dev/null
# Generated sources must be there before clang-tidy reads what includes them.
cmake --build build/dev
run-clang-tidy-14 -quiet -p build/dev -j "$(nproc)" "$PWD/(superstep|tests|bench|examples)/.*\.cpp$"
