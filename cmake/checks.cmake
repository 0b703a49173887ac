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
    get_property(left_out GLOBAL PROPERTY varve_left_out)
    list(TRANSFORM left_out PREPEND --left-out=)
    set(built --compile-commands ${CMAKE_BINARY_DIR}/compile_commands.json ${left_out})
  endif()
  varve_check(check.tidy ${tools}/tidy.py ${built} ${CMAKE_SOURCE_DIR})
  # Every planted bug is in the table of the documents.
  varve_check(check.planted_bugs ${tools}/planted_bugs.py --check)
  # What is promised, and what runs have reached, is as the campaigns say.
  varve_check(check.promises ${tools}/promises.py --check)
  varve_check(check.checks ${CMAKE_SOURCE_DIR}/tests/tools/checks_test.py ${tools})
  varve_check(types.compile_fail ${CMAKE_SOURCE_DIR}/tests/types/compile_fail_test.py
              ${CMAKE_SOURCE_DIR} ${CMAKE_CXX_COMPILER})
  # The consumer is compiled by the same compiler, without the sanitizers' flags.
  varve_check(check.consumer ${CMAKE_SOURCE_DIR}/tests/integration/consumer/consumer_test.py
              ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR} ${CMAKE_CXX_COMPILER})
  # Says so, and is counted as skipped, where there is no dpkg.
  varve_check(check.package ${CMAKE_SOURCE_DIR}/tests/integration/package_test.py ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  set_tests_properties(check.package PROPERTIES SKIP_RETURN_CODE 77)
  # Planted bugs stay out of releases.
  varve_check(check.release ${CMAKE_SOURCE_DIR}/tests/integration/release_test.py ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR} ${CMAKE_CXX_COMPILER})
  varve_check(c.symbols ${CMAKE_SOURCE_DIR}/tests/c/symbols_test.py $<TARGET_FILE:varve_shared>
              ${CMAKE_SOURCE_DIR}/include/varve/c.h)
endif()

# Simulated clusters find by themselves what few seeds show of it.
if(VARVE_PLANTED_BUGS AND NOT VARVE_SANITIZE AND TARGET varve_cli_binary)
  varve_check(check.simulated_bugs ${tools}/planted_bugs.py --build $<TARGET_FILE_DIR:varve_cli_binary> --simulator --few-seeds)
  varve_check(cli.torture_process ${CMAKE_SOURCE_DIR}/tests/cli/torture_process_test.py $<TARGET_FILE:varve_cli_binary>)
endif()

if(TARGET varve_cli_binary)
  # Every campaign once as users run them, those with processes of their own among them.
  add_test(NAME cli.torture COMMAND varve_cli_binary torture all --seeds 1 --dir ${CMAKE_CURRENT_BINARY_DIR})
  set_tests_properties(cli.torture PROPERTIES LABELS check TIMEOUT 600)
  # What a broken promise looks like, and that every campaign's oracle can fail: by the mistakes that are planted.
  set(planted $<$<BOOL:${VARVE_PLANTED_BUGS}>:planted>)
  add_test(NAME cli.torture_violations COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/cli/torture_test.py
           $<TARGET_FILE:varve_cli_binary> ${planted} COMMAND_EXPAND_LISTS)
  set_tests_properties(cli.torture_violations PROPERTIES LABELS check TIMEOUT 600)
  if(VARVE_PLANTED_BUGS)
    varve_check(cli.torture_oracles ${tools}/planted_bugs.py --torture --build ${CMAKE_BINARY_DIR})
  endif()
  varve_check(check.examples ${tools}/check_examples.py $<TARGET_FILE_DIR:varve_cli_binary>
              ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/docs/operating.md
              ${CMAKE_SOURCE_DIR}/docs/namespaces.md ${CMAKE_SOURCE_DIR}/docs/ttl.md
              ${CMAKE_SOURCE_DIR}/docs/repair.md ${CMAKE_SOURCE_DIR}/docs/tree.md
              ${CMAKE_SOURCE_DIR}/docs/backup.md ${CMAKE_SOURCE_DIR}/docs/cli.md
              ${CMAKE_SOURCE_DIR}/docs/server.md ${CMAKE_SOURCE_DIR}/docs/cluster.md)
  varve_check(cli.process ${CMAKE_SOURCE_DIR}/tests/cli/process_test.py
              $<TARGET_FILE:varve_cli_binary>)
  varve_check(cli.server_process ${CMAKE_SOURCE_DIR}/tests/cli/server_process_test.py
              $<TARGET_FILE:varve_cli_binary>)
  varve_check(cli.server_ports ${CMAKE_SOURCE_DIR}/tests/cli/server_ports_test.py
              $<TARGET_FILE:varve_cli_binary>)
  varve_check(server.process ${CMAKE_SOURCE_DIR}/tests/server/server_process_test.py
              $<TARGET_FILE:varve_cli_binary>)
  # Clusters of processes under faults, their histories judged by the simulator's oracles.
  varve_check(server.cluster_history ${CMAKE_SOURCE_DIR}/tests/server/cluster_history_test.py
              $<TARGET_FILE:varve_cluster_history_check>)
  foreach(test without_faults a_node_that_is_cut_off_costs_no_request links links_latest_wins nodes links_and_nodes
               all_nodes_at_once)
    varve_check(server.cluster_faults.${test} ${CMAKE_SOURCE_DIR}/tests/server/cluster_faults_test.py
                $<TARGET_FILE:varve_cli_binary> $<TARGET_FILE:varve_cluster_history_check> FaultsTest.test_${test})
  endforeach()
  foreach(test GrowthTest UpgradeTest)
    varve_check(server.cluster_growth.${test} ${CMAKE_SOURCE_DIR}/tests/server/cluster_growth_test.py
                $<TARGET_FILE:varve_cli_binary> $<TARGET_FILE:varve_cluster_history_check> ${test})
  endforeach()
  # Says so, and is counted as skipped, without libfaketime.
  foreach(test latest_wins siblings a_clock_jumps)
    varve_check(server.cluster_clock.${test} ${CMAKE_SOURCE_DIR}/tests/server/cluster_clock_test.py
                $<TARGET_FILE:varve_cli_binary> $<TARGET_FILE:varve_cluster_history_check> ClockTest.test_${test})
    set_tests_properties(server.cluster_clock.${test} PROPERTIES SKIP_RETURN_CODE 77)
    if(VARVE_SANITIZE)
      set_tests_properties(server.cluster_clock.${test} PROPERTIES ENVIRONMENT VARVE_SANITIZED=1)
    endif()
  endforeach()
  # Says so, and is counted as skipped, without etcd.
  foreach(test without_etcd_requests_go_on while_etcd_stands_still_requests_go_on a_join_goes_on_when_etcd_is_back the_demo_starts_etcd_again)
    varve_check(server.cluster_etcd.${test} ${CMAKE_SOURCE_DIR}/tests/server/cluster_etcd_test.py
                $<TARGET_FILE:varve_cli_binary> $<TARGET_FILE:varve_cluster_history_check> EtcdTest.test_${test})
    set_tests_properties(server.cluster_etcd.${test} PROPERTIES SKIP_RETURN_CODE 77)
  endforeach()
  varve_check(server.cluster_tls ${CMAKE_SOURCE_DIR}/tests/server/cluster_tls_test.py $<TARGET_FILE:varve_cli_binary>)
  set_tests_properties(server.cluster_tls PROPERTIES SKIP_RETURN_CODE 77)
  varve_check(server.cluster_namespaces ${CMAKE_SOURCE_DIR}/tests/server/cluster_namespaces_test.py
              $<TARGET_FILE:varve_cli_binary>)
  varve_check(server.cluster_fixed ${CMAKE_SOURCE_DIR}/tests/server/cluster_fixed_test.py
              $<TARGET_FILE:varve_cli_binary>)
  varve_check(server.cluster ${CMAKE_SOURCE_DIR}/tests/server/cluster_process_test.py
              $<TARGET_FILE:varve_cli_binary>)
  varve_check(server.abuse ${CMAKE_SOURCE_DIR}/tests/server/abuse_test.py
              $<TARGET_FILE:varve_cli_binary>)
  if(VARVE_SANITIZE)
    set_tests_properties(server.abuse PROPERTIES ENVIRONMENT VARVE_SANITIZED=1)
  endif()
  # Says so, and is counted as skipped, where Debian's redis-server is absent.
  varve_check(server.compare ${CMAKE_SOURCE_DIR}/tests/server/compare_test.py
              $<TARGET_FILE:varve_cli_binary>)
  set_tests_properties(server.compare PROPERTIES SKIP_RETURN_CODE 77)
endif()

# The binding for Python, by the system's interpreter, whose pytest and pip it needs. A library with sanitizers
# cannot be loaded into a plain interpreter.
find_program(VARVE_SYSTEM_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(NOT VARVE_SYSTEM_PYTHON)
  set(VARVE_SYSTEM_PYTHON ${Python3_EXECUTABLE})
endif()
set(python_tests ${CMAKE_SOURCE_DIR}/tests/python)
if(TARGET varve_cli_binary)
  # By the interpreter that Debian's packages are for; says what it skips where clients are absent.
  add_test(NAME server.clients COMMAND ${VARVE_SYSTEM_PYTHON} ${CMAKE_SOURCE_DIR}/tests/clients/clients_test.py
           $<TARGET_FILE:varve_cli_binary> ${CMAKE_C_COMPILER} ${CMAKE_SOURCE_DIR}/build/node_clients/node_modules)
  add_test(NAME server.cluster_clients COMMAND ${VARVE_SYSTEM_PYTHON} ${CMAKE_SOURCE_DIR}/tests/clients/cluster_clients_test.py
           $<TARGET_FILE:varve_cli_binary> ${CMAKE_SOURCE_DIR}/build/node_clients/node_modules)
  set_tests_properties(server.clients server.cluster_clients PROPERTIES LABELS check TIMEOUT 600)
endif()
if(VARVE_SANITIZE)
  add_test(NAME python.interface COMMAND ${CMAKE_COMMAND} -E echo
           "skipped: a library with sanitizers cannot be loaded into a plain interpreter")
  set_tests_properties(python.interface PROPERTIES LABELS check SKIP_REGULAR_EXPRESSION "skipped:")
else()
  add_test(NAME python.interface COMMAND ${VARVE_SYSTEM_PYTHON} -m pytest -q -p no:cacheprovider ${python_tests})
  set_tests_properties(python.interface PROPERTIES LABELS check TIMEOUT 600 ENVIRONMENT
    "VARVE_LIBRARY=$<TARGET_FILE:varve_shared>;PYTHONPATH=${CMAKE_SOURCE_DIR}/bindings/python;PYTHONDONTWRITEBYTECODE=1")
  add_test(NAME python.install COMMAND ${VARVE_SYSTEM_PYTHON} ${python_tests}/install_check.py
           ${CMAKE_SOURCE_DIR} $<TARGET_FILE:varve_shared>)
  set_tests_properties(python.install PROPERTIES LABELS check TIMEOUT 600)
endif()
