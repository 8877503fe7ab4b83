# Options of the build and the interface target `stepmark_options` that every target links.
set(STEPMARK_CUDA AUTO CACHE STRING "Build the CUDA parts: AUTO, ON, OFF")
set(STEPMARK_MPI AUTO CACHE STRING "Build the MPI parts: AUTO, ON, OFF")
set_property(CACHE STEPMARK_CUDA STEPMARK_MPI PROPERTY STRINGS AUTO ON OFF)
option(STEPMARK_TESTS "Build the tests" ON)
option(STEPMARK_BENCH "Build the Google Benchmark programs" ON)
option(STEPMARK_WERROR "Warnings are errors" OFF)
option(STEPMARK_FUZZ "Build the libFuzzer targets (clang only)" OFF)
set(STEPMARK_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined")
set(STEPMARK_X86_64 OFF)
set(host_sets baseline) # what the compiler takes for granted
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(STEPMARK_X86_64 ON)
  set(host_sets x86-64-v2 x86-64-v3 x86-64-v4)
endif()
set(STEPMARK_HOST_SETS "${host_sets}" CACHE STRING
  "Instruction sets that host kernels are compiled for, weakest first; the program takes the last that its CPU has")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
find_program(STEPMARK_CCACHE ccache)
if(STEPMARK_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${STEPMARK_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${STEPMARK_CCACHE})
endif()

add_library(stepmark_options INTERFACE)
target_include_directories(stepmark_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(stepmark_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Wconversion -Wno-sign-conversion -Woverloaded-virtual -Wnull-dereference -Wno-missing-field-initializers>)
# nvcc hands the host half to g++; -Wpedantic there would complain of nvcc's own code.
target_compile_options(stepmark_options INTERFACE
  "$<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-Xcompiler=-Wall,-Wextra,-Wno-missing-field-initializers>")
if(STEPMARK_WERROR)
  target_compile_options(stepmark_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>
    "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings;-Xcompiler=-Werror>")
endif()
# Of what no fuzz target reads: its loops are not to count their turns.
set(STEPMARK_UNFUZZED)
if(STEPMARK_SANITIZE MATCHES "fuzzer")
  set(STEPMARK_UNFUZZED -fno-sanitize=fuzzer-no-link)
endif()
# Left out for the time they take to compile: checks of null pointers and object sizes, whose harm the address sanitizer
# finds, and of virtual tables, which nothing else looks at.
if(STEPMARK_SANITIZE)
  target_compile_options(stepmark_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${STEPMARK_SANITIZE} -fno-sanitize=null,object-size,vptr
    -fno-sanitize-recover=all -fno-omit-frame-pointer>)
  target_link_options(stepmark_options INTERFACE -fsanitize=${STEPMARK_SANITIZE})
endif()
