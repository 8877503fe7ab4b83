// SPDX-License-Identifier: Apache-2.0
// The kernels of one instruction set, generated from the list of ops. The name is given by the
// build: it is all of the set that the rest of the program can see.
#include "kernels/host/table.h"

extern "C" {
#define STEPMARK_HOST_ENTRY(name) &stepmark::host_##name,
extern const stepmark::HostKernel STEPMARK_HOST_TABLE[];
const stepmark::HostKernel STEPMARK_HOST_TABLE[] = {STEPMARK_OPS(STEPMARK_HOST_ENTRY)};
#undef STEPMARK_HOST_ENTRY
}
