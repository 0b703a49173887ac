# Libraries from the system. docs/dependencies.md says of each why it is there.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

add_library(varve_compressors INTERFACE)
target_link_libraries(varve_compressors INTERFACE PkgConfig::LZ4 PkgConfig::ZSTD)

# Header-only; src/cli and src/node include it.
find_package(nlohmann_json 3.11 REQUIRED)
# Used as headers; src/cli/config_file.cc alone includes it.
find_path(VARVE_TOML_INCLUDE toml++/toml.h REQUIRED)

# src/tls alone includes it; not in the library.
find_package(OpenSSL 3.0 REQUIRED COMPONENTS SSL)

# src/node/http_client.cc alone includes it; not in the library.
find_package(CURL 7.85 REQUIRED)

# The allocator of the program alone (docs/design/0037, "Memory"); sanitizers bring their own.
if(NOT VARVE_SANITIZE)
  find_package(mimalloc 2.0 REQUIRED)
endif()
