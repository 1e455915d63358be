# BLAKE3's official C code: a packaged library where the system has one, else the sources that
# Debian's librust-blake3-dev installs, built here with their assembly. Nothing is copied.
#
# AFTUNE_BLAKE3_INTERNALS says whether the functions of blake3_impl.h can be linked: hashing on
# several threads needs them. A packaged library does not install that header.
option(AFTUNE_BLAKE3_SERIAL "Hash BLAKE3 on one thread even where several could be used" OFF)
set(AFTUNE_BLAKE3_INTERNALS OFF)
find_package(BLAKE3 CONFIG QUIET)
if(BLAKE3_FOUND)
  add_library(aftune_blake3 INTERFACE)
  target_link_libraries(aftune_blake3 INTERFACE BLAKE3::blake3)
else()
  file(GLOB AFTUNE_BLAKE3_FOUND /usr/share/cargo/registry/blake3-*/c)
  if(NOT AFTUNE_BLAKE3_FOUND)
    message(FATAL_ERROR "BLAKE3 not found: install librust-blake3-dev (./tools/setup does)")
  endif()
  list(SORT AFTUNE_BLAKE3_FOUND COMPARE NATURAL ORDER DESCENDING)
  list(GET AFTUNE_BLAKE3_FOUND 0 AFTUNE_BLAKE3_C)
  set(AFTUNE_BLAKE3_SOURCES blake3.c blake3_dispatch.c blake3_portable.c)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND AFTUNE_BLAKE3_SOURCES blake3_sse2_x86-64_unix.S blake3_sse41_x86-64_unix.S
                                      blake3_avx2_x86-64_unix.S blake3_avx512_x86-64_unix.S)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    list(APPEND AFTUNE_BLAKE3_SOURCES blake3_neon.c)
  endif()
  list(TRANSFORM AFTUNE_BLAKE3_SOURCES PREPEND ${AFTUNE_BLAKE3_C}/)
  add_library(aftune_blake3 STATIC ${AFTUNE_BLAKE3_SOURCES})
  target_include_directories(aftune_blake3 SYSTEM PUBLIC ${AFTUNE_BLAKE3_C})
  if(NOT AFTUNE_BLAKE3_SERIAL)
    set(AFTUNE_BLAKE3_INTERNALS ON)
  endif()
endif()
