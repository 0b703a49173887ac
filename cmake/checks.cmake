# Checks beside the test programs, each a ctest: layers, headers, house rules, the installed package, the
# examples of the documents. Included from tests/CMakeLists.txt.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

function(varve_check name)
  add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS check TIMEOUT 600)
endfunction()

set(tools ${CMAKE_SOURCE_DIR}/tools)

# What does not depend on how the code was built need not run under sanitizers again.
if(NOT VARVE_SANITIZE)
  varve_check(check.layers ${tools}/check_layers.py ${CMAKE_SOURCE_DIR})
  varve_check(check.headers ${tools}/check_headers.py ${CMAKE_CXX_COMPILER} ${CMAKE_SOURCE_DIR})
  # Without the benchmarks in the build, their sources would count as built by nobody.
  if(VARVE_BENCH)
    set(built --compile-commands ${CMAKE_BINARY_DIR}/compile_commands.json)
  endif()
  varve_check(check.tidy ${tools}/tidy.py ${built} ${CMAKE_SOURCE_DIR})
  # Every planted bug is in the table of the documents.
  varve_check(check.planted_bugs ${tools}/planted_bugs.py --check)
  varve_check(check.checks ${CMAKE_SOURCE_DIR}/tests/tools/checks_test.py ${tools})
  varve_check(types.compile_fail ${CMAKE_SOURCE_DIR}/tests/types/compile_fail_test.py
              ${CMAKE_SOURCE_DIR} ${CMAKE_CXX_COMPILER})
  # The consumer is compiled by the same compiler, without the sanitizers' flags.
  varve_check(check.consumer ${CMAKE_SOURCE_DIR}/tests/integration/consumer/consumer_test.py
              ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR} ${CMAKE_CXX_COMPILER})
endif()

if(TARGET varve_cli_binary)
  varve_check(check.examples ${tools}/check_examples.py $<TARGET_FILE_DIR:varve_cli_binary>
              ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/docs/operating.md
              ${CMAKE_SOURCE_DIR}/docs/namespaces.md ${CMAKE_SOURCE_DIR}/docs/ttl.md
              ${CMAKE_SOURCE_DIR}/docs/backup.md)
  varve_check(cli.process ${CMAKE_SOURCE_DIR}/tests/cli/process_test.py
              $<TARGET_FILE:varve_cli_binary>)
endif()
