// Attention of ragged rows over chains of shared segments, for decoding and packed prefill alike.
//
// The work is a list of items: up to 16 queries of tokens that read the same chunk of at most 256
// positions of one segment. A block computes the item's softmax over that chunk alone; `merge` joins
// the chunks of a token. A shared prefix is so read once for every 16 queries, not once for every row.
//
//   items[i]  = { segment, capacity, from, count, first, reads }     segment: address of
//               layers x 2 x kv_heads x capacity x dim numbers, keys before values
//   reads[j]  = { row, lo, hi, slot }    token `row` of q sees positions lo..hi of the chunk;
//               partial `slot` holds its maximum, sum and weighted values
//   q, out    rows x heads x dim          partial  slots x heads x (dim + 2)
#include "numbers.cuh"
#include <mma.h>

namespace {
using namespace nvcuda;

constexpr int QUERIES = 16;
constexpr int CHUNK = 256;
constexpr int WARPS = 4;
constexpr int STRIDE = CHUNK + 8;
constexpr float LOW = -3e38f;

struct Item {
  u64 segment, capacity, from, count, first, reads;
};

// Scores of 16 queries: tensor cores where the type has them and the width is a multiple of 16.
template <typename T>
__device__ void score_tiles(const T *q, const T *keys, int dim, int tiles, float *scores) {
  for (int tile = threadIdx.x / 32; tile < tiles; tile += WARPS) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::fill_fragment(sum, 0.f);
    for (int d = 0; d < dim; d += 16) {
      wmma::fragment<wmma::matrix_a, 16, 16, 16, T, wmma::row_major> a;
      wmma::fragment<wmma::matrix_b, 16, 16, 16, T, wmma::col_major> b;
      wmma::load_matrix_sync(a, q + d, dim);
      wmma::load_matrix_sync(b, keys + (size_t)tile * 16 * dim + d, dim);
      wmma::mma_sync(sum, a, b, sum);
    }
    wmma::store_matrix_sync(scores + tile * 16, sum, STRIDE, wmma::mem_row_major);
  }
}

template <typename T>
__device__ void weigh_tiles(const T *p, const T *values, int dim, int tiles, float *out) {
  for (int column = threadIdx.x / 32 * 16; column < dim; column += WARPS * 16) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::fill_fragment(sum, 0.f);
    for (int tile = 0; tile < tiles; tile++) {
      wmma::fragment<wmma::matrix_a, 16, 16, 16, T, wmma::row_major> a;
      wmma::fragment<wmma::matrix_b, 16, 16, 16, T, wmma::row_major> b;
      wmma::load_matrix_sync(a, p + tile * 16, STRIDE);
      wmma::load_matrix_sync(b, values + (size_t)tile * 16 * dim + column, dim);
      wmma::mma_sync(sum, a, b, sum);
    }
    wmma::store_matrix_sync(out + column, sum, dim, wmma::mem_row_major);
  }
}
template <>
__device__ void score_tiles<float>(const float *, const float *, int, int, float *) {}
template <>
__device__ void weigh_tiles<float>(const float *, const float *, int, int, float *) {}

// A score as the softmax takes it; cap 0 cuts nothing.
__device__ __forceinline__ float scaled(float x, float scale, float cap) {
  x *= scale;
  return cap > 0.f ? cap * tanhf(x / cap) : x;
}

template <typename T>
__device__ void attend(const Item *items, const uint4 *reads, const T *q, float *partial, int heads,
                       int kv_heads, int dim, int layer, float scale, float cap) {
  // q: 16 x dim of T, p: 16 x STRIDE of T, scores: 16 x max(STRIDE, dim) of f32; f32 keeps p in scores.
  extern __shared__ __align__(128) unsigned char memory[];
  constexpr bool HALF = sizeof(T) == 2;
  const Item item = items[blockIdx.x];
  const int head = blockIdx.y, group = heads / kv_heads;
  const int first = blockIdx.z * QUERIES;
  const int m = min(QUERIES, (int)item.reads * group - first);
  if (m <= 0) return;
  const bool tiled = HALF && dim % 16 == 0;
  T *qs = (T *)memory;
  T *p = qs + QUERIES * dim;
  float *scores = (float *)(HALF ? (void *)(p + QUERIES * STRIDE) : (void *)p);
  const int count = (int)item.count, tiles = (count + 15) / 16;
  const size_t plane = (size_t)item.capacity * dim;
  const T *segment = (const T *)item.segment + (size_t)layer * 2 * kv_heads * plane;
  const T *keys = segment + head * plane + item.from * dim;
  const T *values = segment + (kv_heads + head) * plane + item.from * dim;
  reads += item.first;

  for (int i = threadIdx.x; i < QUERIES * dim; i += blockDim.x) {
    const int r = i / dim, at = first + r;
    const size_t row = r < m ? reads[at / group].x : 0;
    const size_t from = (row * heads + head * group + at % group) * dim + i % dim;
    qs[i] = r < m ? q[from] : down<T>(0.f);
  }
  __syncthreads();
  if (tiled) {
    score_tiles<T>(qs, keys, dim, tiles, scores);
  } else {
    for (int i = threadIdx.x; i < m * count; i += blockDim.x) {
      const int r = i / count, j = i % count;
      float sum = 0.f;
      for (int d = 0; d < dim; d++) sum += up(qs[r * dim + d]) * up(keys[(size_t)j * dim + d]);
      scores[r * STRIDE + j] = sum;
    }
  }
  __syncthreads();
  for (int r = threadIdx.x / 32; r < QUERIES; r += WARPS) {
    const int lane = threadIdx.x % 32, at = first + r;
    float *row = scores + r * STRIDE;
    const uint4 read = r < m ? reads[at / group] : make_uint4(0, 0, 0, 0);
    const int lo = read.y, hi = read.z;
    float most = LOW, sum = 0.f;
    for (int j = lo + lane; j < hi; j += 32) most = fmaxf(most, scaled(row[j], scale, cap));
    most = warp_max(most);
    for (int j = lane; j < tiles * 16; j += 32) {
      const float e = j >= lo && j < hi ? expf(scaled(row[j], scale, cap) - most) : 0.f;
      sum += e;
      if (HALF) p[r * STRIDE + j] = down<T>(e);
      else row[j] = e;
    }
    sum = warp_sum(sum);
    if (r < m && lane == 0) {
      float *to = partial + ((size_t)read.w * heads + head * group + at % group) * (dim + 2);
      to[0] = most;
      to[1] = sum;
    }
  }
  __syncthreads();
  // Tiles go over the scores, which nobody reads any more.
  if (tiled) weigh_tiles<T>(p, values, dim, tiles, scores);
  __syncthreads();
  for (int i = threadIdx.x; i < m * dim; i += blockDim.x) {
    const int r = i / dim, d = i % dim, at = first + r;
    const uint4 read = reads[at / group];
    float sum = 0.f;
    if (tiled) {
      sum = scores[r * dim + d];
    } else {
      for (int j = read.y; j < (int)read.z; j++) {
        const float e = HALF ? up(p[r * STRIDE + j]) : scores[r * STRIDE + j];
        sum += e * up(values[(size_t)j * dim + d]);
      }
    }
    partial[((size_t)read.w * heads + head * group + at % group) * (dim + 2) + 2 + d] = sum;
  }
}

// slots[row]..slots[row + 1] are the partials of a row, in the order of their positions. sinks[head], where there are
// some, is a term of the softmax that stands for no position.
template <typename T>
__device__ void merge(const float *partial, const unsigned *slots, const float *sinks, T *out, int heads,
                      int dim) {
  const int row = blockIdx.x, head = blockIdx.y;
  const unsigned from = slots[row], to = slots[row + 1];
  float most = sinks ? sinks[head] : LOW, total = 0.f;
  for (unsigned s = from; s < to; s++)
    most = fmaxf(most, partial[((size_t)s * heads + head) * (dim + 2)]);
  for (unsigned s = from; s < to; s++) {
    const float *part = partial + ((size_t)s * heads + head) * (dim + 2);
    total += part[1] * expf(part[0] - most);
  }
  if (sinks) total += expf(sinks[head] - most);
  for (int d = threadIdx.x; d < dim; d += blockDim.x) {
    float sum = 0.f;
    for (unsigned s = from; s < to; s++) {
      const float *part = partial + ((size_t)s * heads + head) * (dim + 2);
      sum += part[2 + d] * expf(part[0] - most);
    }
    out[((size_t)row * heads + head) * dim + d] = down<T>(sum / total);
  }
}
} // namespace

#define KERNELS(NAME, T)                                                                           \
  extern "C" __global__ void __launch_bounds__(32 * WARPS)                                         \
      attend_##NAME(const Item *items, const uint4 *reads, const T *q, float *partial, int heads,  \
                    int kv_heads, int dim, int layer, float scale, float cap) {                    \
    attend<T>(items, reads, q, partial, heads, kv_heads, dim, layer, scale, cap);                  \
  }                                                                                                \
  extern "C" __global__ void merge_##NAME(const float *partial, const unsigned *slots,             \
                                          const float *sinks, T *out, int heads, int dim) {        \
    merge<T>(partial, slots, sinks, out, heads, dim);                                              \
  }
KERNELS(f32, float)
KERNELS(f16, __half)
KERNELS(bf16, __nv_bfloat16)
