// SPDX-License-Identifier: Apache-2.0
// By the families' own names. A new family speaks of the whole until it is named here.
#include "results/families/layer.h"

#include "results/families/collective.h"
#include "results/families/groups.h"
#include "results/families/kernel.h"

namespace stepmark {

Layer layer_of_family(std::string_view family) {
  if (family == facts::kernel::kFamily) return Layer::device;
  const bool talks = family == facts::collective::kFamily || family == facts::groups::kFamily;
  return talks ? Layer::fabric : Layer::whole;
}

}  // namespace stepmark
