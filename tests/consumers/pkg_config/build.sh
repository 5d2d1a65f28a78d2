#!/bin/sh
# Builds and runs consumer.cpp, whose path it is given, in the current folder with what pkg-config
# knows of drape.
set -eu
eval '"${CXX-c++}" -std=c++20 -c "$1"' "$(pkg-config --cflags drape)"  # which quotes for a shell
for linking in "" --static; do
  eval '"${CXX-c++}" consumer.o' "$(pkg-config $linking --libs drape)" -o consumer
  ./consumer
done
