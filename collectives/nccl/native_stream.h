// SPDX-License-Identifier: Apache-2.0
// From a Stream to the cudaStream_t that NCCL enqueues on. A recording stream gives the one that it
// records for, so the handle is read anew at each call of a verb.
#pragma once

#include <driver_types.h>

#include "core/device.h"
#include "core/error.h"

namespace stepmark {

// The CUDA stream behind `stream`, read when a verb is called. Error for a stream of another
// backend: null would mean the default stream, which waits for all others.
[[nodiscard]] inline cudaStream_t native_stream(const Stream& stream) {
  STEPMARK_CHECK(stream.native() != nullptr, "stream '{}' is not a CUDA stream", stream.name());
  return static_cast<cudaStream_t>(stream.native());
}

}  // namespace stepmark
