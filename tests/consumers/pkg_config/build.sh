#!/bin/sh
# Builds and runs SOURCE in the current folder with what pkg-config knows of drape.
set -eu
c++ -std=c++20 -c "$1" $(pkg-config --cflags drape)
for linking in "" --static; do
  c++ consumer.o $(pkg-config $linking --libs drape) -o consumer
  ./consumer
done
