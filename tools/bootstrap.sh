#!/usr/bin/env bash
# Installs what Superstep needs on Debian 12, and nothing that is already there.
#
#   tools/bootstrap.sh          what the build and the quickstart need (the default, "build")
#   tools/bootstrap.sh hadoop   also a JDK and Hadoop's jars, for tools/hadoop
#   tools/bootstrap.sh test     also clang, for the sanitizer and fuzz builds (includes hadoop)
#   tools/bootstrap.sh lint     also clang-format and clang-tidy
#
# Three kinds of things: Debian packages (root installs them; anyone else is told the command), Maven
# artifacts in build/deps, and Python packages in build/venv. With nothing to do it takes well under
# a second. Delete build/deps or build/venv to have it made anew.
set -euo pipefail
cd "$(dirname "$0")/.."

level=${1:-build}
build_packages=(ca-certificates ccache cmake g++ libbenchmark-dev libcli11-dev libfmt-dev libgtest-dev
  libcurl4-openssl-dev libgrpc++-dev libpng-dev libprotobuf-dev libpugixml-dev libspdlog-dev libssl-dev libtomlplusplus-dev libxxhash-dev
  make maven ninja-build nlohmann-json3-dev pkg-config protobuf-compiler protobuf-compiler-grpc python3
  python3-venv unzip zlib1g-dev)
hadoop_packages=(openjdk-17-jdk-headless)
test_packages=("${hadoop_packages[@]}" chromium clang-14 iproute2 libclang-rt-14-dev llvm-14)
lint_packages=(clang-format-14 clang-tidy-14)

packages=("${build_packages[@]}")
case $level in
  build) ;;
  hadoop) packages+=("${hadoop_packages[@]}") ;;
  test) packages+=("${test_packages[@]}") ;;
  lint) packages+=("${test_packages[@]}" "${lint_packages[@]}") ;;
  *)
    echo "bootstrap: no level '$level'; levels: build (default), hadoop, test, lint" >&2
    exit 2
    ;;
esac

say() { echo "bootstrap: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# The network may fail for a moment: three tries.
retry() {
  local try
  for try in 1 2 3; do
    "$@" && return 0
    [ "$try" = 3 ] || { say "failed, again in $((try * 5)) s: $*" && sleep $((try * 5)); }
  done
  return 1
}

install_debian_packages() {
  command -v dpkg-query > /dev/null ||
    die "this script knows Debian only; install the likes of: ${packages[*]}"
  local missing
  missing=$(comm -23 <(printf '%s\n' "${packages[@]}" | sort) \
    <(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "${packages[@]}" 2> /dev/null |
      sed -n 's/^[ih]i  *//p' | sort) | tr '\n' ' ')
  [ -n "${missing// /}" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    say "these Debian packages are missing: $missing"
    die "install them as root, then run this again: apt-get install --no-install-recommends $missing"
  fi
  say "installing Debian packages: $missing"
  export DEBIAN_FRONTEND=noninteractive
  retry apt-get -qq -o Acquire::Retries=3 update || die "apt-get update failed"
  # shellcheck disable=SC2086
  retry apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install -y --no-install-recommends $missing ||
    die "apt-get install failed"
}

# maven ARTIFACT SHA256 FOLDER LAY_OUT: fetches a jar and has `LAY_OUT JAR_CONTENTS FOLDER` fill the
# folder; its file .artifact, written last, names what lies there.
maven() {
  local artifact=$1 sha256=$2 folder=$3 lay_out=$4 work
  [ "$(cat "$folder/.artifact" 2> /dev/null)" = "$artifact $sha256" ] && return 0
  say "fetching $artifact"
  work=$(mktemp -d build/deps/fetch.XXXXXX)
  retry mvn -q -B -ntp -U -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    -Dartifact="$artifact" -DoutputDirectory="$PWD/$work" ||
    die "$artifact could not be fetched"
  echo "$sha256  $(echo "$work"/*.jar)" | sha256sum --quiet -c - ||
    die "$artifact is not the file that was pinned"
  mkdir "$work/jar" "$work/out"
  unzip -q "$work"/*.jar -d "$work/jar"
  "$lay_out" "$work/jar" "$work/out"
  echo "$artifact $sha256" > "$work/out/.artifact"
  rm -rf "$folder"
  mv "$work/out" "$folder"
  rm -rf "$work"
}

# maven_tree POM_FOLDER FOLDER: copies what the pom.xml names, with all that those need, into the
# folder, and holds it to the jars.sha256 beside the pom.
maven_tree() {
  local from=$1 folder=$2 work
  cmp -s "$from/jars.sha256" "$folder/.jars" && return 0
  say "fetching the jars of $from"
  work=$(mktemp -d build/deps/fetch.XXXXXX)
  retry mvn -q -B -ntp -U -Dstyle.color=never -f "$from/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DoutputDirectory="$PWD/$work" || die "the jars of $from could not be fetched"
  (cd "$work" && ls ./*.jar | sed 's,^\./,,' | sort) | cmp -s - <(sed 's/.* //' "$from/jars.sha256" | sort) &&
    (cd "$work" && sha256sum --quiet -c -) < "$from/jars.sha256" ||
    die "the jars of $from are not those that were pinned"
  cp "$from/jars.sha256" "$work/.jars"
  mkdir -p "$(dirname "$folder")"
  rm -rf "$folder"
  mv "$work" "$folder"
}

# The web pages apart from the large jars that hold them (tools/hadoop/hadoop says why).
hadoop_web_pages() {
  [ -e build/deps/hadoop/webapps.jar ] && return 0
  local work jar
  work=$(mktemp -d build/deps/fetch.XXXXXX)
  for jar in build/deps/hadoop/lib/hadoop-client-{api,minicluster}-*.jar; do
    unzip -q -o "$jar" 'webapps/*' -d "$work"
  done
  jar --create --no-compress --file "$work/webapps.jar" -C "$work" webapps
  mv "$work/webapps.jar" build/deps/hadoop/webapps.jar
  rm -rf "$work"
}

# The jar's own OpenMP runtime is left out: gcc's is used, so that a process has one.
lay_out_dnnl() {
  local from=$1/org/bytedeco/dnnl/linux-x86_64
  mv "$from/include" "$from/lib" "$2"
  mv "$from/libdnnl.so.3" "$2/lib/libdnnl.so.3.13"
  ln -s libdnnl.so.3.13 "$2/lib/libdnnl.so.3"
  ln -s libdnnl.so.3 "$2/lib/libdnnl.so"
}

lay_out_uplot() {
  local from=$1/META-INF/resources/webjars/uplot/1.6.30
  mv "$from/LICENSE" "$from/dist/uPlot.iife.min.js" "$from/dist/uPlot.min.css" "$2"
}

make_python_environment() {
  local stamp=build/venv/.requirements python
  if cmp -s tools/requirements.txt "$stamp" && build/venv/bin/python -c '' 2> /dev/null; then
    return 0
  fi
  # Debian's own Python first: another one first on PATH may be older, or be removed one day.
  for python in /usr/bin/python3 python3; do
    "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
      2> /dev/null && break
    python=
  done
  [ -n "$python" ] || die "no Python 3.11 or newer with venv was found (Debian: python3-venv)"
  say "installing Python packages into build/venv"
  rm -rf build/venv
  "$python" -m venv build/venv
  retry build/venv/bin/python -m pip install -q --disable-pip-version-check --only-binary :all: \
    -r tools/requirements.txt || die "the packages of tools/requirements.txt could not be installed"
  cp tools/requirements.txt "$stamp"
}

mkdir -p build/deps
exec 9> build/.bootstrap.lock
flock 9  # two builds in one tree install once

install_debian_packages
maven org.bytedeco:dnnl:3.13-1.5.14:jar:linux-x86_64 \
  9c9a46215ec11c7ceb442714083615c74104f4ad7181ff910bf5fa95999070f4 build/deps/dnnl lay_out_dnnl
maven org.webjars.npm:uplot:1.6.30 \
  35b1d5d332ae25876ebd3b96c4a6180f29bec7675ad22dda9d3dc803691d19c9 build/deps/uplot lay_out_uplot
make_python_environment
if [ "$level" != build ]; then
  maven_tree java/yarn build/deps/yarn/lib
  maven_tree java/yarn/test build/deps/yarn/test
  maven_tree tools/hadoop/server build/deps/hadoop/lib
  maven_tree tools/hadoop/kdc build/deps/hadoop/kdc
  hadoop_web_pages
fi
