# Registries are generated from lists, so that adding a member touches its own files and one line.

# stepmark_op_list(OUT_NAMES OUT_FAMILIES entries...): entries are "family: op op ...".
function(stepmark_op_list out_names out_families)
  set(names)
  set(families)
  foreach(entry IN LISTS ARGN)
    string(REGEX MATCH "^([a-z0-9_]+): (.*)$" _ "${entry}")
    list(APPEND families ${CMAKE_MATCH_1})
    string(REPLACE " " ";" ops "${CMAKE_MATCH_2}")
    list(APPEND names ${ops})
  endforeach()
  set(${out_names} ${names} PARENT_SCOPE)
  set(${out_families} ${families} PARENT_SCOPE)
endfunction()

# stepmark_write_x_list(FILE MACRO names...): a header with `#define MACRO(X) X(a) X(b) ...`.
function(stepmark_write_x_list file macro)
  set(text "// Generated from a CMake list; do not edit.\n#pragma once\n#define ${macro}(X)")
  foreach(name IN LISTS ARGN)
    string(APPEND text " \\\n  X(${name})")
  endforeach()
  string(APPEND text "\n")
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/${file} CONTENT "${text}" @ONLY)
endfunction()

# stepmark_write_set_list(FILE MACRO names...): the same with `X(x86_64_v3, "x86-64-v3")`.
function(stepmark_write_set_list file macro)
  set(entries)
  foreach(name IN LISTS ARGN)
    string(MAKE_C_IDENTIFIER ${name} id)
    list(APPEND entries "${id}, \"${name}\"")
  endforeach()
  stepmark_write_x_list(${file} ${macro} ${entries})
endfunction()

# stepmark_write_collective_list(FILE entries...): entries are "name: bus factor"; a header with
# `#define STEPMARK_COLLECTIVES(X) X(all_reduce, twice_others) ...`.
function(stepmark_write_collective_list file)
  set(entries)
  foreach(entry IN LISTS ARGN)
    if(NOT entry MATCHES "^([a-z0-9_]+): ([a-z_]+)$")
      message(FATAL_ERROR "'${entry}' in the list of collectives: expected \"name: bus factor\"")
    endif()
    list(APPEND entries "${CMAKE_MATCH_1}, ${CMAKE_MATCH_2}")
  endforeach()
  stepmark_write_x_list(${file} STEPMARK_COLLECTIVES ${entries})
endfunction()
