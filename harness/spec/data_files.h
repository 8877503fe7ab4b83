// SPDX-License-Identifier: Apache-2.0
// Shipped data: workloads, suites, clusters, GPUs. Found beside the installed program
// (share/stepmark) or, when run from a build folder, in the source tree's cluster-configs.
#pragma once

#include <string>
#include <vector>

#include "harness/spec/known_gpu.h"
#include "harness/spec/workload.h"

namespace stepmark {

// Folder with workloads/, suites/, clusters/, gpus/. Error(kEnvironment) when there is none.
[[nodiscard]] const std::string& data_folder();
// Names (files without ".yaml") of a kind, sorted: a folder of data_folder(), or "published", the
// figures of results/published.
[[nodiscard]] std::vector<std::string> shipped(const std::string& kind);
// `name` as a path when it ends in .yaml or holds a '/'; else the shipped file. Error(kUsage) with
// the nearest name when there is none.
[[nodiscard]] std::string find_file(const std::string& kind, const std::string& name);
[[nodiscard]] std::string read_text_file(const std::string& path);  // Error(kUsage) with errno text

[[nodiscard]] std::vector<Workload> shipped_workloads();
[[nodiscard]] std::vector<KnownGpu> shipped_gpus();

}  // namespace stepmark
