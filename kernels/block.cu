// What stands between a block's matrix products: rotation, the cache, gated activations.
#include "numbers.cuh"

namespace {
// One block a token: queries are rotated into `out`, keys rotated and values copied into the cache.
//   places[token] = { segment, capacity, position }, segment as in attention.cu
//   cos, sin      tokens x half; the first 2 half numbers of a head turn
template <typename T>
__device__ void place(const T *q, const T *k, const T *v, long long q_stride, long long k_stride,
                      long long v_stride, const float *cos, const float *sin, const u64 *places,
                      T *out, int heads, int kv_heads, int dim, int half, int layer) {
  const size_t token = blockIdx.x;
  const u64 *to = places + token * 3;
  const size_t plane = (size_t)to[1] * dim, at = (size_t)to[2] * dim;
  T *keys = (T *)to[0] + (size_t)layer * 2 * kv_heads * plane + at;
  T *values = keys + kv_heads * plane;
  q += token * q_stride;
  k += token * k_stride;
  v += token * v_stride;
  cos += token * half;
  sin += token * half;
  for (int i = threadIdx.x; i < (heads + kv_heads) * dim; i += blockDim.x) {
    const int head = i / dim, d = i % dim;
    const T *from = head < heads ? q + head * dim : k + (head - heads) * dim;
    float x = up(from[d]);
    if (d < 2 * half) {
      const int pair = d % half;
      const float other = up(from[d < half ? d + half : pair]);
      x = d < half ? x * cos[pair] - other * sin[pair] : x * cos[pair] + other * sin[pair];
    }
    if (head < heads) out[token * heads * dim + i] = down<T>(x);
    else keys[(head - heads) * plane + d] = down<T>(x);
  }
  for (int i = threadIdx.x; i < kv_heads * dim; i += blockDim.x)
    values[i / dim * plane + i % dim] = v[i];
}

__device__ __forceinline__ float activate(float x, int f) {
  switch (f) {
  case 0: return x / (1.f + expf(-x));
  case 1: return 0.5f * x * (1.f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
  case 2: return 0.5f * x * (1.f + erff(x * 0.7071067811865476f));
  default: return fmaxf(x, 0.f);
  }
}

// out = f(wide[:, ..inner]) * wide[:, inner..], or f(wide) where nothing gates. f == 4 is the clamped gate of both halves.
template <typename T>
__device__ void gate(const T *wide, T *out, int inner, int gated, int f, float alpha, float limit,
                     u64 count) {
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < count; i += (u64)gridDim.x * blockDim.x) {
    const u64 row = i / inner, j = i % inner;
    const T *from = wide + row * (gated ? 2 * inner : inner) + j;
    if (f == 4) {
      const float g = fminf(up(from[0]), limit);
      const float u = fminf(fmaxf(up(from[inner]), -limit), limit);
      out[i] = down<T>((u + 1.f) * (g / (1.f + expf(-alpha * g))));
      continue;
    }
    const float x = activate(up(from[0]), f);
    out[i] = down<T>(gated ? x * up(from[inner]) : x);
  }
}
} // namespace

#define KERNELS(NAME, T)                                                                            \
  extern "C" __global__ void place_##NAME(                                                          \
      const T *q, const T *k, const T *v, long long q_stride, long long k_stride, long long v_stride, \
      const float *cos, const float *sin, const u64 *places, T *out, int heads, int kv_heads, int dim, \
      int half, int layer) {                                                                        \
    place<T>(q, k, v, q_stride, k_stride, v_stride, cos, sin, places, out, heads, kv_heads, dim, half, \
             layer);                                                                                \
  }                                                                                                 \
  extern "C" __global__ void gate_##NAME(const T *wide, T *out, int inner, int gated, int f,        \
                                         float alpha, float limit, u64 count) {                     \
    gate<T>(wide, out, inner, gated, f, alpha, limit, count);                                       \
  }
KERNELS(f32, float)
KERNELS(f16, __half)
KERNELS(bf16, __nv_bfloat16)
