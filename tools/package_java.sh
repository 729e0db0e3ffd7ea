#!/usr/bin/env bash
# Compiles the YARN application into build/java/yarn: superstep-yarn.jar, and the jars of Hadoop's client beside it in
# lib/. With --test, runs its unit tests too. The same sources give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/bootstrap.sh hadoop
out=build/java/yarn
rm -rf "$out"
mkdir -p "$out/classes" "$out/lib"
cp build/deps/yarn/lib/*.jar "$out/lib/"
# -options: javac 17 warns that one day it will not know release 8 any more.
javac --release 8 -Xlint:all,-options,-processing -Werror -cp "$out/lib/*" -d "$out/classes" java/yarn/src/superstep/yarn/*.java
cp java/yarn/resources/* "$out/classes/"
find "$out/classes" -exec touch -d @315619200 {} + # what a jar can hold of time begins in 1980
(cd "$out/classes" && find . -type f | LC_ALL=C sort | sed 's,^\./,,' |
  jar --create --date=1980-01-02T00:00:00Z --main-class superstep.yarn.Main --file ../superstep-yarn.jar @/dev/stdin)

if [ "${1:-}" = --test ]; then
  mkdir "$out/test"
  javac --release 8 -Xlint:all,-options,-processing -Werror -cp "$out/classes:$out/lib/*:build/deps/yarn/test/*" -d "$out/test" \
    java/yarn/test/superstep/yarn/*.java
  java -jar build/deps/yarn/test/*.jar execute --disable-banner --details=tree --class-path "$out/test:$out/classes:$(printf '%s:' "$out"/lib/*.jar)" \
    --scan-class-path "$out/test"
fi
