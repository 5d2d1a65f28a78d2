// Does what its argument says, wrongly on purpose: the control that the sanitizers are on and end a
// test.
#include <cstdio>
#include <limits>
#include <string_view>
#include <vector>

int main(int argc, char** argv) {
  const std::string_view mistake = argc == 2 ? argv[1] : "";
  volatile int one = 1;  // keeps the compiler from seeing what follows
  if (mistake == "overflow") {
    std::printf("%d\n", std::numeric_limits<int>::max() + one);
  } else if (mistake == "bounds") {
    const std::vector<int> row(4);
    std::printf("%d\n", row.data()[3 + one]);
  } else if (mistake == "leak") {
    int* volatile lost = new int[100];
    lost[0] = one;
    lost = nullptr;
  }
  return 0;
}
