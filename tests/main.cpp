// Catch2's main, for the packages of Catch2 2 that carry no library with one.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
