#!/bin/sh
# Builds and runs consumer.cpp, whose path it is given, in the current folder with what pkg-config
# knows of drape.
set -eu
"${CXX-c++}" -std=c++20 -c "$1" $(pkg-config --cflags drape)
for linking in "" --static; do
  "${CXX-c++}" consumer.o $(pkg-config $linking --libs drape) -o consumer
  ./consumer
done
