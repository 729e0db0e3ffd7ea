#!/usr/bin/env bash
# Makes build/package/superstep-<version>-linux-<machine>.tar.gz: the command with all that it needs, down to the C
# library and the loader, so that it runs on any Linux of this machine's kind, and in a folder that holds nothing else.
# It is also the archive that a job takes along to YARN.
#
#   bin/superstep     starts lib/superstep through lib/ld.so
#   bin/score_model.sh scores a job of 2014 (docs/properties.md)
#   lib/              the program, its loader, the libraries that it is linked to
#   java/             the YARN application, and the Hadoop client that it talks by (left out with --no-java)
#   licences/         of everything inside
#   CONTENTS          size, SHA-256 and name of each file
#
# The same inputs give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

java=yes
[ "${1:-}" != --no-java ] || java=

build=$PWD/build/release
version=$(sed -n 's/^project(superstep VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
name=superstep-$version
out=build/package
root=$out/$name
tarball=$out/$name-linux-$(uname -m).tar.gz

cmake --build "$build" --target superstep superstep_launcher
rm -rf "$root" "$tarball"
mkdir -p "$root"/{bin,lib,licences}
cp LICENSE "$root/licences/superstep"
DESTDIR='' cmake --install "$build" --component package --prefix "$PWD/$root" --strip > /dev/null
strip -o "$root/bin/superstep" "$build/bin/superstep_launcher"
cp superstep/cli/score_model.sh "$root/bin/"

# licence FILE: whose package's, as Debian installs it.
licence() {
  local file owner
  for file in "$1" "/usr$1" "${1#/usr}"; do
    owner=$(dpkg-query -S "$file" 2> /dev/null | head -1 | cut -d: -f1) || true
    [ -z "$owner" ] || break
  done
  [ -n "$owner" ] || { echo "package: no package owns $1, so its licence is not known" >&2; exit 1; }
  cp "/usr/share/doc/$owner/copyright" "$root/licences/$owner"
}

# Its jar holds no licence text; the same text is that of our own licence.
onednn_licence() {
  echo "oneDNN (https://github.com/uxlfoundation/oneDNN), copyright its authors, is under the Apache License 2.0:"
  echo
  cat LICENSE
}

# ldd says "name => path (address)", and of the loader "path (address)".
ldd "$build/bin/superstep" | sed -n 's/^\t\(.* => \)\?\(\/[^ ]*\) (.*/\2/p' | while read -r library; do
  case $library in
    */ld-linux*) cp -L "$library" "$root/lib/ld.so" ;;
    *) cp -L "$library" "$root/lib/" ;;
  esac
  case $library in
    "$PWD/build/deps"/* | "$(readlink -f build/deps)"/*) onednn_licence > "$root/licences/oneDNN" ;;
    *) licence "$library" ;;
  esac
done

if [ -n "$java" ]; then
  tools/package_java.sh
  mkdir "$root/java"
  cp build/java/yarn/superstep-yarn.jar "$root/java/"
  cp -r build/java/yarn/lib "$root/java/lib"
fi

chmod -R u=rwX,go=rX "$root"
(cd "$root" && find . -type f ! -name CONTENTS -printf '%P\n' | LC_ALL=C sort | while read -r file; do
  printf '%12d  %s  %s\n' "$(stat -c %s "$file")" "$(sha256sum < "$file" | cut -d' ' -f1)" "$file"
done) > "$root.contents"
mv "$root.contents" "$root/CONTENTS"
# The client packs the unpacked folder in the same way where a cluster lacks it.
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$out" -cf - "$name" | gzip -n -6 > "$tarball"
echo "$tarball: $(du -h "$tarball" | cut -f1), $(wc -l < "$root/CONTENTS") files, sha256 $(sha256sum < "$tarball" | cut -d' ' -f1)"
