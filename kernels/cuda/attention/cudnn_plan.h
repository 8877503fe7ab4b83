// SPDX-License-Identifier: Apache-2.0
// A graph of cuDNN operations on four-dimensional tensors, and the plan that runs it. Everything
// throws CudnnRefusal where cuDNN says no. See "Graph API" in cuDNN's documentation.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kernels/cuda/attention/cudnn_api.h"

namespace stepmark::cuda {

// Owns a descriptor.
class CudnnDescriptor {
 public:
  explicit CudnnDescriptor(cudnnBackendDescriptorType_t type);
  ~CudnnDescriptor();
  CudnnDescriptor(CudnnDescriptor&& other) noexcept;
  CudnnDescriptor(const CudnnDescriptor&) = delete;
  CudnnDescriptor& operator=(const CudnnDescriptor&) = delete;

  [[nodiscard]] cudnnBackendDescriptor_t get() const { return raw_; }
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T& value) {
    set_all(name, type, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, const CudnnDescriptor& other) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, other.raw_);
  }
  void set_all(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
               std::int64_t count, const void* values);
  void finalize();

 private:
  cudnnBackendDescriptor_t raw_ = nullptr;
};

// Sizes and strides in elements, outermost first: batch, head, row, column.
struct CudnnTensor {
  std::array<std::int64_t, 4> sizes, strides;
  cudnnDataType_t type = CUDNN_DATA_FLOAT;

  // Without gaps, the last dimension innermost.
  [[nodiscard]] static CudnnTensor packed(std::array<std::int64_t, 4> sizes, cudnnDataType_t type);
  // Rows and columns exchanged: the same elements, seen transposed.
  [[nodiscard]] CudnnTensor transposed() const;
};

class CudnnGraph {
 public:
  using Id = std::int64_t;  // of a tensor

  // A tensor in device memory, whose address is told when the plan is run.
  Id real(const CudnnTensor& tensor);
  // A number.
  Id scalar(float value);

  // Operations. Results are virtual, unless `result` says where they go.
  Id matmul(Id a, Id b, const CudnnTensor& shape);
  void matmul_into(Id a, Id b, Id result);
  Id pointwise(cudnnPointwiseMode_t mode, std::initializer_list<Id> inputs);
  Id pointwise(cudnnPointwiseMode_t mode, std::initializer_list<Id> inputs, cudnnDataType_t type,
               cudnnDataType_t compute);
  void pointwise_into(cudnnPointwiseMode_t mode, std::initializer_list<Id> inputs, Id result);
  // Index along an axis of every element of a tensor shaped like `like`.
  Id index(Id like, std::int64_t axis);
  Id reduce(cudnnReduceTensorOp_t op, Id input, const CudnnTensor& shape);
  void reduce_into(cudnnReduceTensorOp_t op, Id input, Id result);
  // Rows and columns exchanged, in another type.
  Id transpose(Id input, cudnnDataType_t type);

 private:
  friend class CudnnPlan;
  struct Node {
    CudnnTensor tensor;
    CudnnDescriptor descriptor;
    std::unique_ptr<float> value;  // of a scalar
    bool is_virtual = true;
  };
  Id add(const CudnnTensor& tensor, bool is_virtual, std::unique_ptr<float> value);
  [[nodiscard]] const Node& at(Id id) const { return nodes_[static_cast<std::size_t>(id - 1)]; }
  void add_pointwise(cudnnPointwiseMode_t mode, std::initializer_list<Id> inputs, Id result,
                     cudnnDataType_t compute, std::int64_t axis);

  std::vector<Node> nodes_;  // id - 1
  std::vector<CudnnDescriptor> operations_;
};

// The first engine that cuDNN's heuristics propose and that compiles. Knows no addresses: ops of
// one shape share it.
class CudnnPlan {
 public:
  CudnnPlan(CudnnGraph graph, CudnnHandle& handle);

  [[nodiscard]] std::size_t workspace_bytes() const { return workspace_bytes_; }
  // Its number among cuDNN's engines for such graphs; nothing where cuDNN does not tell.
  [[nodiscard]] std::optional<std::int64_t> engine() const { return engine_; }
  // Where a real tensor lies. All of them must be told.
  struct Address {
    CudnnGraph::Id id;
    void* address;
  };
  void run(cudaStream_t stream, void* workspace, std::span<const Address> addresses) const;

 private:
  CudnnGraph graph_;
  CudnnHandle& handle_;
  std::vector<CudnnDescriptor> made_of_;  // what the plan was made from, kept as long as it
  std::unique_ptr<CudnnDescriptor> plan_;
  std::size_t workspace_bytes_ = 0;
  std::optional<std::int64_t> engine_;
};

}  // namespace stepmark::cuda
