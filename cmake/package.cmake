# The library as others build on it: the target drape::drape, whose headers are <drape/core/tensor.h>
# and so on, both where it is installed and in the build of a project that holds this one.

add_library(drape::drape ALIAS drape)
set(public_headers ${PROJECT_BINARY_DIR}/include/drape)
target_include_directories(drape PUBLIC $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>)

# Copies of the headers, so that no other folder gets into the include path of those who use them.
set(names "")
foreach(header IN LISTS headers)
  file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${header})
  list(APPEND names ${name})
endforeach()
list(TRANSFORM names PREPEND ${public_headers}/ OUTPUT_VARIABLE copies)
set(stamp ${PROJECT_BINARY_DIR}/public_headers.stamp)
add_custom_command(OUTPUT ${stamp} BYPRODUCTS ${copies}
  COMMAND ${CMAKE_COMMAND} -D SOURCE=${PROJECT_SOURCE_DIR} -D OUTPUT=${public_headers} -D "FOLDERS=${folders}"
    -P ${PROJECT_SOURCE_DIR}/cmake/package/public_headers.cmake
  COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
  DEPENDS ${headers} ${PROJECT_SOURCE_DIR}/cmake/package/public_headers.cmake
  VERBATIM)
add_custom_target(drape_public_headers DEPENDS ${stamp})
add_dependencies(drape drape_public_headers)

configure_file(cmake/package/version.h.in ${public_headers}/version.h @ONLY)
list(FILTER names EXCLUDE REGEX "^kernels/")
list(TRANSFORM names REPLACE "(.+)" "#include \"drape/\\1\"\n")
string(JOIN "" includes ${names})
configure_file(cmake/package/drape.h.in ${public_headers}/drape.h @ONLY)

if(NOT DRAPE_INSTALL OR drape_cuda_mode STREQUAL "EMULATED")
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set_target_properties(drape PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
install(TARGETS drape EXPORT drapeTargets COMPONENT library INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_BINARY_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)

# What a program that links the library needs as well: of a static one, all that it stands on.
set(dependencies "find_dependency(fmt CONFIG)\nfind_dependency(Threads)\n")  # for CMake
set(requirements fmt)                                                        # for pkg-config, which knows them
set(libraries -pthread)                                                      # for pkg-config
set(definitions "")
if(drape_cuda_mode STREQUAL "ON")
  set(definitions " -DDRAPE_CUDA")
endif()
if(NOT BUILD_SHARED_LIBS)
  string(APPEND dependencies
    "find_dependency(OpenMP COMPONENTS CXX)\nfind_dependency(dnnl CONFIG)\nfind_dependency(ZLIB)\n"
    "find_dependency(OpenSSL COMPONENTS Crypto)\nfind_dependency(CURL)\nfind_dependency(PNG)\n")
  list(APPEND requirements libcrypto libpng zlib)
  list(TRANSFORM OpenMP_CXX_LIB_NAMES PREPEND -l OUTPUT_VARIABLE open_mp)
  list(APPEND libraries -lcurl -ldnnl ${open_mp})  # libcurl.pc asks --static for libraries of no package
  if(drape_cuda_mode STREQUAL "ON")
    string(APPEND dependencies "find_dependency(CUDAToolkit ${CUDAToolkit_VERSION_MAJOR})\n")
    list(APPEND libraries -L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -lrt -ldl)
  endif()
endif()
list(JOIN requirements " " requirements)
list(JOIN libraries " " libraries)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/drape)
install(EXPORT drapeTargets NAMESPACE drape:: DESTINATION ${package} COMPONENT library)
configure_package_config_file(cmake/package/drapeConfig.cmake.in drapeConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(drapeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/drapeConfig.cmake ${PROJECT_BINARY_DIR}/drapeConfigVersion.cmake
  DESTINATION ${package} COMPONENT library)

file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" up ${up})
configure_file(cmake/package/drape.pc.in drape.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/drape.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
