// All systems of the study, one after the other, and the report of them.
#pragma once

namespace drape {

/// The main function of the program that trains systems and reports them beside the published
/// numbers, or reports those that were trained before.
int compare_program(int argc, const char* const* argv);

}  // namespace drape
