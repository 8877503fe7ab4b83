// SPDX-License-Identifier: Apache-2.0
// Names of the facts that imported records have beside those of their family. Depends on nothing.
#pragma once

namespace stepmark::facts::source {

inline constexpr const char* kFile = "source_file";  // without folders
inline constexpr const char* kLine = "source_line";
inline constexpr const char* kTool = "source_tool";  // with its version, where the file has it
inline constexpr const char* kHash = "source_blake2b";
inline constexpr const char* kUnknown = "not_stated";  // what the file does not say of it
inline constexpr const char* kToldTime = "told_time";  // which time of the tool it is
// As the file has them, for comparison with ours.
inline constexpr const char* kAlgbw = "told_algbw_gbps";
inline constexpr const char* kBusbw = "told_busbw_gbps";

}  // namespace stepmark::facts::source
