// SPDX-License-Identifier: Apache-2.0
// On cuDNN's backend API, without its C++ frontend. Engines are tried in the order of the
// heuristics until one compiles. Only tensors that exist in memory get addresses; running binds
// them anew, so one plan serves many operands.
#include "kernels/cuda/attention/cudnn_plan.h"

#include <utility>

namespace stepmark::cuda {

CudnnDescriptor::CudnnDescriptor(cudnnBackendDescriptorType_t type) {
  STEPMARK_CUDNN_CHECK(cudnnBackendCreateDescriptor(type, &raw_));
}
CudnnDescriptor::~CudnnDescriptor() {
  if (raw_ != nullptr) cudnn().cudnnBackendDestroyDescriptor(raw_);
}
CudnnDescriptor::CudnnDescriptor(CudnnDescriptor&& other) noexcept
    : raw_(std::exchange(other.raw_, nullptr)) {}

void CudnnDescriptor::set_all(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                              std::int64_t count, const void* values) {
  STEPMARK_CUDNN_CHECK(cudnnBackendSetAttribute(raw_, name, type, count, values));
}
void CudnnDescriptor::finalize() { STEPMARK_CUDNN_CHECK(cudnnBackendFinalize(raw_)); }

CudnnTensor CudnnTensor::packed(std::array<std::int64_t, 4> sizes, cudnnDataType_t type) {
  return {sizes, {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3], sizes[3], 1}, type};
}
CudnnTensor CudnnTensor::transposed() const {
  CudnnTensor t = *this;
  std::swap(t.sizes[2], t.sizes[3]);
  std::swap(t.strides[2], t.strides[3]);
  return t;
}

CudnnGraph::Id CudnnGraph::add(const CudnnTensor& tensor, bool is_virtual,
                               std::unique_ptr<float> value) {
  constexpr std::int64_t kAlignment = 16;
  const Id id = static_cast<Id>(nodes_.size()) + 1;
  CudnnDescriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, tensor.type);
  d.set_all(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, tensor.sizes.data());
  d.set_all(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, tensor.strides.data());
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, kAlignment);
  d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, is_virtual);
  d.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, value != nullptr);
  d.finalize();
  nodes_.push_back({tensor, std::move(d), std::move(value), is_virtual});
  return id;
}

CudnnGraph::Id CudnnGraph::real(const CudnnTensor& tensor) { return add(tensor, false, nullptr); }
CudnnGraph::Id CudnnGraph::scalar(float value) {
  return add(CudnnTensor::packed({1, 1, 1, 1}, CUDNN_DATA_FLOAT), false,
             std::make_unique<float>(value));
}

CudnnGraph::Id CudnnGraph::matmul(Id a, Id b, const CudnnTensor& shape) {
  const Id result = add(shape, true, nullptr);
  matmul_into(a, b, result);
  return result;
}
void CudnnGraph::matmul_into(Id a, Id b, Id result) {
  CudnnDescriptor kind(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  kind.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  kind.finalize();
  CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_DESC, kind);
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, at(a).descriptor);
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, at(b).descriptor);
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, at(result).descriptor);
  operation.finalize();
  operations_.push_back(std::move(operation));
}

void CudnnGraph::add_pointwise(cudnnPointwiseMode_t mode, std::initializer_list<Id> inputs,
                               Id result, cudnnDataType_t compute, std::int64_t axis) {
  CudnnDescriptor kind(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  kind.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode);
  kind.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, compute);
  if (axis >= 0) kind.set(CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, axis);
  kind.finalize();
  constexpr cudnnBackendAttributeName_t kInputs[] = {CUDNN_ATTR_OPERATION_POINTWISE_XDESC,
                                                     CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
                                                     CUDNN_ATTR_OPERATION_POINTWISE_TDESC};
  CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    operation.set(kInputs[i], at(inputs.begin()[i]).descriptor);
  }
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, at(result).descriptor);
  operation.finalize();
  operations_.push_back(std::move(operation));
}

CudnnGraph::Id CudnnGraph::pointwise(cudnnPointwiseMode_t mode, std::initializer_list<Id> inputs) {
  return pointwise(mode, inputs, CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT);
}
CudnnGraph::Id CudnnGraph::pointwise(cudnnPointwiseMode_t mode, std::initializer_list<Id> inputs,
                                     cudnnDataType_t type, cudnnDataType_t compute) {
  const CudnnTensor& first = at(inputs.begin()[0]).tensor;
  const Id result = add(CudnnTensor::packed(first.sizes, type), true, nullptr);
  add_pointwise(mode, inputs, result, compute, -1);
  return result;
}
void CudnnGraph::pointwise_into(cudnnPointwiseMode_t mode, std::initializer_list<Id> inputs,
                                Id result) {
  add_pointwise(mode, inputs, result, CUDNN_DATA_FLOAT, -1);
}
CudnnGraph::Id CudnnGraph::index(Id like, std::int64_t axis) {
  const Id result =
      add(CudnnTensor::packed(at(like).tensor.sizes, CUDNN_DATA_INT32), true, nullptr);
  add_pointwise(CUDNN_POINTWISE_GEN_INDEX, {like}, result, CUDNN_DATA_FLOAT, axis);
  return result;
}

CudnnGraph::Id CudnnGraph::reduce(cudnnReduceTensorOp_t op, Id input, const CudnnTensor& shape) {
  const Id result = add(shape, true, nullptr);
  reduce_into(op, input, result);
  return result;
}
void CudnnGraph::reduce_into(cudnnReduceTensorOp_t op, Id input, Id result) {
  CudnnDescriptor kind(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  kind.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, op);
  kind.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  kind.finalize();
  CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind);
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, at(input).descriptor);
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, at(result).descriptor);
  operation.finalize();
  operations_.push_back(std::move(operation));
}

CudnnGraph::Id CudnnGraph::transpose(Id input, cudnnDataType_t type) {
  CudnnTensor shape = at(input).tensor.transposed();
  shape.type = type;
  const Id result = add(shape, true, nullptr);
  CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_RESHAPE_XDESC, at(input).descriptor);
  operation.set(CUDNN_ATTR_OPERATION_RESHAPE_YDESC, at(result).descriptor);
  operation.finalize();
  operations_.push_back(std::move(operation));
  return result;
}

namespace {

// A fact for records, without which everything works.
std::optional<std::int64_t> engine_of(const CudnnDescriptor& config) {
  const CudnnDescriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t raw = engine.get();
  std::int64_t count = 0, index = 0;
  const bool told =
      cudnn().cudnnBackendGetAttribute(config.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count,
                                       &raw) == CUDNN_STATUS_SUCCESS &&
      cudnn().cudnnBackendGetAttribute(engine.get(), CUDNN_ATTR_ENGINE_GLOBAL_INDEX,
                                       CUDNN_TYPE_INT64, 1, &count, &index) == CUDNN_STATUS_SUCCESS;
  return told ? std::optional(index) : std::nullopt;
}

}  // namespace

CudnnPlan::CudnnPlan(CudnnGraph graph, CudnnHandle& handle)
    : graph_(std::move(graph)), handle_(handle) {
  const std::lock_guard lock(handle_.in_use);
  std::vector<cudnnBackendDescriptor_t> operations;
  for (const CudnnDescriptor& operation : graph_.operations_) operations.push_back(operation.get());
  CudnnDescriptor whole(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  whole.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, handle_.handle);
  whole.set_all(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                static_cast<std::int64_t>(operations.size()), operations.data());
  whole.finalize();

  CudnnDescriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, whole);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, CUDNN_HEUR_MODE_A);
  heuristics.finalize();
  std::int64_t count = 0;
  STEPMARK_CUDNN_CHECK(cudnnBackendGetAttribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                                CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr));
  std::vector<CudnnDescriptor> configs;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (std::int64_t i = 0; i < count; ++i) {
    configs.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    raw.push_back(configs.back().get());
  }
  if (count > 0) {
    STEPMARK_CUDNN_CHECK(cudnnBackendGetAttribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                                  CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count,
                                                  raw.data()));
  }
  std::string reason = "cuDNN " + cudnn().version + " proposes no engine";
  for (std::int64_t i = 0; i < count; ++i) {
    try {
      auto plan = std::make_unique<CudnnDescriptor>(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      plan->set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle_.handle);
      plan->set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configs[static_cast<std::size_t>(i)]);
      plan->finalize();
      std::int64_t bytes = 0, one = 0;
      STEPMARK_CUDNN_CHECK(cudnnBackendGetAttribute(plan->get(),
                                                    CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                                    CUDNN_TYPE_INT64, 1, &one, &bytes));
      plan_ = std::move(plan);
      engine_ = engine_of(configs[static_cast<std::size_t>(i)]);
      made_of_.push_back(std::move(configs[static_cast<std::size_t>(i)]));
      made_of_.push_back(std::move(whole));
      workspace_bytes_ = static_cast<std::size_t>(bytes);
      return;
    } catch (const CudnnRefusal& refusal) {
      reason = refusal.what();
    }
  }
  throw CudnnRefusal(reason);
}

void CudnnPlan::run(cudaStream_t stream, void* workspace,
                    std::span<const Address> addresses) const {
  std::vector<std::int64_t> ids;
  std::vector<void*> pointers;
  for (std::size_t i = 0; i < graph_.nodes_.size(); ++i) {
    const auto& node = graph_.nodes_[i];
    if (node.is_virtual) continue;
    const auto id = static_cast<CudnnGraph::Id>(i) + 1;
    void* address = node.value.get();
    for (const Address& of : addresses) {
      if (of.id == id) address = of.address;
    }
    ids.push_back(id);
    pointers.push_back(address);
  }
  CudnnDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  const auto count = static_cast<std::int64_t>(ids.size());
  pack.set_all(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, ids.data());
  pack.set_all(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, pointers.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace);
  pack.finalize();
  const std::lock_guard lock(handle_.in_use);
  STEPMARK_CUDNN_CHECK(cudnnSetStream(handle_.handle, stream));
  STEPMARK_CUDNN_CHECK(cudnnBackendExecute(handle_.handle, plan_->get(), pack.get()));
}

}  // namespace stepmark::cuda
