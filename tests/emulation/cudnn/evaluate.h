// SPDX-License-Identifier: Apache-2.0
// What a graph of cuDNN operations computes, operation by operation, in double, with every tensor
// rounded to its type.
#pragma once

#include <cudnn_graph.h>

#include <array>
#include <cstdint>
#include <map>
#include <vector>

namespace stepmark::emulated_cudnn {

struct Tensor {
  std::int64_t id = 0;
  std::array<std::int64_t, 4> sizes{}, strides{};
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  bool is_virtual = false, by_value = false;
};

enum class Kind { matmul, pointwise, reduction, reshape };
struct Operation {
  Kind kind{};
  int mode = 0;  // cudnnPointwiseMode_t, cudnnReduceTensorOp_t
  std::int64_t axis = 0;
  std::vector<Tensor> inputs;
  Tensor output;
};

// `memory`: the address of every tensor that is not virtual. Throws std::exception for what the
// emulation does not know, and for sizes that do not fit together.
void evaluate(const std::vector<Operation>& operations,
              const std::map<std::int64_t, void*>& memory);

}  // namespace stepmark::emulated_cudnn
