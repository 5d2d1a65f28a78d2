#!/usr/bin/env bash
# usage: fuzz.sh PROGRAM SECONDS: feeds a fuzz target for so long, beginning with its seeds and what earlier runs have
# found beside the program, and prints a line of figures. On a crash, a leak, a hang or too much memory: libFuzzer's
# report, and the input that did it beside the program.
set -euo pipefail

program=$1 seconds=$2
name=${program##*/fuzz_}
seeds=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/corpus/$name
found=$(dirname "$program")/corpus/$name
mkdir -p "$found"
folders=("$found")
[[ ! -d $seeds ]] || folders+=("$seeds")

# A machine may stand still for a while, so that a hang is what takes a minute.
limits=(-max_len=4096 -timeout=60 -rss_limit_mb=1024 -malloc_limit_mb=64)
if ! report=$("$program" "${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 \
    -artifact_prefix="$found-" "${folders[@]}" 2>&1); then
  tail -n 60 <<<"$report"
  exit 1
fi
inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' <<<"$report")
covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' <<<"$report" | tail -n 1)
echo "fuzz $name: $inputs inputs in $seconds s, $covered edges, 0 crashes"
