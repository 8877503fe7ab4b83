// SPDX-License-Identifier: Apache-2.0
// kernels_dump DIR: runs every op's fp32 test shapes on the host and writes, per operand, its
// values before and after as raw little-endian fp32 (indices int32; fp8, which the PyTorch at hand
// has not, widened to fp32), with DIR/index.json describing them. scripts/reference/torch_ops.py
// recomputes them with PyTorch.
#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "op_fixture.h"

namespace {

using stepmark::OpShape;
using stepmark::test::GuardedBuffer;

std::string write_operand(const std::string& dir, const std::string& name, stepmark::DType dtype,
                          const std::vector<double>& values) {
  const GuardedBuffer buffer(dtype, values);
  const std::vector<char> bytes(
      reinterpret_cast<const char*>(buffer.bytes()),
      reinterpret_cast<const char*>(buffer.bytes()) + buffer.size_bytes());
  std::ofstream file(dir + "/" + name, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  STEPMARK_CHECK(file.good(), "cannot write {}/{}", dir, name);
  return name;
}

nlohmann::json dump(const std::string& dir, const OpShape& shape, const std::string& prefix) {
  const stepmark::OpInfo& info = stepmark::info_of(shape.id);
  nlohmann::json entry{{"op", info.name}, {"text", stepmark::to_text(shape)}};
  for (std::size_t i = 0; i < info.dim_names.size(); ++i) {
    entry["params"][std::string(info.dim_names[i])] = shape.dims[i];
  }
  for (std::size_t i = 0; i < info.scalar_names.size(); ++i) {
    entry["params"][std::string(info.scalar_names[i])] = shape.scalars[i];
  }
  const auto before = stepmark::test::random_operands(shape, 2026);
  const auto after = stepmark::test::run_host(shape, before).values;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::string name(info.operands[i].name);
    const stepmark::DType stored = stepmark::dtype_of(shape, i);
    const stepmark::DType dtype = stepmark::size_of(stored) == 1 ? stepmark::DType::f32 : stored;
    entry["operands"].push_back(
        {{"name", name},
         {"dtype", stepmark::name_of(dtype)},
         {"written", stepmark::test::is_written(shape, i)},
         {"before", write_operand(dir, prefix + "_" + name + "_before", dtype, before[i])},
         {"after", write_operand(dir, prefix + "_" + name + "_after", dtype, after[i])}});
  }
  return entry;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    STEPMARK_REQUIRE(argc == 2, "usage: kernels_dump DIR");
    const std::string dir = argv[1];
    nlohmann::json index = nlohmann::json::array();
    for (const stepmark::OpInfo* info : stepmark::all_ops()) {
      for (const OpShape& shape : info->test_shapes(stepmark::DType::f32)) {
        index.push_back(dump(dir, shape, fmt::format("{:03}", index.size())));
      }
    }
    std::ofstream file(dir + "/index.json");
    file << index.dump(1) << '\n';
    STEPMARK_CHECK(file.good(), "cannot write {}/index.json", dir);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernels_dump: %s\n", error.what());
    return 1;
  }
}
