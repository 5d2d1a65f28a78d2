#!/usr/bin/env bash
# usage: kernel_coverage.sh TEST_BINARY LAUNCH_LOG: which tests ran which kernel in the emulator, by
# the log that they left (DRAPE_LAUNCH_LOG). A kernel is a function of the binary whose name ends in
# _kernel, every instantiation of a template and every body of an elementwise loop by itself. Fails
# if one was run by no test.
set -euo pipefail
binary=$1 log=$2
[[ -s $log ]] || { echo "kernel_coverage: expected what the tests launched in $log" >&2; exit 1; }

# address, tab, name
kernels=$(nm --demangle --defined-only "$binary" |
  sed -E 's/\(anonymous namespace\):://g' |
  sed -nE 's/^([0-9a-f]+) [tTwW] (void )?([A-Za-z0-9_:]*_kernel[<(].*)$/\1\t\3/p' |
  sed -E '/operator|_FUN|\[clone/d; s/drape::(kernels::)?//g
          s/(<|, )\([A-Za-z]+\)([0-9])/\1\2/g; s/\tfor_each(_element)?_kernel<([^(]*)\(.*/\t\2 elementwise/; s/\(.*//' |
  sort -u)
awk -F '\t' '
  NR == FNR { count[$1]++; names[$1] = names[$1] (count[$1] > 1 ? "; " : "") $2; next }
  { print $2 ": " (count[$1] ? count[$1] " tests: " names[$1] : "NO TEST"); missing += !count[$1] }
  END { print FNR " kernels, " missing + 0 " without a test"; exit missing > 0 || FNR == 0 }
' <(sort -u "$log") - <<<"$kernels"
