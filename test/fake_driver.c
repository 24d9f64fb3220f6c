// Copyright 2026 The grin_ros Authors
//
// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.
// You may obtain a copy of the License at
//
//     http://www.apache.org/licenses/LICENSE-2.0
//
// Unless required by applicable law or agreed to in writing, software
// distributed under the License is distributed on an "AS IS" BASIS,
// WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
// See the License for the specific language governing permissions and
// limitations under the License.
//
// SPDX-License-Identifier: Apache-2.0

// A CUDA driver that is not there: device memory is the host's. It shows that pycuda takes our
// calls in our order and that all is given back; it says nothing of what a real driver does.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, OUT_OF_MEMORY = 2, INVALID_CONTEXT = 201, LOST = 700 };

long fake_buffers, fake_pinned, fake_streams, fake_retained, fake_depth, fake_lost;

#define NEED_CONTEXT if (fake_lost) return LOST; if (fake_depth < 1) return INVALID_CONTEXT

int cuInit(unsigned flags) { return SUCCESS; }
int cuDriverGetVersion(int *version) { *version = 12060; return SUCCESS; }
int cuDeviceGetCount(int *count) { *count = 1; return SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return SUCCESS; }
int cuDeviceGetName(char *name, int length, int device) {
  strncpy(name, "Driver of ours", length);
  return SUCCESS;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 16 ? 14 : attribute == 75 ? 8 : attribute == 76 ? 7 : 1;
  return SUCCESS;
}
int cuDeviceComputeCapability(int *major, int *minor, int device) {
  *major = 8;
  *minor = 7;
  return SUCCESS;
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = &fake_retained;
  fake_retained++;
  return SUCCESS;
}
int cuDevicePrimaryCtxRelease_v2(int device) { fake_retained--; return SUCCESS; }
int cuCtxPushCurrent_v2(void *context) {
  if (context != &fake_retained) return INVALID_CONTEXT;
  fake_depth++;
  return SUCCESS;
}
int cuCtxPopCurrent_v2(void **context) {
  if (fake_depth < 1) return INVALID_CONTEXT;
  fake_depth--;
  if (context) *context = &fake_retained;
  return SUCCESS;
}
int cuCtxGetDevice(int *device) { *device = 0; return fake_depth ? SUCCESS : INVALID_CONTEXT; }
int cuCtxSynchronize(void) { NEED_CONTEXT; return SUCCESS; }
int cuMemAlloc_v2(uintptr_t *address, size_t size) {
  NEED_CONTEXT;
  if (size > ((size_t)1 << 40)) return OUT_OF_MEMORY;
  *address = (uintptr_t)aligned_alloc(256, (size + 255) / 256 * 256);
  fake_buffers++;
  return SUCCESS;
}
int cuMemFree_v2(uintptr_t address) {
  NEED_CONTEXT;
  free((void *)address);
  fake_buffers--;
  return SUCCESS;
}
int cuMemHostAlloc(void **memory, size_t size, unsigned flags) {
  NEED_CONTEXT;
  *memory = malloc(size);
  fake_pinned++;
  return SUCCESS;
}
int cuMemFreeHost(void *memory) { NEED_CONTEXT; free(memory); fake_pinned--; return SUCCESS; }
int cuMemGetInfo_v2(size_t *available, size_t *total) {
  NEED_CONTEXT;
  *available = 123;
  *total = 456;
  return SUCCESS;
}
int cuMemcpyHtoDAsync_v2(uintptr_t target, const void *source, size_t size, void *stream) {
  NEED_CONTEXT;
  memcpy((void *)target, source, size);
  return SUCCESS;
}
int cuMemcpyDtoHAsync_v2(void *target, uintptr_t source, size_t size, void *stream) {
  NEED_CONTEXT;
  memcpy(target, (void *)source, size);
  return SUCCESS;
}
int cuStreamCreate(void **stream, unsigned flags) {
  NEED_CONTEXT;
  *stream = &fake_streams;
  fake_streams++;
  return SUCCESS;
}
int cuStreamDestroy_v2(void *stream) { NEED_CONTEXT; fake_streams--; return SUCCESS; }
int cuStreamSynchronize(void *stream) { NEED_CONTEXT; return SUCCESS; }
int cuGetErrorName(int error, const char **name) {
  *name = error == LOST ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR";
  return SUCCESS;
}
int cuGetErrorString(int error, const char **text) {
  *text = error == LOST ? "an illegal memory access was encountered" : "an error";
  return SUCCESS;
}
