# Headers that most sources read, compiled once. Reading them is much of the time of a build with sanitizers, which
# shares nothing with any other; builds that share objects through ccache go without. Every source still names what
# it uses: the other builds would not compile otherwise.
option(STEPMARK_PRECOMPILE "Precompile the headers that most sources read (clang)" OFF)
if(NOT STEPMARK_PRECOMPILE)
  function(stepmark_precompile)
  endfunction()
  function(stepmark_precompile_libraries)
  endfunction()
  return()
endif()
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "STEPMARK_PRECOMPILE=ON is for clang: GCC's precompiled headers cannot be shared by targets "
    "of different options")
endif()

set(read_by_most <algorithm> <array> <chrono> <cmath> <cstdint> <filesystem> <fstream> <functional> <limits> <map> <memory>
  <optional> <set> <span> <sstream> <string> <string_view> <utility> <vector> <fmt/format.h> <fmt/ranges.h> <nlohmann/json.hpp>)
set(empty ${PROJECT_BINARY_DIR}/generated/precompiled.cpp)
file(WRITE ${empty} "")

# One of each kind, since the options of compiling must be those of its users.
function(stepmark_precompiled_headers kind libraries headers)
  add_library(stepmark_precompiled_${kind} OBJECT ${empty})
  target_link_libraries(stepmark_precompiled_${kind} PRIVATE stepmark_options ${libraries})
  target_precompile_headers(stepmark_precompiled_${kind} PRIVATE ${headers})
endfunction()
set(of_tests stepmark_test_options GTest::gtest GTest::gmock)
stepmark_precompiled_headers(code "fmt::fmt" "${read_by_most}")
stepmark_precompiled_headers(tests "${of_tests};fmt::fmt" "${read_by_most};<gmock/gmock.h>;<gtest/gtest.h>")
stepmark_precompiled_headers(openmp_tests "${of_tests};fmt::fmt;OpenMP::OpenMP_CXX" "${read_by_most};<gmock/gmock.h>;<gtest/gtest.h>")

# stepmark_precompile(TARGET KIND): its sources read the precompiled headers of that kind.
function(stepmark_precompile target kind)
  target_precompile_headers(${target} REUSE_FROM stepmark_precompiled_${kind})
endfunction()

# stepmark_precompile_libraries(FOLDER...): every static library of these, and of their folders, that has no OpenMP.
function(stepmark_precompile_libraries)
  foreach(folder IN LISTS ARGN)
    get_property(libraries DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
    foreach(library IN LISTS libraries)
      get_target_property(type ${library} TYPE)
      get_target_property(links ${library} LINK_LIBRARIES)
      if(type STREQUAL "STATIC_LIBRARY" AND "stepmark_options" IN_LIST links AND NOT "OpenMP::OpenMP_CXX" IN_LIST links)
        stepmark_precompile(${library} code)
      endif()
    endforeach()
    get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
    stepmark_precompile_libraries(${folders})
  endforeach()
endfunction()
