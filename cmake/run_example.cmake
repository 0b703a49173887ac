# cmake -DPROGRAM=... -DFOLDER=... -DOUTPUT=... -P run_example.cmake: runs an example in an empty folder; it
# must print what the file OUTPUT holds.
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
execute_process(COMMAND ${PROGRAM} WORKING_DIRECTORY ${FOLDER} OUTPUT_VARIABLE printed RESULT_VARIABLE code)
file(REMOVE_RECURSE ${FOLDER})
file(READ ${OUTPUT} expected)
if(NOT code EQUAL 0 OR NOT printed STREQUAL expected)
  message(FATAL_ERROR "${PROGRAM} ended with ${code} and printed:\n${printed}\nexpected:\n${expected}")
endif()
