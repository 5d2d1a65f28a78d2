// The program of many commands: train, compare, predict, evaluate, export.
#pragma once

namespace drape {

/// Its main function.
int drape_program(int argc, const char* const* argv);

}  // namespace drape
