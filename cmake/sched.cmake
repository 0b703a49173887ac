# The test program under the controlled scheduler (tests/sched/scheduler.h): the structures that threads share
# once more, each atomic operation and each access to memory a call of the scheduler's, and the waiting functions of
# the system replaced. Included from tests/CMakeLists.txt; not together with sanitizers, whose calls it takes,
# and on x86-64 only (tests/sched/fiber.cc).
set(sched ${CMAKE_SOURCE_DIR}/tests/sched)
set(sched_sources)
foreach(name base/check base/epoch base/hash base/hash_wide base/status
             engine/block_cache engine/chunk_pool engine/commit_lock engine/db_background engine/db_commit
             engine/db_compaction engine/db_flush engine/db_multi_get engine/db_read engine/frame_allocator engine/log_file
             engine/memtable engine/memtable_arena engine/memtable_node engine/memtable_tree engine/read_slots
             engine/sync_group engine/transaction_gate engine/version_set)
  list(APPEND sched_sources ${CMAKE_SOURCE_DIR}/src/${name}.cc)
endforeach()
file(GLOB sched_tests CONFIGURE_DEPENDS ${sched}/*_test.cc)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/base/hash_wide.cc PROPERTIES COMPILE_OPTIONS -mavx2)
endif()

# Only the calls that the sanitizer's compiler pass puts in; what they do is tests/sched/instrument.cc.
add_library(varve_sched_calls INTERFACE)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(varve_sched_calls INTERFACE -fsanitize=thread --param tsan-instrument-func-entry-exit=0)
else()
  target_compile_options(varve_sched_calls INTERFACE -fsanitize=thread -mllvm -tsan-instrument-func-entry-exit=0)
endif()

add_library(varve_sched OBJECT ${sched_sources})
target_include_directories(varve_sched PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(varve_sched PRIVATE varve_settings varve_sched_calls varve_compressors Threads::Threads)

add_library(varve_sched_runtime OBJECT ${sched}/scheduler.cc ${sched}/explore.cc ${sched}/shorten.cc ${sched}/intercept.cc
            ${sched}/instrument.cc ${sched}/fiber.cc ${sched}/heap.cc)
target_include_directories(varve_sched_runtime PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(varve_sched_runtime PRIVATE varve_settings)

# What is not a structure of threads, such as src/env, as it is. Not from libvarve.a, where one object may hold both.
foreach(layer base env format engine)
  file(GLOB layer_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${layer}/*.cc)
  list(APPEND sched_rest ${layer_sources})
endforeach()
list(REMOVE_ITEM sched_rest ${sched_sources})
add_library(varve_sched_rest STATIC ${sched_rest})
target_include_directories(varve_sched_rest PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(varve_sched_rest PRIVATE varve_settings varve_compressors Threads::Threads)

add_executable(varve_sched_test ${sched_tests})
target_link_libraries(varve_sched_test PRIVATE varve_settings varve_sched_calls varve_sched_runtime varve_sched
                      varve_sched_rest varve_compressors Threads::Threads GTest::gtest GTest::gtest_main)
foreach(name pthread_mutex_lock pthread_mutex_trylock pthread_mutex_unlock pthread_cond_clockwait sched_yield syscall
             clock_gettime clock_nanosleep nanosleep __cxa_guard_acquire __cxa_guard_release __cxa_guard_abort __cxa_thread_atexit
             _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE _ZNSt18condition_variable10notify_oneEv
             _ZNSt18condition_variable10notify_allEv _ZNSt6chrono3_V212steady_clock3nowEv)
  target_link_options(varve_sched_test PRIVATE -Wl,--wrap=${name})
endforeach()
gtest_discover_tests(varve_sched_test DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 900 LABELS sched)
