// SPDX-License-Identifier: Apache-2.0
// Text from outside: environment variables, host names, arguments, files of the kernel, what
// libraries say. Any of it may be bytes of any kind; what is written (JSON, CSV, HTML, tables,
// messages) is UTF-8, and a terminal is sent no control character that came from elsewhere.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace stepmark {

// What is remarked where a text had to be changed.
inline constexpr std::string_view kNotUtf8 = "not UTF-8: shown escaped";

// `text` with every byte that is no part of a well-formed sequence (RFC 3629: no overlong form, no
// surrogate, nothing above U+10FFFF) shown as \xHH. `changed`, where given, is set to true when
// there was one, and is left alone otherwise. A backslash of the text stays as it is: the result is
// for people to read, not to be decoded.
[[nodiscard]] std::string valid_utf8(std::string_view text, bool* changed = nullptr);

// The same, with control characters (C0 without tab and line break, DEL, C1) escaped too, so that
// no name can move the cursor, clear the screen or recolour a terminal: for everything printed.
[[nodiscard]] std::string printable(std::string_view text, bool* changed = nullptr);

// The same with tabs and line breaks escaped too: for a name within a line, such as a host's.
[[nodiscard]] std::string printable_line(std::string_view text, bool* changed = nullptr);

// Where the first byte is that is not UTF-8; nothing where all is well.
[[nodiscard]] std::optional<std::size_t> first_invalid_utf8(std::string_view text);

}  // namespace stepmark
