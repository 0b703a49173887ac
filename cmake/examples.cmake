# examples/NAME.cc becomes build/.../examples/NAME, as a program outside of the tree would be built; NAME.c too, by a
# C compiler, with the shared library. Where
# there is a NAME.out, a test runs it in an empty folder of its own, and it must print that. The others are
# run by the test of a page of documents that shows what they print. Included from tests/CMakeLists.txt.
file(GLOB example_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/*.cc
     ${CMAKE_SOURCE_DIR}/examples/*.c)
foreach(source ${example_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(example_${name} ${source})
  set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name}
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
  if(source MATCHES "[.]c$")
    set_target_properties(example_${name} PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF)
    target_link_libraries(example_${name} PRIVATE varve_settings varve_shared)
  else()
    target_link_libraries(example_${name} PRIVATE varve_settings varve varve_compressors)
  endif()
  set(output ${CMAKE_SOURCE_DIR}/examples/${name}.out)
  if(EXISTS ${output})
    add_test(NAME example.${name} COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:example_${name}>
             -DFOLDER=${CMAKE_CURRENT_BINARY_DIR}/example_${name}.d -DOUTPUT=${output}
             -P ${CMAKE_SOURCE_DIR}/cmake/run_example.cmake)
    set_tests_properties(example.${name} PROPERTIES LABELS check TIMEOUT 60)
  endif()
endforeach()

# varve_example_page(name): docs/NAME.md runs what is in examples/.
function(varve_example_page name)
  varve_check(examples.${name} ${CMAKE_SOURCE_DIR}/tools/check_examples.py
              ${CMAKE_BINARY_DIR}/examples ${CMAKE_SOURCE_DIR}/docs/${name}.md)
endfunction()
varve_example_page(transactions)
varve_example_page(async)
