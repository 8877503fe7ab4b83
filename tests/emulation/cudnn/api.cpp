// SPDX-License-Identifier: Apache-2.0
// The functions of cuDNN's graph interface that the project uses. Descriptors keep what is set;
// using one before it is final, or setting one afterwards, is refused as cuDNN does. The heuristics
// propose two engines, the first of which never compiles.
#include <cudnn_graph.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "tests/emulation/cudnn/evaluate.h"
#include "tests/emulation/runtime/emulated_stream.h"

namespace stepmark::emulated_cudnn {
namespace {

constexpr std::int64_t kWorkspaceBytes = 1000;
constexpr std::int64_t kEngine = 5;  // of the configuration that compiles
constexpr unsigned char kNoise = 0x7F;

struct Descriptor {
  cudnnBackendDescriptorType_t type{};
  bool is_final = false;
  std::map<cudnnBackendAttributeName_t, std::vector<unsigned char>> attributes;
  Operation operation;                                  // of an operation, final
  std::shared_ptr<const std::vector<Operation>> graph;  // of what is made from a graph
  bool compiles = true;                                 // of an engine's configuration

  template <class T>
  [[nodiscard]] std::vector<T> all(cudnnBackendAttributeName_t name) const {
    const auto& bytes = attributes.at(name);
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
  }
  template <class T>
  [[nodiscard]] T one(cudnnBackendAttributeName_t name) const {
    T value{};
    std::memcpy(&value, attributes.at(name).data(), sizeof(T));
    return value;
  }
  [[nodiscard]] bool has(cudnnBackendAttributeName_t name) const {
    return attributes.contains(name);
  }
};

Descriptor* of(cudnnBackendDescriptor_t raw) { return static_cast<Descriptor*>(raw); }

struct Refused {
  cudnnStatus_t status;
  std::string words;
};
thread_local std::string last_words;

template <class F>
cudnnStatus_t guarded(F f) {
  try {
    f();
    return CUDNN_STATUS_SUCCESS;
  } catch (const Refused& refused) {
    last_words = refused.words;
    return refused.status;
  } catch (const std::exception& error) {
    last_words = error.what();
    return CUDNN_STATUS_BAD_PARAM;
  }
}

std::size_t bytes_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return 8;
    case CUDNN_TYPE_BOOLEAN:
      return sizeof(bool);
    default:
      return 4;
  }
}

Tensor tensor_of(const Descriptor& d) {
  Tensor t{.id = d.one<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID),
           .type = d.one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE),
           .is_virtual = d.one<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL),
           .by_value = d.one<bool>(CUDNN_ATTR_TENSOR_IS_BY_VALUE)};
  const auto sizes = d.all<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  const auto strides = d.all<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
  for (std::size_t i = 0; i < 4; ++i) {
    t.sizes[i] = sizes.at(i);
    t.strides[i] = strides.at(i);
  }
  return t;
}

bool is_operation(cudnnBackendDescriptorType_t type) {
  return type == CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR ||
         type == CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR ||
         type == CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR ||
         type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
}

Operation operation_of(const Descriptor& d) {
  const auto tensor = [&](cudnnBackendAttributeName_t name) {
    return tensor_of(*of(d.one<cudnnBackendDescriptor_t>(name)));
  };
  const auto kind = [&](cudnnBackendAttributeName_t name) -> const Descriptor& {
    return *of(d.one<cudnnBackendDescriptor_t>(name));
  };
  switch (d.type) {
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
      return {.kind = Kind::matmul,
              .inputs = {tensor(CUDNN_ATTR_OPERATION_MATMUL_ADESC),
                         tensor(CUDNN_ATTR_OPERATION_MATMUL_BDESC)},
              .output = tensor(CUDNN_ATTR_OPERATION_MATMUL_CDESC)};
    case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
      return {
          .kind = Kind::reduction,
          .mode = kind(CUDNN_ATTR_OPERATION_REDUCTION_DESC).one<int>(CUDNN_ATTR_REDUCTION_OPERATOR),
          .inputs = {tensor(CUDNN_ATTR_OPERATION_REDUCTION_XDESC)},
          .output = tensor(CUDNN_ATTR_OPERATION_REDUCTION_YDESC)};
    case CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR:
      return {.kind = Kind::reshape,
              .inputs = {tensor(CUDNN_ATTR_OPERATION_RESHAPE_XDESC)},
              .output = tensor(CUDNN_ATTR_OPERATION_RESHAPE_YDESC)};
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR: {
      const Descriptor& pointwise = kind(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
      Operation o{.kind = Kind::pointwise,
                  .mode = pointwise.one<int>(CUDNN_ATTR_POINTWISE_MODE),
                  .output = tensor(CUDNN_ATTR_OPERATION_POINTWISE_YDESC)};
      if (pointwise.has(CUDNN_ATTR_POINTWISE_AXIS)) {
        o.axis = pointwise.one<std::int64_t>(CUDNN_ATTR_POINTWISE_AXIS);
      }
      for (const auto name :
           {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
            CUDNN_ATTR_OPERATION_POINTWISE_TDESC}) {
        if (d.has(name)) o.inputs.push_back(tensor(name));
      }
      return o;
    }
    default:
      throw Refused{CUDNN_STATUS_NOT_SUPPORTED, "unknown operation"};
  }
}

void finalize(Descriptor& d) {
  const auto made_from = [&](cudnnBackendAttributeName_t name) -> const Descriptor& {
    return *of(d.one<cudnnBackendDescriptor_t>(name));
  };
  if (d.type == CUDNN_BACKEND_TENSOR_DESCRIPTOR) (void)tensor_of(d);
  // What it is made of may be destroyed from now on.
  if (is_operation(d.type)) d.operation = operation_of(d);
  if (d.type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    (void)d.all<cudnnHandle_t>(CUDNN_ATTR_OPERATIONGRAPH_HANDLE);
    auto operations = std::make_shared<std::vector<Operation>>();
    for (auto* raw : d.all<cudnnBackendDescriptor_t>(CUDNN_ATTR_OPERATIONGRAPH_OPS)) {
      operations->push_back(of(raw)->operation);
    }
    d.graph = operations;
  }
  if (d.type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) {
    (void)d.one<int>(CUDNN_ATTR_ENGINEHEUR_MODE);
    d.graph = made_from(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).graph;
  }
  if (d.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    (void)d.all<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE);
    const Descriptor& config = made_from(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    if (!config.compiles) throw Refused{CUDNN_STATUS_NOT_SUPPORTED, "this engine never compiles"};
    d.graph = config.graph;
  }
  d.is_final = true;
}

void execute(cudaStream_t stream, const Descriptor& plan, const Descriptor& pack) {
  if (!plan.is_final || !pack.is_final) throw Refused{CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, ""};
  const auto ids = pack.all<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto pointers = pack.all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  auto* workspace = pack.one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  std::map<std::int64_t, void*> memory;
  std::set<std::int64_t> by_value;
  for (const Operation& o : *plan.graph) {
    for (const Tensor& t : o.inputs) {
      if (t.by_value) by_value.insert(t.id);
    }
  }
  std::map<std::int64_t, float> scalars;  // read now, as cuDNN does
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (pointers.at(i) == nullptr) throw Refused{CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "tensor"};
    memory[ids[i]] = pointers[i];
    if (by_value.contains(ids[i])) scalars[ids[i]] = *static_cast<const float*>(pointers[i]);
  }
  emulation::enqueue(stream, [graph = plan.graph, memory, scalars, workspace]() mutable {
    std::memset(workspace, kNoise, kWorkspaceBytes);
    for (auto& [id, value] : scalars) memory[id] = &value;
    evaluate(*graph, memory);
  });
}

}  // namespace
}  // namespace stepmark::emulated_cudnn

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

using stepmark::emulated_cudnn::Descriptor;
using stepmark::emulated_cudnn::guarded;
using stepmark::emulated_cudnn::of;
using stepmark::emulated_cudnn::Refused;

extern "C" {

// STEPMARK_EMULATED_CUDNN_VERSION: another one.
size_t cudnnGetVersion() {
  const char* text = std::getenv("STEPMARK_EMULATED_CUDNN_VERSION");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 91900;
}
const char* cudnnGetErrorString(cudnnStatus_t) { return "a status of the emulated cuDNN"; }
void cudnnGetLastErrorString(char* message, size_t size) {
  std::strncpy(message, stepmark::emulated_cudnn::last_words.c_str(), size);
}
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* descriptor) {
  *descriptor = new Descriptor{.type = type};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  delete of(descriptor);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void* values) {
  return guarded([&] {
    if (of(descriptor)->is_final) throw Refused{CUDNN_STATUS_BAD_PARAM, "already final"};
    const auto* bytes = static_cast<const unsigned char*>(values);
    const auto size = static_cast<std::size_t>(count) * stepmark::emulated_cudnn::bytes_of(type);
    auto& attribute = of(descriptor)->attributes[name];
    attribute.assign(bytes, bytes + size);
    if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR) return;
    for (auto* other : of(descriptor)->all<cudnnBackendDescriptor_t>(name)) {
      if (!of(other)->is_final) throw Refused{CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "not final"};
    }
  });
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  return guarded([&] { stepmark::emulated_cudnn::finalize(*of(descriptor)); });
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, int64_t wanted, int64_t* count,
                                       void* values) {
  return guarded([&] {
    if (!of(descriptor)->is_final) throw Refused{CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "get"};
    if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) {
      *count = 1;
      std::memcpy(values, &stepmark::emulated_cudnn::kWorkspaceBytes, sizeof(std::int64_t));
      return;
    }
    if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
      *count = 1;
      of(*static_cast<cudnnBackendDescriptor_t*>(values))->is_final = true;
      return;
    }
    if (name == CUDNN_ATTR_ENGINE_GLOBAL_INDEX) {
      *count = 1;
      std::memcpy(values, &stepmark::emulated_cudnn::kEngine, sizeof(std::int64_t));
      return;
    }
    if (name != CUDNN_ATTR_ENGINEHEUR_RESULTS) throw Refused{CUDNN_STATUS_NOT_SUPPORTED, "get"};
    *count = 2;
    for (std::int64_t i = 0; i < wanted; ++i) {
      Descriptor* config = of(static_cast<cudnnBackendDescriptor_t*>(values)[i]);
      config->graph = of(descriptor)->graph;
      config->compiles = i == 1;
      config->is_final = true;
    }
  });
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  return guarded([&] { stepmark::emulated_cudnn::execute(handle->stream, *of(plan), *of(pack)); });
}

}  // extern "C"
