#!/usr/bin/env bash
# usage: kernel_coverage.sh TEST_BINARY KERNELS_FOLDER: which tests ran which kernel in the emulator.
# Fails if a kernel that the sources launch was run by none.
set -euo pipefail
binary=$1 folder=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

grep -ohE '(\(cuda, |start\()"[a-z0-9_]+"' "$folder"/*.cu "$folder"/*.cuh | grep -oE '[a-z0-9_]+"' | tr -d '"' | sort -u >"$scratch/launched"
mapfile -t tests < <("$binary" --list-test-names-only || true)
for test in "${tests[@]}"; do
  rm -f "$scratch/log"
  DRAPE_LAUNCH_LOG=$scratch/log "$binary" "$test" >/dev/null
  [[ -f $scratch/log ]] && sed "s|\$|\t$test|" "$scratch/log" >>"$scratch/runs"
done

missing=0
while read -r kernel; do
  ran=$(grep -cP "^$kernel\t" "$scratch/runs" || true)
  echo "$kernel: $ran tests: $(grep -P "^$kernel\t" "$scratch/runs" | cut -f2 | paste -sd';')"
  ((ran)) || missing=$((missing + 1))
done <"$scratch/launched"
echo "$(wc -l <"$scratch/launched") kernels, $missing without a test"
exit $((missing > 0))
