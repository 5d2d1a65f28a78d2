// What the emulator does in place of a device is told apart from what the program does.
#pragma once

namespace drape::emulator {

/// While one lives, this thread is the device.
class AtWork {
 public:
  AtWork() { ++depth; }
  ~AtWork() { --depth; }
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;

  static bool now() { return depth > 0; }

 private:
  static inline thread_local int depth = 0;
};

}  // namespace drape::emulator
