// SPDX-License-Identifier: Apache-2.0
#include "tests/emulation/cudnn/evaluate.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

namespace stepmark::emulated_cudnn {
namespace {

using Index = std::array<std::int64_t, 4>;
using Values = std::vector<double>;  // row-major, whatever the tensor's strides

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error("emulated cuDNN: " + what);
}

std::int64_t count(const Tensor& t) { return t.sizes[0] * t.sizes[1] * t.sizes[2] * t.sizes[3]; }
std::size_t place(const Tensor& t, const Index& i) {
  return static_cast<std::size_t>(((i[0] * t.sizes[1] + i[1]) * t.sizes[2] + i[2]) * t.sizes[3] +
                                  i[3]);
}
template <class F>
void for_each(const Tensor& t, F f) {
  for (std::int64_t b = 0; b < t.sizes[0]; ++b)
    for (std::int64_t h = 0; h < t.sizes[1]; ++h)
      for (std::int64_t r = 0; r < t.sizes[2]; ++r)
        for (std::int64_t c = 0; c < t.sizes[3]; ++c) f(Index{b, h, r, c});
}
std::int64_t offset(const Tensor& t, const Index& i) {
  return i[0] * t.strides[0] + i[1] * t.strides[1] + i[2] * t.strides[2] + i[3] * t.strides[3];
}

std::uint16_t to_bf16(double x) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(x));
  if (std::isnan(x)) return 0x7FFF;
  return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}
double from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
double rounded(double x, cudnnDataType_t type) {
  return type == CUDNN_DATA_BFLOAT16 ? from_bf16(to_bf16(x))
         : type == CUDNN_DATA_FLOAT  ? static_cast<double>(static_cast<float>(x))
                                     : x;
}

class Evaluation {
 public:
  explicit Evaluation(const std::map<std::int64_t, void*>& memory) : memory_(memory) {}

  void run(const Operation& o) {
    Values& result = values_[o.output.id];
    result.assign(static_cast<std::size_t>(count(o.output)), 0.0);
    if (o.kind == Kind::matmul) matmul(o, result);
    if (o.kind == Kind::pointwise) pointwise(o, result);
    if (o.kind == Kind::reduction) reduce(o, result);
    if (o.kind == Kind::reshape) reshape(o, result);
    for (double& x : result) x = rounded(x, o.output.type);
    if (!o.output.is_virtual) write(o.output, result);
  }

 private:
  const Values& read(const Tensor& t) {
    const auto known = values_.find(t.id);
    if (known != values_.end()) return known->second;
    require(!t.is_virtual, "a virtual tensor is read before it is computed");
    const void* from = memory_.at(t.id);
    Values& values = values_[t.id];
    values.resize(static_cast<std::size_t>(count(t)));
    for_each(t, [&](const Index& i) {
      const std::int64_t at = t.by_value ? 0 : offset(t, i);
      require(t.type == CUDNN_DATA_FLOAT || t.type == CUDNN_DATA_BFLOAT16, "type of an operand");
      values[place(t, i)] = t.type == CUDNN_DATA_FLOAT
                                ? static_cast<double>(static_cast<const float*>(from)[at])
                                : from_bf16(static_cast<const std::uint16_t*>(from)[at]);
    });
    return values;
  }
  void write(const Tensor& t, const Values& values) {
    void* to = memory_.at(t.id);
    for_each(t, [&](const Index& i) {
      const double x = values[place(t, i)];
      if (t.type == CUDNN_DATA_FLOAT) {
        static_cast<float*>(to)[offset(t, i)] = static_cast<float>(x);
      } else {
        static_cast<std::uint16_t*>(to)[offset(t, i)] = to_bf16(x);
      }
    });
  }

  // Fewer heads on one side serve groups of heads on the other.
  void matmul(const Operation& o, Values& c) {
    const Tensor &a = o.inputs[0], &b = o.inputs[1];
    require(a.sizes[3] == b.sizes[2] && a.sizes[2] == o.output.sizes[2] &&
                b.sizes[3] == o.output.sizes[3],
            "sizes of a GEMM");
    const Values &va = read(a), &vb = read(b);
    for_each(o.output, [&](const Index& i) {
      const std::int64_t ha = i[1] * a.sizes[1] / o.output.sizes[1];
      const std::int64_t hb = i[1] * b.sizes[1] / o.output.sizes[1];
      double sum = 0;
      for (std::int64_t k = 0; k < a.sizes[3]; ++k) {
        sum += va[place(a, {i[0], ha, i[2], k})] * vb[place(b, {i[0], hb, k, i[3]})];
      }
      c[place(o.output, i)] = sum;
    });
  }

  double value(const Operation& o, std::size_t input, Index i) {
    const Tensor& t = o.inputs.at(input);
    for (std::size_t d = 0; d < 4; ++d) {
      require(t.sizes[d] == o.output.sizes[d] || t.sizes[d] == 1, "sizes of a pointwise operand");
      if (t.sizes[d] == 1) i[d] = 0;
    }
    return read(t)[place(t, i)];
  }
  void pointwise(const Operation& o, Values& y) {
    for_each(o.output, [&](const Index& i) {
      const auto in = [&](std::size_t input) { return value(o, input, i); };
      double& out = y[place(o.output, i)];
      switch (o.mode) {
        case CUDNN_POINTWISE_ADD:
          out = in(0) + in(1);
          break;
        case CUDNN_POINTWISE_SUB:
          out = in(0) - in(1);
          break;
        case CUDNN_POINTWISE_MUL:
          out = in(0) * in(1);
          break;
        case CUDNN_POINTWISE_DIV:
          out = in(0) / in(1);
          break;
        case CUDNN_POINTWISE_EXP:
          out = std::exp(in(0));
          break;
        case CUDNN_POINTWISE_LOG:
          out = std::log(in(0));
          break;
        case CUDNN_POINTWISE_IDENTITY:
          out = in(0);
          break;
        case CUDNN_POINTWISE_CMP_GE:
          out = in(0) >= in(1) ? 1 : 0;
          break;
        case CUDNN_POINTWISE_BINARY_SELECT:
          out = in(2) != 0 ? in(0) : in(1);
          break;
        case CUDNN_POINTWISE_GEN_INDEX:
          out = static_cast<double>(i[static_cast<std::size_t>(o.axis)]);
          break;
        default:
          require(false, "unknown pointwise mode");
      }
    });
  }

  void reduce(const Operation& o, Values& y) {
    const bool largest = o.mode == CUDNN_REDUCE_TENSOR_MAX;
    require(largest || o.mode == CUDNN_REDUCE_TENSOR_ADD, "unknown reduction");
    if (largest) std::ranges::fill(y, -std::numeric_limits<double>::infinity());
    const Tensor& x = o.inputs[0];
    const Values& from = read(x);
    for_each(x, [&](Index i) {
      const double v = from[place(x, i)];
      for (std::size_t d = 0; d < 4; ++d) i[d] = i[d] * o.output.sizes[d] / x.sizes[d];
      double& to = y[place(o.output, i)];
      to = largest ? std::max(to, v) : to + v;
    });
  }

  // The same elements with rows and columns exchanged, as sizes and strides must both say.
  void reshape(const Operation& o, Values& y) {
    const Tensor &x = o.inputs[0], &t = o.output;
    require(x.sizes[2] == t.sizes[3] && x.sizes[3] == t.sizes[2] && x.strides[2] == t.strides[3] &&
                x.strides[3] == t.strides[2] && x.strides[1] == t.strides[1],
            "a reshape that is no transposition");
    const Values& from = read(x);
    for_each(t, [&](const Index& i) { y[place(t, i)] = from[place(x, {i[0], i[1], i[3], i[2]})]; });
  }

  const std::map<std::int64_t, void*>& memory_;
  std::map<std::int64_t, Values> values_;
};

}  // namespace

void evaluate(const std::vector<Operation>& operations,
              const std::map<std::int64_t, void*>& memory) {
  Evaluation evaluation(memory);
  for (const Operation& operation : operations) evaluation.run(operation);
}

}  // namespace stepmark::emulated_cudnn
