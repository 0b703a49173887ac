# examples/NAME.cc becomes build/.../examples/NAME, as a program outside of the tree would be built. Each
# page of documents that shows what an example prints is run by a test. Included from
# tests/CMakeLists.txt.
file(GLOB example_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/*.cc)
foreach(source ${example_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(example_${name} ${source})
  set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name}
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
  target_link_libraries(example_${name} PRIVATE varve_settings varve varve_compressors)
endforeach()

# varve_example_page(name): docs/NAME.md runs what is in examples/.
function(varve_example_page name)
  varve_check(examples.${name} ${CMAKE_SOURCE_DIR}/tools/check_examples.py
              ${CMAKE_BINARY_DIR}/examples ${CMAKE_SOURCE_DIR}/docs/${name}.md)
endfunction()
varve_example_page(transactions)
