# One library, one test program and any number of fuzz targets a folder.
#
#   superstep_folder(reduce DEPENDS tensor base LINK some::library)
#
# x.cpp goes into the library superstep_<name>, x_test.cpp into <name>_test, and each x_fuzz.cpp is a
# program of its own: a libFuzzer target under clang, otherwise a replay of its corpus, run by ctest.
# EXCLUDE holds expressions: files that are left to another target, or out of this build.
# LINK names libraries that stay behind the folder's fence: their headers reach no other folder.
# COLD: nothing in it takes long to run, so it is compiled with -O1, which takes a sixth less time.

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(superstep_options INTERFACE)
target_compile_options(superstep_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror
  # The sums are exact and the bytes are compared: no fast maths, no contraction, anywhere.
  -ffp-contract=off -fno-fast-math)
# False alarms of gcc 12: members of other alternatives of a std::variant, and std::string's operator+
# (its bug 105329). clang's and the sanitizers' checks do the work.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(superstep_options INTERFACE -Wno-maybe-uninitialized -Wno-restrict)
endif()
target_include_directories(superstep_options INTERFACE ${PROJECT_SOURCE_DIR})
if(SUPERSTEP_SANITIZE)
  target_compile_options(superstep_options INTERFACE -fsanitize=${SUPERSTEP_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(superstep_options INTERFACE -fsanitize=${SUPERSTEP_SANITIZE})
  # The libraries tell the fuzzer which of their branches an input has reached.
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang AND SUPERSTEP_SANITIZE MATCHES address)
    target_compile_options(superstep_options INTERFACE -fsanitize=fuzzer-no-link)
  endif()
endif()
if(SUPERSTEP_MINIMAL)
  target_compile_definitions(superstep_options INTERFACE SUPERSTEP_MINIMAL)
endif()

function(superstep_folder name)
  cmake_parse_arguments(FOLDER "COLD" "" "DEPENDS;LINK;TEST_LINK;EXCLUDE" ${ARGN})
  set(library superstep_${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  foreach(exclude ${FOLDER_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX ${exclude})
  endforeach()
  set(tests ${sources})
  set(fuzzers ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
  list(TRANSFORM FOLDER_DEPENDS PREPEND superstep_)

  if(sources)
    add_library(${library} STATIC ${sources})
    target_link_libraries(${library} PUBLIC superstep_options fmt::fmt ${FOLDER_DEPENDS} PRIVATE ${FOLDER_LINK})
    if(FOLDER_COLD)
      target_compile_options(${library} PRIVATE -O1)
    endif()
  else()
    add_library(${library} INTERFACE)
    target_link_libraries(${library} INTERFACE superstep_options fmt::fmt ${FOLDER_DEPENDS})
  endif()

  if(SUPERSTEP_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${library} ${FOLDER_TEST_LINK} GTest::gtest_main)
    # Tests are named folder/Suite.Case: choose a folder with `ctest -R '^reduce/'`. (One label only:
    # gtest_discover_tests drops all but the first.)
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}/ PROPERTIES LABELS fast
      DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60)
  endif()

  if(SUPERSTEP_TESTS)
    foreach(file ${fuzzers})
      get_filename_component(fuzzer ${file} NAME_WE)
      superstep_fuzzer(${fuzzer} ${file} ${library})
    endforeach()
  endif()
endfunction()

# x_fuzz.cpp defines LLVMFuzzerTestOneInput; its corpus is the folder x_corpus beside it.
function(superstep_fuzzer name file library)
  string(REGEX REPLACE "_fuzz\\.cpp$" "_corpus" corpus ${file})
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang AND SUPERSTEP_SANITIZE MATCHES address)
    add_executable(${name} ${file})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    # libFuzzer writes what it finds into the first folder, and reads the others.
    set(found ${CMAKE_CURRENT_BINARY_DIR}/${name}_found)
    file(MAKE_DIRECTORY ${found})
    add_test(NAME ${name} COMMAND ${name} -seed=1 -runs=100000 -max_total_time=20 -rss_limit_mb=2048
      -print_final_stats=1 -artifact_prefix=${found}/ ${found} ${corpus})
  else()
    add_executable(${name} ${file} ${PROJECT_SOURCE_DIR}/tests/fuzz_replay.cpp)
    add_test(NAME ${name} COMMAND ${name} ${corpus})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "fast;fuzz")
  target_link_libraries(${name} PRIVATE ${library} ${FOLDER_TEST_LINK})
endfunction()
