# The CUDA backend: the .cu files of kernels/, by nvcc, or as C++ with the emulator of tests/emulator/.

set(drape_cuda_mode ${DRAPE_CUDA})
if(NOT drape_cuda_mode STREQUAL "OFF")
  find_package(CUDAToolkit 12 QUIET)
  find_path(CUDNN_INCLUDE_DIR cudnn.h
    HINTS ${CUDNN_ROOT} $ENV{CUDNN_ROOT} ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
  set(drape_cuda_missing "")
  if(NOT CUDAToolkit_FOUND)
    set(drape_cuda_missing "the CUDA toolkit, 12 or newer")
  elseif(NOT CUDNN_INCLUDE_DIR)
    set(drape_cuda_missing "cuDNN's header (CUDNN_ROOT names its folder)")
  elseif(NOT DRAPE_CUDA STREQUAL "EMULATED")
    if(NOT DEFINED ENV{CUDACXX} AND CUDAToolkit_NVCC_EXECUTABLE)
      set(ENV{CUDACXX} ${CUDAToolkit_NVCC_EXECUTABLE})  # also where it is in no one's PATH
    endif()
    include(CheckLanguage)
    check_language(CUDA)
    if(NOT CMAKE_CUDA_COMPILER)
      set(drape_cuda_missing "an nvcc that works with ${CMAKE_CXX_COMPILER}")
    endif()
  endif()
  if(drape_cuda_missing AND DRAPE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "DRAPE_CUDA=ON: expected ${drape_cuda_missing}")
  elseif(drape_cuda_missing)
    message(STATUS "without CUDA: ${drape_cuda_missing} is not here")
    set(drape_cuda_mode OFF)
  elseif(DRAPE_CUDA STREQUAL "AUTO")
    set(drape_cuda_mode ON)
  endif()
endif()

if(drape_cuda_mode STREQUAL "ON")
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90)  # 90: for it, and as PTX for what comes after
  endif()
  enable_language(CUDA)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")  # CMake 3.25 does not know that nvcc has it
  set(CMAKE_CUDA_STANDARD 20)
endif()

# Emulated kernels are what tests spend their time in. With every access reported to the race detector:
# compiled for, not linked to, the thread sanitizer.
if(DRAPE_RACE)
  set(drape_kernel_options -fsanitize=thread -O2 -g1)
elseif(DRAPE_SANITIZE)
  set(drape_kernel_options -O1 -Wno-maybe-uninitialized)
endif()

# Kernels as C++, and the emulator that runs them on the CPU.
function(drape_emulate target kernels)
  file(GLOB emulator CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/emulator/*.cpp)
  target_sources(${target} PRIVATE ${kernels} ${emulator})
  target_compile_definitions(${target} PUBLIC DRAPE_EMULATED)
  target_include_directories(${target} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${CUDNN_INCLUDE_DIR})
  target_link_libraries(${target} PRIVATE ${CMAKE_DL_LIBS})
  set_source_files_properties(${kernels} ${emulator} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  set_source_files_properties(${kernels} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++;${drape_kernel_options}")
  if(DRAPE_SANITIZE)
    set_source_files_properties(${emulator} PROPERTIES COMPILE_OPTIONS -O1)
  endif()
  # The race detector answers the sanitizer's calls: nothing may call it from there.
  set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/emulator/race.cpp PROPERTIES
    COMPILE_OPTIONS "-O1;-fno-sanitize=all")
endfunction()

# The .cu files of kernels/. In unity builds the short ones are joined, for nvcc takes five seconds
# for headers alone (CMake does so from 3.31 on).
function(drape_kernels result)
  file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
  if(CMAKE_UNITY_BUILD)
    set(short ${kernels})
    list(FILTER short EXCLUDE REGEX conv2d)
    list(REMOVE_ITEM kernels ${short})
    while(short)
      list(SUBLIST short 0 7 some)
      list(REMOVE_ITEM short ${some})
      list(TRANSFORM some REPLACE "(.+)" "#include \"\\1\"\n")
      string(JOIN "" includes ${some})
      list(LENGTH short rest)
      set(joined ${PROJECT_BINARY_DIR}/kernels/joined_${rest}.cu)
      file(CONFIGURE OUTPUT ${joined} CONTENT "${includes}" @ONLY)
      list(APPEND kernels ${joined})
    endwhile()
  endif()
  set(${result} ${kernels} PARENT_SCOPE)
endfunction()

function(drape_add_cuda target)
  if(drape_cuda_mode STREQUAL "OFF")
    return()
  endif()
  drape_kernels(kernels)
  if(drape_cuda_mode STREQUAL "EMULATED")
    drape_emulate(${target} "${kernels}")
    return()
  endif()
  target_sources(${target} PRIVATE ${kernels})
  target_link_libraries(${target} PRIVATE ${CMAKE_DL_LIBS})
  target_include_directories(${target} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${CUDNN_INCLUDE_DIR})
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:
    --extended-lambda --expt-relaxed-constexpr -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-fopenmp-simd
    -Xptxas=--warn-on-spills,--warn-on-local-memory-usage>)  # every kernel keeps to registers
  target_link_libraries(${target} PRIVATE CUDA::cudart_static)  # the rest: kernels/vendor_library.cu
endfunction()
