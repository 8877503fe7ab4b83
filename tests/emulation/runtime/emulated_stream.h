// SPDX-License-Identifier: Apache-2.0
// How emulated kernels and libraries put work on a stream of the emulated CUDA runtime. Streams are
// queues; nothing runs before something waits for it (synchronize, query, a synchronous copy).
#pragma once

#include <driver_types.h>

#include <functional>

namespace stepmark::emulation {

// Appends work to the stream, or to the graph that is being captured from it (then it runs once per
// launch). Work that throws makes the runtime report a failed launch at the next synchronisation,
// as a GPU would. Throws Error for a stream that cannot be used. Work must not call the runtime.
void enqueue(cudaStream_t stream, std::function<void()> work);

// Work that may have to wait for another process: called again until it returns true, while other
// streams go on in between; for the next launch of a graph it is called afresh.
void enqueue_polled(cudaStream_t stream, std::function<bool()> work);

}  // namespace stepmark::emulation
