# Writes OUTPUT, the source of build_commit() in machine.h: the commit of the repository GIT_DIR,
# "" if there is none.
execute_process(COMMAND git --git-dir=${GIT_DIR} rev-parse --verify --short HEAD
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
file(WRITE ${OUTPUT} "#include \"examples/machine.h\"

std::string drape::build_commit() {
  return \"${commit}\";
}
")
