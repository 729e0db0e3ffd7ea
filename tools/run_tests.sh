#!/usr/bin/env bash
# Builds and tests Superstep in four ways, and says what each took:
#   release   everything
#   tsan      what runs on several threads: base's teams, reduce, cluster (not its transport: Debian's gRPC is built
#             without ThreadSanitizer, which then sees races where gRPC's own locks are)
#   asan      what reads foreign bytes: config, io, data, and the fuzz targets (libFuzzer, briefly)
#   minimal   everything, without oneDNN and gRPC
# Usage: tools/run_tests.sh [--nightly] [PART...]     all parts are run, even after one has failed
set -euo pipefail
cd "$(dirname "$0")/.."

without=(--label-exclude '^nightly$')
if [ "${1:-}" = --nightly ]; then
  without=()
  shift
fi
parts=("$@")
[ $# -gt 0 ] || parts=(release tsan asan minimal)

jobs=$(nproc)
export CTEST_PARALLEL_LEVEL=$jobs

# configure PRESET; build PRESET [REGEX]: all targets, or the programs whose names match.
configure() { cmake --preset "$1" > "build/$1.configure.log" || { cat "build/$1.configure.log"; return 1; }; }
programs() { ninja -C "build/$1" -t targets all | sed -n 's#^bin/\([^:/]*\):.*#\1#p' | grep -E "$2" || true; }
build() {
  local targets=()
  [ $# -eq 1 ] || mapfile -t targets < <(programs "$1" "$2")
  if [ $# -eq 2 ] && [ ${#targets[@]} -eq 0 ]; then
    echo "no program in build/$1 matches $2" >&2
    return 1
  fi
  cmake --build "build/$1" -j "$jobs" ${targets:+--target "${targets[@]}"}
}

part_release() {
  configure release && build release && tools/package.sh && ctest --preset release "${without[@]}"
}
part_tsan() {
  configure tsan && build tsan '^(base|reduce|cluster)_test$' || return 1
  # ThreadSanitizer needs addresses where it expects them; where a container forbids to ask for
  # that, run without.
  local steady=(setarch "$(uname -m)" -R)
  "${steady[@]}" true 2> /dev/null || steady=()
  TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1" \
    "${steady[@]}" ctest --preset tsan "${without[@]}" -R '^(base|reduce|cluster)/.+[.]'
}
part_asan() {
  configure asan && build asan '(^(config|io|data)_test|_fuzz)$' || return 1
  ASAN_OPTIONS="detect_stack_use_after_return=1" UBSAN_OPTIONS="halt_on_error=1 print_stacktrace=1" \
    ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer-14) \
    ctest --preset asan "${without[@]}" -R '^(config|io|data)/.+[.]|_fuzz$'
}
part_minimal() {
  configure minimal && build minimal && ctest --preset minimal "${without[@]}"
}

table=()
failed=0
timed() {
  local name=$1 start=$SECONDS result=passed
  shift
  echo "== $name"
  # Not `"$@" || ...`: inside it bash would ignore set -e.
  set +e
  (set -e; "$@")
  [ $? -eq 0 ] || { result=FAILED; failed=1; }
  set -e
  table+=("$(printf '%-12s %-8s %5d s' "$name" "$result" $((SECONDS - start)))")
}

mkdir -p build
timed bootstrap tools/bootstrap.sh test
for part in "${parts[@]}"; do timed "$part" "part_$part"; done

echo
printf '%s\n' "${table[@]}"
exit $failed
