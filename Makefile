# Short names for what is done often. The work is done by tools/ and CMake (CMakePresets.json).
.DEFAULT_GOAL := help
.PHONY: help build quickstart package test test-all format lint bench docs hadoop-up hadoop-down

help:  ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

build:  ## install what is missing and build the command: build/release/bin/superstep
	tools/bootstrap.sh build
	cmake --preset release
	cmake --build build/release --target superstep

quickstart: build  ## train on real handwritten digits and print the held-out error
	cmake --build build/release --target nearest_neighbour
	examples/digits/run.sh

test:  ## build and test everything: release, thread and address sanitizers, minimal
	tools/run_tests.sh

test-all:  ## the same with the long tests (label nightly)
	tools/run_tests.sh --nightly

package: build  ## one archive that runs on any Linux of this kind, and on YARN: build/package
	tools/package.sh

format:  ## lay out the C++ sources with clang-format
	tools/bootstrap.sh lint
	git ls-files -co --exclude-standard '*.h' '*.cpp' | xargs clang-format-14 -i

lint:  ## check layout, layers, links in documents, and names
	tools/bootstrap.sh lint
	tools/lint.sh

bench:  ## build and run the benchmarks; PEERS=1 installs PyTorch and others to compare with
	tools/bootstrap.sh build
	cmake --preset release
	cmake --build build/release
	@set -e; for b in build/release/bin/*_bench; do echo "== $$b"; "$$b"; done
	bench/peers/run.py all $(if $(PEERS),--install)

docs:  ## check that every link in the documents leads somewhere
	tools/check_links.py

hadoop-up:  ## start HDFS and YARN on this machine, for tests and trying (tools/hadoop/README.md)
	tools/bootstrap.sh hadoop
	@tools/hadoop/hadoop up $(if $(KERBEROS),--kerberos)

hadoop-down:  ## end them
	@tools/hadoop/hadoop down
