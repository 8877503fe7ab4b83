// SPDX-License-Identifier: Apache-2.0
// Mixed-radix numbers: a coordinate is a digit. Groups over several axes are built from the slowest
// inwards, so that their order is that of ranks.
#include "harness/spec/mesh.h"

#include <limits>
#include <set>

#include "core/error.h"

namespace stepmark {

Mesh::Mesh(std::vector<MeshAxis> axes) : axes_(std::move(axes)) {
  std::set<std::string_view> names;
  for (const MeshAxis& axis : axes_) {
    STEPMARK_REQUIRE(!axis.name.empty() && names.insert(axis.name).second,
                     "mesh axis '{}' is empty or given twice", axis.name);
    STEPMARK_REQUIRE(axis.degree >= 1, "mesh axis '{}' has degree {}; at least 1 is needed",
                     axis.name, axis.degree);
    STEPMARK_REQUIRE(axis.degree <= std::numeric_limits<std::int32_t>::max() / size_,
                     "a mesh of 2^31 ranks or more");
    size_ *= axis.degree;
  }
}

std::size_t Mesh::axis_index(std::string_view axis) const {
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    if (axes_[i].name == axis) return i;
  }
  throw Error(ExitCode::kUsage, fmt::format("the mesh has no axis '{}'", axis));
}

std::int32_t Mesh::degree(std::string_view axis) const { return axes_[axis_index(axis)].degree; }

std::vector<std::int32_t> Mesh::coordinates(std::int32_t rank) const {
  STEPMARK_REQUIRE(rank >= 0 && rank < size_, "rank {} is outside the mesh of {}", rank, size_);
  std::vector<std::int32_t> result;
  for (const MeshAxis& axis : axes_) {
    result.push_back(rank % axis.degree);
    rank /= axis.degree;
  }
  return result;
}

std::int32_t Mesh::coordinate(std::int32_t rank, std::string_view axis) const {
  STEPMARK_REQUIRE(rank >= 0 && rank < size_, "rank {} is outside the mesh of {}", rank, size_);
  const std::size_t index = axis_index(axis);
  for (std::size_t i = 0; i < index; ++i) rank /= axes_[i].degree;
  return rank % axes_[index].degree;
}

std::int32_t Mesh::rank_at(const std::vector<std::int32_t>& coordinates) const {
  STEPMARK_REQUIRE(coordinates.size() == axes_.size(), "{} coordinates for a mesh of {} axes",
                   coordinates.size(), axes_.size());
  std::int32_t rank = 0;
  for (std::size_t i = axes_.size(); i-- > 0;) {
    STEPMARK_REQUIRE(coordinates[i] >= 0 && coordinates[i] < axes_[i].degree,
                     "coordinate {} is outside axis '{}' of degree {}", coordinates[i],
                     axes_[i].name, axes_[i].degree);
    rank = rank * axes_[i].degree + coordinates[i];
  }
  return rank;
}

std::vector<std::int32_t> Mesh::group(std::int32_t rank, std::string_view axis) const {
  const std::size_t index = axis_index(axis);
  std::int32_t stride = 1;
  for (std::size_t i = 0; i < index; ++i) stride *= axes_[i].degree;
  const std::int32_t first = rank - coordinate(rank, axis) * stride;
  std::vector<std::int32_t> ranks;
  for (std::int32_t i = 0; i < axes_[index].degree; ++i) ranks.push_back(first + i * stride);
  return ranks;
}

std::vector<std::int32_t> Mesh::group(std::int32_t rank,
                                      const std::vector<std::string_view>& axes) const {
  std::vector<std::int32_t> ranks{rank};
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    std::vector<std::int32_t> wider;
    for (const std::int32_t member : ranks) {
      const std::vector<std::int32_t> along = group(member, *axis);
      wider.insert(wider.end(), along.begin(), along.end());
    }
    ranks = std::move(wider);
  }
  return ranks;
}

}  // namespace stepmark
