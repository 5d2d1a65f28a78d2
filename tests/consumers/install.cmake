# Installs the library that BUILD holds in PREFIX, which has nothing else.
file(REMOVE_RECURSE ${PREFIX})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX} --component library
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
