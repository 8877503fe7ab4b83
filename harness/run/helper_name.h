// SPDX-License-Identifier: Apache-2.0
// A helper process that was forked and not started anew has the words and the environment of its
// parent: who looks for a rank by them must not find its helpers.
#pragma once

namespace stepmark {

// In the child, before it does anything else; the environment is empty from then on.
void take_helper_name(const char* name);

}  // namespace stepmark
