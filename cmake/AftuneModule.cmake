# One call a folder: a library target aftune_NAME, its tests, and its arrows.
#
#   aftune_module(NAME base SRCS a.cc TESTS a_test.cc DEPS codec LIBS OpenSSL::Crypto)
#
# TOGETHER: its files may be compiled eight at a time (-DAFTUNE_UNITY_MODULES=ON, as the sanitizer
# presets do), so their helpers need names of their own. The release build compiles each alone: that
# proves that each header stands alone.
# DEPS are modules of this tree and must be among the arrows of docs/design/modules.md;
# tools/check compares the includes with them. LIBS are third-party targets.

set(AFTUNE_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
# No compiler flag may change bits: contraction of a*b+c is off, fast-math is never set.
# -fno-math-errno only drops errno; results stay the same and sqrt can be an instruction.
set(AFTUNE_BITS -ffp-contract=off -fno-math-errno -fno-trapping-math)

function(aftune_target_options target)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(${target} PRIVATE ${AFTUNE_WARNINGS} ${AFTUNE_BITS})
  if(AFTUNE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(AFTUNE_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${AFTUNE_SANITIZE} -fno-omit-frame-pointer
                                            -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${AFTUNE_SANITIZE})
  endif()
endfunction()

# Sources that are tests. They spend their time in the compiler, not in running: several files at a
# time (a quarter of the processor time) and with little optimisation. So helpers of the tests of a
# folder need names of their own, also in unnamed namespaces. -DAFTUNE_UNITY_TESTS=OFF: one by one.
function(aftune_test_options target)
  aftune_target_options(${target})
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${AFTUNE_UNITY_TESTS}
                                             UNITY_BUILD_BATCH_SIZE 8)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

function(aftune_module)
  cmake_parse_arguments(M "TOGETHER" "NAME" "SRCS;TESTS;DEPS;LIBS;TEST_LIBS;TEST_DEPS" ${ARGN})
  add_library(aftune_${M_NAME} STATIC ${M_SRCS})
  aftune_target_options(aftune_${M_NAME})
  if(M_TOGETHER)
    set_target_properties(aftune_${M_NAME} PROPERTIES UNITY_BUILD ${AFTUNE_UNITY_MODULES}
                                                      UNITY_BUILD_BATCH_SIZE 8)
  endif()
  list(TRANSFORM M_DEPS PREPEND aftune_)
  target_link_libraries(aftune_${M_NAME} PUBLIC ${M_DEPS} PRIVATE fmt::fmt ${M_LIBS})
  if(AFTUNE_TESTS AND M_TESTS)
    list(TRANSFORM M_TEST_DEPS PREPEND aftune_)
    add_executable(aftune_${M_NAME}_test ${M_TESTS})
    aftune_test_options(aftune_${M_NAME}_test)
    target_link_libraries(aftune_${M_NAME}_test PRIVATE aftune_${M_NAME} ${M_TEST_DEPS} fmt::fmt
                                                        ${M_TEST_LIBS} GTest::gtest_main)
    target_compile_definitions(aftune_${M_NAME}_test PRIVATE
      AFTUNE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    # `ctest -L numerics` runs one module; the sanitizer runs of .ci/run choose by it.
    gtest_discover_tests(aftune_${M_NAME}_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS ${M_NAME})
  endif()
endfunction()
