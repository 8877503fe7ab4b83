// SPDX-License-Identifier: Apache-2.0
// Line by line, stopping at the first that does not fit: of what follows nothing can be known.
#include "results/seal/chain_scan.h"

#include <algorithm>

#include "results/record/chain.h"

namespace stepmark {

ChainScan scan_chain(std::string_view content,
                     const std::function<void(std::string_view line, std::int64_t number)>& each) {
  ChainScan scan;
  for (std::size_t at = 0; at < content.size();) {
    const auto line_break = content.find('\n', at);
    const auto end = std::min(line_break, content.size());
    const auto line = content.substr(at, end - at);
    const auto chained = split_chained(line);
    const auto broken = [&](const char* what) {
      scan.broken = ChainBreak{.line = scan.lines + 1,
                               .begin = at,
                               .end = std::min(end + 1, content.size()),
                               .what = what};
    };
    if (!chained || chain_hash(scan.last_hash, chained->body) != chained->hash) {
      broken(line_break == std::string_view::npos
                 ? "the line is cut off, or was changed"
                 : "the line does not fit its hash: it was changed, or lines before it were "
                   "changed, removed, inserted, repeated or moved");
      return scan;
    }
    if (line_break == std::string_view::npos) {
      broken("the break behind the last line is missing");
      return scan;
    }
    scan.last_hash = chained->hash;
    ++scan.lines;
    if (each) each(line, scan.lines);
    at = line_break + 1;
  }
  return scan;
}

}  // namespace stepmark
