// Streams that record, and what they recorded.
#pragma once

#include <cstdint>
#include <functional>

namespace drape::emulator {

/// What a device is asked for.
enum class Work : std::uint8_t { kernel, memset, memcpy };

/// Whether a stream records now, or this one does.
bool recording();
bool recording_on(const void* stream);
void add_to_recording(Work kind, std::function<void()> work);

/// Does `work` or, while a stream records, keeps a copy of it for the graph.
template <class F>
void submit(Work kind, const F& work) {
  if (recording()) return add_to_recording(kind, work);
  work();
}

/// Ends a recording: what is asked for cannot be recorded.
void spoil_recording();

}  // namespace drape::emulator
