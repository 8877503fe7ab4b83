// SPDX-License-Identifier: Apache-2.0
// The table of formats, generated from the list; a format without its function does not link.
#include "results/views/format/format.h"

namespace stepmark {

const std::vector<FileFormat>& file_formats() {
#define STEPMARK_MAKE(name) format_##name(),
  static const std::vector<FileFormat> kAll = {STEPMARK_FILE_FORMATS(STEPMARK_MAKE)};
#undef STEPMARK_MAKE
  return kAll;
}

}  // namespace stepmark
