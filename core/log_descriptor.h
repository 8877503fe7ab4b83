// SPDX-License-Identifier: Apache-2.0
// Where log lines go. Standard error, until something else is put in its place for libraries to
// write to: our own lines still take the direct way.
#pragma once

namespace stepmark {

[[nodiscard]] int log_descriptor();
void set_log_descriptor(int descriptor);

}  // namespace stepmark
