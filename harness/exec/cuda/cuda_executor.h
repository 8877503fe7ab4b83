// SPDX-License-Identifier: Apache-2.0
// Runs programs on a GPU: the ops of each of a program's streams on a cudaStream, cross-stream
// dependencies as events.
#pragma once

#include <memory>

#include "harness/exec/executor.h"

namespace stepmark {

// The device must be a CudaDevice and outlive the executor and its Runnables; Runnables must go
// before the comms that they were prepared with, since a comm waits for graphs with its work in
// them. A Runnable has all its buffers in one zero-filled arena, and its own streams.
//
// prepare() with PrepareOptions::capture executes the step once, on the zeros of the arena, and
// captures it then: every body is called twice, on all ranks alike. What is done at a first use
// (kernels are loaded, communicators connect) is over by then. The arena is zero again afterwards.
// Tracing captures a graph more, with events around every op.
//
// step_ns is the time between two events around the step on its first stream, to 0.5 us. Failures
// while enqueueing name the op; failures of the GPU itself, which shows them later, name the step.
// After one of the latter the device is of no more use to the process, as CUDA has it.
[[nodiscard]] std::unique_ptr<Executor> make_cuda_executor(Device& cuda_device);

}  // namespace stepmark
