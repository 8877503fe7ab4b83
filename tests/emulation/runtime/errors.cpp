// SPDX-License-Identifier: Apache-2.0
// Last error, and the names of errors that the emulated CUDA runtime returns.
#include "tests/emulation/runtime/runtime.h"

namespace {

struct Text {
  cudaError_t status;
  const char* name;
  const char* words;
};

#define STEPMARK_ERROR(status, words) \
  Text { status, #status, words }
constexpr Text kTexts[] = {
    STEPMARK_ERROR(cudaSuccess, "no error"),
    STEPMARK_ERROR(cudaErrorInvalidValue, "invalid argument"),
    STEPMARK_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    STEPMARK_ERROR(cudaErrorNoDevice, "no GPU is emulated"),
    STEPMARK_ERROR(cudaErrorInvalidDevice, "no such device"),
    STEPMARK_ERROR(cudaErrorInvalidResourceHandle,
                   "a stream or event that does not exist, was destroyed or is another device's"),
    STEPMARK_ERROR(cudaErrorNotReady, "work is still under way"),
    STEPMARK_ERROR(cudaErrorIllegalState, "illegal state"),
    STEPMARK_ERROR(cudaErrorIllegalAddress, "an illegal memory access"),
    STEPMARK_ERROR(cudaErrorLaunchFailure, "work on the emulated GPU threw an exception"),
    STEPMARK_ERROR(cudaErrorNotSupported, "not emulated"),
    STEPMARK_ERROR(cudaErrorHostMemoryAlreadyRegistered, "host memory is registered already"),
    STEPMARK_ERROR(cudaErrorHostMemoryNotRegistered, "host memory is not registered"),
    STEPMARK_ERROR(cudaErrorCapturedEvent, "the event was last recorded in a capture"),
    STEPMARK_ERROR(cudaErrorStreamCaptureUnsupported, "not permitted while capturing"),
    STEPMARK_ERROR(cudaErrorStreamCaptureInvalidated, "an earlier error spoiled the capture"),
    STEPMARK_ERROR(cudaErrorStreamCaptureMerge, "would merge two captures"),
    STEPMARK_ERROR(cudaErrorStreamCaptureUnmatched, "the capture began on another stream"),
    STEPMARK_ERROR(cudaErrorStreamCaptureUnjoined, "a captured stream was not joined"),
    STEPMARK_ERROR(cudaErrorStreamCaptureIsolation,
                   "a captured stream would depend on work outside its capture"),
    STEPMARK_ERROR(cudaErrorStreamCaptureImplicit,
                   "the legacy stream would depend on a captured stream"),
    STEPMARK_ERROR(cudaErrorStreamCaptureWrongThread, "another thread began the capture"),
};
#undef STEPMARK_ERROR

Text text_of(cudaError_t status) {
  for (const Text& text : kTexts) {
    if (text.status == status) return text;
  }
  return {status, "cudaErrorUnknown", "an error that is not emulated"};
}

}  // namespace

extern "C" {

const char* cudaGetErrorName(cudaError_t status) { return text_of(status).name; }
const char* cudaGetErrorString(cudaError_t status) { return text_of(status).words; }
// The error of a broken device stays.
cudaError_t cudaPeekAtLastError() {
  const stepmark::emulation::Lock lock(stepmark::emulation::runtime().mutex);
  const cudaError_t broken = stepmark::emulation::runtime().broken;
  return broken != cudaSuccess ? broken : stepmark::emulation::last_error();
}
cudaError_t cudaGetLastError() {
  const cudaError_t status = cudaPeekAtLastError();
  stepmark::emulation::last_error() = cudaSuccess;
  return status;
}

}  // extern "C"
