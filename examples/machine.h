// Where a run comes from: the machine, how much memory this process took of it, and the source.
#pragma once

#include <cstdint>
#include <string>

namespace drape {

/// "AMD EPYC 9554, 16 cores, 128 GiB"; what is not known is left out.
std::string describe_machine();

/// The most memory that was resident since the last reset_peak_memory(), or since the start where
/// the system cannot reset it (only Linux can); 0 if it does not tell.
std::int64_t peak_memory_bytes();
void reset_peak_memory();

/// The commit that was checked out when this was built, "7256b44"; uncommitted changes do not show
/// in it. "" if built outside a git checkout.
std::string build_commit();

}  // namespace drape
