// SPDX-License-Identifier: Apache-2.0
// The groups in which the ranks of a step talk: those of the mesh's axes, and those derived from
// them. All ranks have groups of the same names in the same order, since making them is collective;
// a rank that takes no part in one is alone in it.
//
// Neighbouring stages of a pipeline have a group for each direction and, as a stage talks to one
// neighbour while it waits for the other, for links from even and from odd stages: each group is
// used by one stream, on which a rank only sends or only receives. So a transfer waits for no other
// transfer, and two ranks that send to each other do not wait for each other. In a ring of an odd
// number of stages the link that closes it has a group of its own as well.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/spec/model.h"
#include "harness/spec/step_mesh.h"

namespace stepmark {

enum class Direction : std::uint8_t { forward, backward };

class StepGroups {
 public:
  // `plan` must be resolved for `model`.
  StepGroups(const Model& model, const Plan& plan);

  // Of two ranks and more, in the order of programs. A name is that of an axis ("tp"), or begins
  // with it ("pp.forward.even"), or is that of a derived group ("embedding").
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] std::vector<std::int32_t> group(const std::string& name, std::int32_t rank) const;
  // All groups of a name; they are a partition of the ranks.
  [[nodiscard]] std::vector<std::vector<std::int32_t>> all(const std::string& name) const;
  // Of the neighbouring tensor-parallel ranks that hold the same key/value heads; there is one
  // where there are fewer heads than ranks.
  static constexpr const char* kKeyValues = "tp.kv";
  // Of the link between the stage at `place` in the pipeline and the next one.
  [[nodiscard]] static std::string link_name(Direction direction, std::int32_t place,
                                             std::int32_t stages);

 private:
  void add(StepGroup kind, std::string name);
  void add_experts();
  void add_links(const Plan& plan);

  StepMesh mesh_;
  std::int32_t kv_copies_;  // ranks that hold a key/value head
  std::vector<std::string> names_;
  std::vector<StepGroup> kinds_;  // by name
};

}  // namespace stepmark
