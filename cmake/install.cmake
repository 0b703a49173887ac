# cmake --install: headers, library, program, and the two ways in which others find them.
include(CMakePackageConfigHelpers)

set(varve_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/varve)

install(DIRECTORY include/varve DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT development FILES_MATCHING PATTERN "*.h")
install(TARGETS varve ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
if(TARGET varve_shared)
  install(TARGETS varve_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
          NAMELINK_COMPONENT development)
endif()
if(TARGET varve_cli_binary)
  install(TARGETS varve_cli_binary RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
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
  install(FILES ${varve_documents}/varve.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program OPTIONAL)
  install(FILES ${varve_documents}/varve
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program OPTIONAL)
  install(FILES ${varve_documents}/_varve DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions
          COMPONENT program OPTIONAL)
  # Where Debian's zsh looks below /usr.
  install(FILES ${varve_documents}/_varve DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
          COMPONENT program OPTIONAL)
  install(FILES packaging/varve.service DESTINATION lib/systemd/system COMPONENT program)
  install(FILES packaging/varve.toml LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/varve
          COMPONENT program)
endif()

# Written by hand: an exported target would carry the build tree's object libraries and flags along.
configure_package_config_file(cmake/varveConfig.cmake.in ${CMAKE_BINARY_DIR}/varveConfig.cmake
                              INSTALL_DESTINATION ${varve_cmake_dir}
                              PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
# Before 1.0 every minor version may change the interface.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/varveConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/varveConfig.cmake ${CMAKE_BINARY_DIR}/varveConfigVersion.cmake
        DESTINATION ${varve_cmake_dir} COMPONENT development)

# The paths in the .pc files are relative to the files, so that the prefix may be moved.
file(RELATIVE_PATH varve_pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/varve.pc.in ${CMAKE_BINARY_DIR}/varve.pc @ONLY)
configure_file(cmake/varve_c.pc.in ${CMAKE_BINARY_DIR}/varve_c.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/varve.pc ${CMAKE_BINARY_DIR}/varve_c.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)

# cpack -G DEB: varve, the program, and libvarve-dev, for programs with the library.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME varve)
set(CPACK_PACKAGE_VENDOR varve)
set(CPACK_PACKAGE_CONTACT "the maintainers of varve <varve@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "ordered key-value store, as a server and in one directory")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME varve)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
    "ordered key-value store, as a server and in one directory
 A server that every Redis client can use, on data that is durable, ordered and larger
 than memory; and a command line that works on it and on directories.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA
    "${CMAKE_SOURCE_DIR}/packaging/postinst;${CMAKE_SOURCE_DIR}/packaging/prerm;${CMAKE_SOURCE_DIR}/packaging/postrm")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libvarve-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "liblz4-dev, libzstd-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
    "ordered key-value store, as a library
 The C++ and C interfaces of varve, with the static and the shared library.")
include(CPack)
