# Every package of the project is found here, once, and nowhere else.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Boost REQUIRED) # headers: Boost.Math
find_package(PkgConfig REQUIRED)
pkg_check_modules(hwloc REQUIRED IMPORTED_TARGET hwloc)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)

# Linear programmes; Debian ships it without a file for pkg-config.
find_path(GLPK_INCLUDE_DIR glpk.h REQUIRED)
find_library(GLPK_LIBRARY glpk REQUIRED)
add_library(stepmark_glpk INTERFACE)
target_include_directories(stepmark_glpk SYSTEM INTERFACE ${GLPK_INCLUDE_DIR})
target_link_libraries(stepmark_glpk INTERFACE ${GLPK_LIBRARY})

# Fourier transforms: a header of templates alone.
find_path(KISSFFT_INCLUDE_DIR kissfft/kissfft.hh REQUIRED)
add_library(stepmark_kissfft INTERFACE)
target_include_directories(stepmark_kissfft SYSTEM INTERFACE ${KISSFFT_INCLUDE_DIR})

# The OpenMP build of OpenBLAS shares its threads with our kernels.
find_path(OPENBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES x86_64-linux-gnu/openblas-openmp aarch64-linux-gnu/openblas-openmp openblas-openmp openblas REQUIRED)
find_library(OPENBLAS_LIBRARY openblas PATH_SUFFIXES x86_64-linux-gnu/openblas-openmp aarch64-linux-gnu/openblas-openmp openblas-openmp REQUIRED)
add_library(stepmark_openblas INTERFACE)
target_include_directories(stepmark_openblas SYSTEM INTERFACE ${OPENBLAS_INCLUDE_DIR})
target_link_libraries(stepmark_openblas INTERFACE ${OPENBLAS_LIBRARY})

# What makes one object of the host kernels of an instruction set; other linkers than GNU's cannot.
find_program(STEPMARK_GNU_LD NAMES ${_CMAKE_TOOLCHAIN_PREFIX}ld.bfd ${_CMAKE_TOOLCHAIN_PREFIX}ld ld.bfd REQUIRED)
find_program(STEPMARK_GNU_OBJCOPY NAMES ${_CMAKE_TOOLCHAIN_PREFIX}objcopy objcopy REQUIRED)

if(STEPMARK_TESTS)
  find_package(GTest REQUIRED)
endif()
if(STEPMARK_BENCH)
  find_package(benchmark REQUIRED)
endif()

set(STEPMARK_HAVE_MPI OFF)
if(NOT STEPMARK_MPI STREQUAL "OFF")
  set(MPI_CXX_SKIP_MPICXX ON)
  find_package(MPI COMPONENTS CXX)
  if(MPI_CXX_FOUND)
    set(STEPMARK_HAVE_MPI ON)
  elseif(STEPMARK_MPI STREQUAL "ON")
    message(FATAL_ERROR "STEPMARK_MPI=ON but no MPI was found: install libopenmpi-dev and openmpi-bin")
  endif()
endif()
message(STATUS "stepmark: MPI ${STEPMARK_MPI} -> ${STEPMARK_HAVE_MPI}")

set(STEPMARK_HAVE_CUDA OFF)
if(NOT STEPMARK_CUDA STREQUAL "OFF")
  find_package(CUDAToolkit 12.0 QUIET)
  # Of NCCL the build needs the header only; the library is opened while running.
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS} ENV NCCL_ROOT PATH_SUFFIXES include)
  if(CUDAToolkit_FOUND AND NCCL_INCLUDE_DIR)
    set(STEPMARK_HAVE_CUDA ON)
  else()
    set(missing "no CUDA toolkit from 12.0 on was found: put nvcc on PATH or set CUDAToolkit_ROOT")
    if(CUDAToolkit_FOUND)
      set(missing "no nccl.h was found: install NCCL's headers or set NCCL_INCLUDE_DIR (a PyTorch has them in nvidia/nccl/include)")
    endif()
    if(STEPMARK_CUDA STREQUAL "ON")
      message(FATAL_ERROR "STEPMARK_CUDA=ON but ${missing}")
    endif()
    message(STATUS "stepmark: ${missing}")
  endif()
endif()
message(STATUS "stepmark: CUDA ${STEPMARK_CUDA} -> ${STEPMARK_HAVE_CUDA}")

if(STEPMARK_HAVE_CUDA)
  # Explicit, so that a machine without a GPU builds what a machine with one runs; the newest also as
  # PTX, for GPUs to come.
  set(architectures "80-real;90-real;100")
  if(CUDAToolkit_VERSION VERSION_LESS 12.8) # does not know 100
    set(architectures "80-real;90")
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${architectures} CACHE STRING "GPU architectures")
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
  endif()
  enable_language(CUDA)
  # CMake 3.25 and older do not know that nvcc has C++20.
  foreach(kind STANDARD EXTENSION)
    if(NOT CMAKE_CUDA20_${kind}_COMPILE_OPTION)
      set(CMAKE_CUDA20_${kind}_COMPILE_OPTION -std=c++20)
    endif()
  endforeach()
  add_library(stepmark_cuda_headers INTERFACE)
  target_include_directories(stepmark_cuda_headers SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS} ${NCCL_INCLUDE_DIR})
  # Fibers of the emulated GPU that the tests run kernels on.
  if(STEPMARK_TESTS)
    find_package(Boost REQUIRED COMPONENTS context)
  endif()
endif()
