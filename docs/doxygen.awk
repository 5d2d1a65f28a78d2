# What Doxygen reads of a header, in which plain comments become documentation: the one at its head
# that of the file, one behind a member that of the member. Indented lines of a comment, formulas
# and shapes, stay as they are. Every line keeps its number. In a document, links lead to whole
# pages, those that there are.
FILENAME ~ /\.md$/ {
  gsub(/\.md#[^)]*\)/, ".md)")
  gsub(/\]\(bench[^)]*\)/, "]")
  print
  next
}
!/^\/\// { head_is_over = 1 }
!head_is_over { sub(/^\/\/ /, "/// ") }
/;  \/\/ / { sub(/;  \/\/ /, ";  ///< ") }
/,  \/\/ / { sub(/,  \/\/ /, ",  ///< ") }
{
  formula = /^ *\/\/\/   +[^ ]/
  if (formula && !in_formula) sub(/\/\/\/ /, "/// @verbatim ")
  if (!formula && in_formula) held = held " @endverbatim"
  if (head_is_over && !head_is_told) held = held " @file"
  head_is_told = head_is_over
  in_formula = formula
  if (NR > 1) print held
  held = $0
}
END { if (held != "") print held }
