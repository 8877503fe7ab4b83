// SPDX-License-Identifier: Apache-2.0
// How emulated kernels and libraries put work on a stream of the emulated CUDA runtime.
#pragma once

#include <driver_types.h>

#include <functional>

namespace stepmark::emulation {

// Appends work to the stream, or to the graph that is being captured from it. Work that throws
// makes the runtime report a failed launch at the next synchronisation, as a GPU would.
void enqueue(cudaStream_t stream, std::function<void()> work);

}  // namespace stepmark::emulation
