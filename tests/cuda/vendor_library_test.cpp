// Libraries that are opened when first needed: what is said where they, or what is asked of them,
// are missing.
#include "kernels/vendor_library.cuh"

#include "kernels/error.h"
#include "tests/catch.h"

namespace drape::tests {

using kernels::VendorLibrary;

TEST_CASE("a vendor's library that is missing is named, and so is a function of it") {
  const VendorLibrary missing("libnowhere.so.1");
  CHECK_THAT(missing.problem(), ContainsSubstring("libnowhere.so.1 cannot be opened ("));
  CHECK_THROWS_WITH(missing.function("create"),
                    ContainsSubstring("create: libnowhere.so.1 cannot be"));

  const VendorLibrary present("libc.so.6");
  CHECK(present.problem() == "");
  CHECK(present.function("puts") != nullptr);
  CHECK_THROWS_WITH(present.function("create"), ContainsSubstring("a function of libc.so.6"));
}

}  // namespace drape::tests
