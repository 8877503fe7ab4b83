# cmake -D NAME=x -D INPUT=file -D OUTPUT=file.cpp -P embed.cmake: a text file as a string_view.
file(READ ${INPUT} content)
# A map is a file beside it: the page has none, and asks for nothing.
string(REGEX REPLACE "\n//# sourceMappingURL=[^\n]*" "" content "${content}")
string(FIND "${content}" ")~stepmark~" clash)
if(NOT clash EQUAL -1)
  message(FATAL_ERROR "${INPUT} contains the delimiter of the raw string literal")
endif()
file(WRITE ${OUTPUT} "// Generated from a web file; do not edit.
#include \"results/views/report/web_assets.h\"

namespace stepmark {
const std::string_view kWeb_${NAME} = R\"~stepmark~(")
file(APPEND ${OUTPUT} "${content}")
file(APPEND ${OUTPUT} ")~stepmark~\";
}  // namespace stepmark
")
