include(GoogleTest)

# What a test itself says is compiled with little effort: optimising it, and looking for undefined behaviour in it, took
# more than half of the time of building it. What it calls stays as its target has it.
add_library(stepmark_test_options INTERFACE)
if(STEPMARK_SANITIZE)
  target_compile_options(stepmark_test_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-O0 -fno-sanitize=undefined ${STEPMARK_UNFUZZED}>)
else()
  target_compile_options(stepmark_test_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-O1>)
endif()

function(stepmark_precompile_test name)
  if("OpenMP::OpenMP_CXX" IN_LIST ARGN)
    stepmark_precompile(${name} openmp_tests)
  else()
    stepmark_precompile(${name} tests)
  endif()
endfunction()

# stepmark_add_test(NAME LABELS l... SOURCES s... LIBS t... [ONCE Suite.Test...] [TIMEOUT seconds]): a GoogleTest program
# registered as one ctest entry, so that a crash names the program. ONCE names tests that take long and walk code that
# others walk too: they are left to the optimised build.
function(stepmark_add_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "LABELS;SOURCES;LIBS;ONCE" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE stepmark_options stepmark_test_options ${T_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  stepmark_precompile_test(${name} ${T_LIBS})
  set(without)
  if(STEPMARK_SANITIZE AND T_ONCE)
    list(JOIN T_ONCE ":" without)
    set(without "--gtest_filter=-${without}")
  endif()
  add_test(NAME ${name} COMMAND ${name} ${without})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 400) # under sanitizers on a busy machine
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
endfunction()

# stepmark_add_missing_test(NAME REASON): a test that this machine cannot run for lack of a tool. It is
# there and skipped, so that it is counted: a test that vanished would look like one that passed.
function(stepmark_add_missing_test name reason)
  add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E echo "skipped: ${reason}")
  set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "skipped: ")
endfunction()

# Open MPI never frees what its plugins allocate, and unloads the plugins, so that no suppression could
# name them: processes that start MPI run without leak detection. All other tests have it, and look for uses of a
# stack frame after its return, which cost every call.
set(STEPMARK_MPI_TEST_ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0")

# Tests in Python that take long run in one build of a machine: optimised, with MPI.
if(STEPMARK_SANITIZE OR NOT STEPMARK_HAVE_MPI)
  list(APPEND STEPMARK_MPI_TEST_ENVIRONMENT "STEPMARK_SHORT_TESTS=1")
endif()

# stepmark_add_mpi_test(NAME RANKS n... LABELS ... SOURCES ... LIBS ... [WITHOUT n:Suite.Test...] [ONCE Suite.Test...]):
# a program that has its own main and runs under mpirun once per rank count; WITHOUT names tests that mean nothing
# on so many ranks, and that another rank count runs; ONCE is that of stepmark_add_test.
function(stepmark_add_mpi_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "RANKS;LABELS;SOURCES;LIBS;WITHOUT;ONCE" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE stepmark_options stepmark_test_options ${T_LIBS} GTest::gtest GTest::gmock)
  stepmark_precompile_test(${name} ${T_LIBS})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 400)
  endif()
  if(STEPMARK_SANITIZE) # the code that 4 ranks run is that of 2 and 8, which the optimised build has
    list(REMOVE_ITEM T_RANKS 8)
    if(4 IN_LIST T_RANKS)
      list(REMOVE_ITEM T_RANKS 2)
    endif()
  endif()
  foreach(ranks IN LISTS T_RANKS)
    set(without ${T_WITHOUT})
    list(FILTER without INCLUDE REGEX "^${ranks}:")
    list(TRANSFORM without REPLACE "^${ranks}:" "")
    if(STEPMARK_SANITIZE)
      list(APPEND without ${T_ONCE})
    endif()
    if(without)
      list(JOIN without ":" without)
      set(without "--gtest_filter=-${without}")
    endif()
    add_test(NAME ${name}_np${ranks}
      COMMAND ${MPIEXEC_EXECUTABLE} --oversubscribe --bind-to none -np ${ranks} $<TARGET_FILE:${name}> ${without})
    set_tests_properties(${name}_np${ranks} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT} PROCESSORS 2
      ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_rmaps_base_oversubscribe=1;${STEPMARK_MPI_TEST_ENVIRONMENT}")
  endforeach()
endfunction()

# stepmark_add_gpu_test(NAME SOURCES ... LIBS ... GPU_LIBS ... EMULATED_LIBS ... [TIMEOUT seconds]): one source,
# with tests/gpu/main.cpp, built for a GPU (gpu_NAME, label gpu) and for the emulated one (emulated_NAME, label emulation).
# Emulated libraries bind to the emulated runtime of the program that opens them, hence its exported symbols.
function(stepmark_add_gpu_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;LIBS;GPU_LIBS;EMULATED_LIBS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 400)
  endif()
  foreach(kind gpu emulated)
    add_executable(${kind}_${name} ${PROJECT_SOURCE_DIR}/tests/gpu/main.cpp
      ${PROJECT_SOURCE_DIR}/tests/gpu/test_deadline.cpp ${T_SOURCES})
    target_link_libraries(${kind}_${name} PRIVATE stepmark_options ${T_LIBS} stepmark_cuda_headers GTest::gtest GTest::gmock)
    add_test(NAME ${kind}_${name} COMMAND ${kind}_${name})
  endforeach()
  target_link_libraries(gpu_${name} PRIVATE ${T_GPU_LIBS} CUDA::cudart_static)
  target_link_libraries(emulated_${name} PRIVATE ${T_EMULATED_LIBS} stepmark_emulated_runtime)
  set_tests_properties(gpu_${name} PROPERTIES LABELS gpu TIMEOUT ${T_TIMEOUT} SKIP_RETURN_CODE 77 RUN_SERIAL ON)
  set_tests_properties(emulated_${name} PROPERTIES LABELS emulation TIMEOUT ${T_TIMEOUT}
    ENVIRONMENT "STEPMARK_CUBLASLT_LIBRARY=$<TARGET_FILE:stepmark_emulated_cublaslt>")
  set_target_properties(emulated_${name} PROPERTIES ENABLE_EXPORTS ON)
  add_dependencies(emulated_${name} stepmark_emulated_cublaslt)
endfunction()
