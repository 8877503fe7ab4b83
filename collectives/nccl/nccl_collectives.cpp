// SPDX-License-Identifier: Apache-2.0
// The verbs that are one call of NCCL. Reductions of one rank are copies: NCCL averages (and
// scales) no fp8 there. Its one-rank kernels of fp8 are compiled for __CUDA_ARCH__ >= 900 in code
// of the host, where that macro does not exist, and the call is an invalid argument without a line
// in the log (src/device/onerank.cu of versions with fp8; met with 2.28.9).
#include <array>
#include <cstring>

#include "collectives/nccl/native_stream.h"
#include "collectives/nccl/nccl_comm.h"
#include "core/error.h"

namespace stepmark {
namespace {

// A scalar in the representation of its type; the longest has 8 bytes.
std::array<std::byte, 8> scalar_of(double value, DType dtype) {
  std::array<std::byte, 8> bytes{};
  store_from_double(bytes.data(), dtype, 0, value);
  return bytes;
}

// Runs `call` with an operator that scales this rank's input first. The operator may go as soon as
// the call that takes it has returned.
template <class Call>
void with_scaled_sum(const NcclHandle& handle, std::array<std::byte, 8> scale, ncclDataType_t type,
                     Call call) {
  const NcclFunctions& f = handle.functions();
  ncclRedOp_t op = ncclSum;
  handle.check(
      f.ncclRedOpCreatePreMulSum(&op, scale.data(), type, ncclScalarHostImmediate, handle.get()),
      "ncclRedOpCreatePreMulSum");
  const ncclResult_t result = call(op);
  const ncclResult_t destroyed = f.ncclRedOpDestroy(op, handle.get());
  handle.check(result, "a reduction with ncclRedOpCreatePreMulSum");
  handle.check(destroyed, "ncclRedOpDestroy");
}

}  // namespace

void NcclComm::all_reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                          Stream& stream) {
  check_reduction(dtype);
  if (copies() != nullptr) return copies()->all_reduce(send, recv, count, dtype, op, stream);
  stream.submit([=, h = handle_.get(), call = handle_->functions().ncclAllReduce,
                 type = nccl_type(dtype), how = nccl_op(op), on = native_stream(stream)] {
    h->check(call(send, recv, count, type, how, h->get(), on), "ncclAllReduce");
  });
}

void NcclComm::all_gather(const void* send, void* recv, std::size_t count, DType dtype,
                          Stream& stream) {
  stream.submit([=, h = handle_.get(), call = handle_->functions().ncclAllGather,
                 type = nccl_type(dtype), on = native_stream(stream)] {
    h->check(call(send, recv, count, type, h->get(), on), "ncclAllGather");
  });
}

void NcclComm::reduce_scatter(const void* send, void* recv, std::size_t count, DType dtype,
                              ReduceOp op, Stream& stream) {
  check_reduction(dtype);
  if (copies() != nullptr) return copies()->reduce_scatter(send, recv, count, dtype, op, stream);
  stream.submit([=, h = handle_.get(), call = handle_->functions().ncclReduceScatter,
                 type = nccl_type(dtype), how = nccl_op(op), on = native_stream(stream)] {
    h->check(call(send, recv, count, type, how, h->get(), on), "ncclReduceScatter");
  });
}

void NcclComm::broadcast(const void* send, void* recv, std::size_t count, DType dtype, int root,
                         Stream& stream) {
  check_peer(root, "root");
  stream.submit([=, h = handle_.get(), call = handle_->functions().ncclBroadcast,
                 type = nccl_type(dtype), on = native_stream(stream)] {
    h->check(call(send, recv, count, type, root, h->get(), on), "ncclBroadcast");
  });
}

void NcclComm::reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                      int root, Stream& stream) {
  check_reduction(dtype);
  check_peer(root, "root");
  if (copies() != nullptr) return copies()->reduce(send, recv, count, dtype, op, root, stream);
  stream.submit([=, h = handle_.get(), call = handle_->functions().ncclReduce,
                 type = nccl_type(dtype), how = nccl_op(op), on = native_stream(stream)] {
    h->check(call(send, recv, count, type, how, root, h->get(), on), "ncclReduce");
  });
}

void NcclComm::barrier(Stream& stream) {
  stream.submit([h = handle_.get(), call = handle_->functions().ncclAllReduce,
                 zero = barrier_element_.get(), on = native_stream(stream)] {
    h->check(call(zero, zero, 1, ncclInt32, ncclSum, h->get(), on), "ncclAllReduce (barrier)");
  });
}

void NcclComm::all_reduce_scaled(const void* send, void* recv, std::size_t count, DType dtype,
                                 double scale, Stream& stream) {
  submit_scaled(handle_->functions().ncclAllReduce, send, recv, count, dtype, scale, stream);
}

void NcclComm::reduce_scatter_scaled(const void* send, void* recv, std::size_t count, DType dtype,
                                     double scale, Stream& stream) {
  submit_scaled(handle_->functions().ncclReduceScatter, send, recv, count, dtype, scale, stream);
}

void NcclComm::submit_scaled(decltype(&::ncclAllReduce) call, const void* send, void* recv,
                             std::size_t count, DType dtype, double scale, Stream& stream) const {
  check_scaled_sum(dtype);
  stream.submit([=, h = handle_.get(), type = nccl_type(dtype), scalar = scalar_of(scale, dtype),
                 on = native_stream(stream)] {
    with_scaled_sum(*h, scalar, type, [&](ncclRedOp_t op) {
      return call(send, recv, count, type, op, h->get(), on);
    });
  });
}

void NcclComm::check_peer(int peer, std::string_view what) const {
  STEPMARK_REQUIRE(peer >= 0 && peer < size(), "{} {} is not a rank of a group of {} ranks", what,
                   peer, size());
}

void NcclComm::check_scaled_sum(DType dtype) const {
  check_reduction(dtype);
  STEPMARK_REQUIRE(is_float(dtype), "a scaled sum of {}", name_of(dtype));
  STEPMARK_REQUIRE(size() > 1 || !is_fp8(dtype), "NCCL scales no {} in a group of one rank",
                   name_of(dtype));
}

void NcclComm::check_reduction(DType dtype) const {
  STEPMARK_REQUIRE(!is_fp8(dtype) || compute_capability_major_ >= 9,
                   "NCCL reduces {} on GPUs of compute capability 9.0 or later; this one has {}.x",
                   name_of(dtype), compute_capability_major_);
}

}  // namespace stepmark
