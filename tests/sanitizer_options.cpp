// What the sanitizers ask for when a program starts; without them nobody calls these.

// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming): their names
extern "C" const char* __asan_default_options();
extern "C" const char* __ubsan_default_options();

// As without a sanitizer, an allocation that is too large returns null: a test looks at what
// becomes of it.
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}

extern "C" const char* __ubsan_default_options() {
  return "print_stacktrace=1";
}
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)
