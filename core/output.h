// SPDX-License-Identifier: Apache-2.0
// Results leave the program here and nowhere else: to stdout, or into a file that the user named. A
// result that could not be written is an error (ExitCode::kEnvironment), never a short file.
#pragma once

#include <string>
#include <string_view>

namespace stepmark {

// The reader of stdout has left (`stepmark list | head`): nobody is there to be told, so the
// program ends quietly with kClosedOutputCode. Deliberately no std::exception, as it is no failure.
struct OutputClosed {};
constexpr int kClosedOutputCode = 128 + 13;  // what a shell shows for death by SIGPIPE

// All of `text` to stdout. Error(kEnvironment) with errno text; OutputClosed on a closed pipe.
void write_stdout(std::string_view text);

// `text` as the file `path`; Error(kEnvironment) where that cannot be.
// - A new or regular file is whole or untouched: a temporary file beside it takes its name. Behind
// a
//   symlink the link's target is replaced and the link stays; mode and owner of the old file stay.
//   Where no file can be made beside it, or it may not be replaced (a bind mount), it is
//   overwritten.
// - A terminal, another character device (/dev/null), a FIFO, and this process's own stdout and
// stderr
//   (/dev/stdout) are written to.
// - A folder, a socket and a block device are refused: a slip must not overwrite a disk.
void write_output_file(const std::string& path, std::string_view text);

}  // namespace stepmark
