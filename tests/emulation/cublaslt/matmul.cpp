// SPDX-License-Identifier: Apache-2.0
// The GEMM itself, element by element, in double.
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/dtype.h"
#include "tests/emulation/cublaslt/objects.h"

namespace stepmark::emulation::blaslt {
namespace {

float fp8(std::uint8_t bits, bool e5m2) {
  const std::uint32_t magnitude = bits & 0x7FU;
  const std::uint32_t largest = e5m2 ? 0x7BU : 0x7EU;
  float value = 0;
  if (magnitude <= largest) {
    value = detail::widen_magnitude(magnitude, e5m2 ? 15 : 7, e5m2 ? 2 : 3);
  } else {
    value = e5m2 && magnitude == 0x7C ? std::numeric_limits<float>::infinity()
                                      : std::numeric_limits<float>::quiet_NaN();
  }
  return (bits & 0x80U) != 0 ? -value : value;
}

double read(const void* data, cudaDataType_t type, std::int64_t index) {
  switch (type) {
    case CUDA_R_16BF:
      return to_float(static_cast<const bf16*>(data)[index]);
    case CUDA_R_8F_E4M3:
    case CUDA_R_8F_E5M2:
      return fp8(static_cast<const std::uint8_t*>(data)[index], type == CUDA_R_8F_E5M2);
    default:
      return static_cast<const float*>(data)[index];
  }
}

void write(void* data, cudaDataType_t type, std::int64_t index, double value) {
  if (type == CUDA_R_16BF) {
    static_cast<bf16*>(data)[index] = to_bf16(static_cast<float>(value));
  } else {
    static_cast<float*>(data)[index] = static_cast<float>(value);
  }
}

double rounded(double value, cudaDataType_t type) {
  float kept = 0;
  write(&kept, type, 0, value);
  return read(&kept, type, 0);
}

// tanh form, and its derivative by the product rule.
double gelu_inner(double x) {
  return std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
}
double gelu(double x) { return 0.5 * x * (1.0 + std::tanh(gelu_inner(x))); }
double gelu_derivative(double x) {
  const double t = std::tanh(gelu_inner(x));
  const double inner = std::sqrt(2.0 / std::numbers::pi) * (1.0 + 3.0 * 0.044715 * x * x);
  return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner;
}

// Scale of the element `outer` (row of op(A), column of op(B)), l, of an operand with `count` outer
// elements and k inner ones.
double scale_of(const float* scale, std::int32_t mode, std::int64_t outer, std::int64_t l,
                std::int64_t count, std::int64_t k) {
  if (scale == nullptr) return 1.0;
  const std::int64_t blocks = (k + 127) / 128;
  switch (mode) {
    case CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F:
      return scale[l / 128 * count + outer];
    case CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F:
      return scale[outer / 128 * ((blocks + 3) / 4 * 4) + l / 128];
    default:
      return scale[0];
  }
}

double op_a(const Problem& p, const void* a, std::int64_t i, std::int64_t l) {
  const std::int64_t at = p.desc.trans_a == CUBLAS_OP_N ? l * p.a.ld + i : i * p.a.ld + l;
  return read(a, p.a.type, at) * scale_of(p.desc.a_scale, p.desc.a_scale_mode, i, l, p.m(), p.k());
}
double op_b(const Problem& p, const void* b, std::int64_t l, std::int64_t j) {
  const std::int64_t at = p.desc.trans_b == CUBLAS_OP_N ? j * p.b.ld + l : l * p.b.ld + j;
  return read(b, p.b.type, at) * scale_of(p.desc.b_scale, p.desc.b_scale_mode, j, l, p.n(), p.k());
}

void write_bias_gradient(const Problem& p, const Pointers& x) {
  const bool of_a = p.desc.epilogue == CUBLASLT_EPILOGUE_BGRADA;
  const std::int64_t count = of_a ? p.m() : p.n();
  for (std::int64_t i = 0; i < count; ++i) {
    double sum = 0;
    for (std::int64_t l = 0; l < p.k(); ++l) sum += of_a ? op_a(p, x.a, i, l) : op_b(p, x.b, l, i);
    write(p.desc.bias, p.d.type, i, sum);
  }
}

double finish(const Problem& p, double value, std::int64_t i, std::int64_t j) {
  const Desc& desc = p.desc;
  const std::int64_t at = j * desc.aux_ld + i;
  switch (desc.epilogue) {
    case CUBLASLT_EPILOGUE_BIAS:
      return value + read(desc.bias, p.d.type, i);
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
    case CUBLASLT_EPILOGUE_GELU_AUX:
      if (desc.epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS) {
        value += read(desc.bias, p.d.type, i);
      }
      write(desc.aux, p.d.type, at, value);
      return gelu(value);
    case CUBLASLT_EPILOGUE_DGELU:
      return value * gelu_derivative(read(desc.aux, p.d.type, at));
    default:
      return value;
  }
}

}  // namespace

void multiply(const Problem& p, const Pointers& x, std::int64_t parts) {
  if (p.desc.epilogue == CUBLASLT_EPILOGUE_BGRADA || p.desc.epilogue == CUBLASLT_EPILOGUE_BGRADB) {
    write_bias_gradient(p, x);
  }
  for (std::int64_t j = 0; j < p.n(); ++j) {
    for (std::int64_t i = 0; i < p.m(); ++i) {
      double sum = 0;
      for (std::int64_t part = 0; part < parts; ++part) {
        const std::int64_t begin = p.k() * part / parts, end = p.k() * (part + 1) / parts;
        double own = 0;
        for (std::int64_t l = begin; l < end; ++l) own += op_a(p, x.a, i, l) * op_b(p, x.b, l, j);
        sum += parts > 1 ? rounded(own, p.d.type) : own;
      }
      double value = x.alpha * sum;
      // C is not read when beta is 0, whatever it holds.
      if (x.beta != 0) value += x.beta * read(x.c, p.c.type, j * p.c.ld + i);
      write(x.d, p.d.type, j * p.d.ld + i, finish(p, value, i, j));
    }
  }
}

}  // namespace stepmark::emulation::blaslt
