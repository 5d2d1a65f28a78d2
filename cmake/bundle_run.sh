#!/bin/sh
# The front door of a bundle: ./run PROGRAM [options], one of bin/, or ./run gpu-report [options].
# CUDA's libraries may be those of Python's packages.
set -eu
folder=$(dirname "$(readlink -f "$0")")
python=${PYTHON:-python3}

vendor=$("$python" -c '
import glob, nvidia
print(":".join(lib for root in nvidia.__path__ for lib in sorted(glob.glob(root + "/*/lib"))))
' 2>/dev/null) || vendor=
if [ "$vendor" ]; then
  export LD_LIBRARY_PATH="$vendor${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi

program=${1-}
if [ "$program" = gpu-report ]; then
  shift
  exec "$python" "$folder/bench/gpu_report.py" --bin "$folder/bin" "$@"
elif [ -z "$program" ] || [ ! -x "$folder/bin/$program" ]; then
  echo "usage: ./run PROGRAM [options]: gpu-report or one of" $(ls "$folder/bin") >&2
  exit 2
fi
shift
exec "$folder/bin/$program" "$@"
