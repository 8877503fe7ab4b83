// SPDX-License-Identifier: Apache-2.0
// The bijection between global ranks and coordinates on named axes, and the groups along each axis.
// The first axis varies fastest, so its groups are neighbouring ranks: put the axis that talks most
// (tensor) first, that it stays inside a node. Any number of axes: pipeline, context and expert
// axes need no change here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

struct MeshAxis {
  std::string name;
  std::int32_t degree = 1;
};

class Mesh {
 public:
  explicit Mesh(std::vector<MeshAxis> axes);  // Error(kUsage): degree < 1, duplicate or empty name

  [[nodiscard]] std::int32_t size() const { return size_; }
  [[nodiscard]] const std::vector<MeshAxis>& axes() const { return axes_; }
  [[nodiscard]] std::int32_t degree(std::string_view axis) const;  // Error(kUsage) when unknown
  [[nodiscard]] std::vector<std::int32_t> coordinates(std::int32_t rank) const;
  [[nodiscard]] std::int32_t coordinate(std::int32_t rank, std::string_view axis) const;
  [[nodiscard]] std::int32_t rank_at(const std::vector<std::int32_t>& coordinates) const;
  // Ranks that differ from `rank` in this axis only, in order of the coordinate.
  [[nodiscard]] std::vector<std::int32_t> group(std::int32_t rank, std::string_view axis) const;
  // Ranks that differ from `rank` in these axes only, the first of which varies fastest.
  [[nodiscard]] std::vector<std::int32_t> group(std::int32_t rank,
                                                const std::vector<std::string_view>& axes) const;

 private:
  [[nodiscard]] std::size_t axis_index(std::string_view axis) const;
  std::vector<MeshAxis> axes_;
  std::int32_t size_ = 1;
};

}  // namespace stepmark
