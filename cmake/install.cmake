# cmake --install: headers, library, program, and the two ways in which others find them.
include(CMakePackageConfigHelpers)

set(varve_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/varve)

install(DIRECTORY include/varve DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS varve ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET varve_shared)
  install(TARGETS varve_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET varve_cli_binary)
  install(TARGETS varve_cli_binary RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # The manual page and the completions, as the program prints them.
  set(varve_documents ${CMAKE_CURRENT_BINARY_DIR}/documents)
  add_custom_command(
    OUTPUT ${varve_documents}/varve.1 ${varve_documents}/varve ${varve_documents}/_varve
    COMMAND ${CMAKE_COMMAND} -E make_directory ${varve_documents}
    COMMAND varve_cli_binary man > ${varve_documents}/varve.1
    COMMAND varve_cli_binary completion bash > ${varve_documents}/varve
    COMMAND varve_cli_binary completion zsh > ${varve_documents}/_varve
    DEPENDS varve_cli_binary VERBATIM)
  add_custom_target(varve_documents ALL DEPENDS ${varve_documents}/varve.1)
  # OPTIONAL: a build of the program alone has not made them.
  install(FILES ${varve_documents}/varve.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL)
  install(FILES ${varve_documents}/varve
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions OPTIONAL)
  install(FILES ${varve_documents}/_varve DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions OPTIONAL)
endif()

# Written by hand: an exported target would carry the build tree's object libraries and flags along.
configure_package_config_file(cmake/varveConfig.cmake.in ${CMAKE_BINARY_DIR}/varveConfig.cmake
                              INSTALL_DESTINATION ${varve_cmake_dir}
                              PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
# Before 1.0 every minor version may change the interface.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/varveConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/varveConfig.cmake ${CMAKE_BINARY_DIR}/varveConfigVersion.cmake
        DESTINATION ${varve_cmake_dir})

# The paths in the .pc files are relative to the files, so that the prefix may be moved.
file(RELATIVE_PATH varve_pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/varve.pc.in ${CMAKE_BINARY_DIR}/varve.pc @ONLY)
configure_file(cmake/varve_c.pc.in ${CMAKE_BINARY_DIR}/varve_c.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/varve.pc ${CMAKE_BINARY_DIR}/varve_c.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
