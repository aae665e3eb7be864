// A token for every row of a batch: penalty, temperature, top-k, top-p, min-p and the draw.
//
// One block a row; logits stay on the device and four numbers a row leave it. Masses are integers of
// 2^-40 of the greatest weight, so sums do not depend on the order in which threads add.
//
//   asks[row] = { logits, temperature, top_p, min_p, penalty, u, top_k, ids, ids_end }, f64 by bits;
//               top_k 0, top_p 1 and min_p 0 do nothing; ids are the distinct tokens penalised
//   drawn[row] = { token, logprob, logprob under the model, entropy }; token -1: NaN logit,
//               -2: infinite logit (the second number says which), -3: no token has any mass
//   scores    rows x vocab of f32, scratch
#include "numbers.cuh"

namespace {
constexpr int THREADS = 512;
constexpr int TILE = 1024;
constexpr float UNIT = 1099511627776.f; // 2^40
constexpr u64 NONE = ~0ull;

struct Ask {
  u64 logits, temperature, top_p, min_p, penalty, u, top_k, ids, ids_end;
};

__device__ __forceinline__ double number(u64 bits) { return __longlong_as_double((long long)bits); }

// Ascending with the value.
__device__ __forceinline__ unsigned key_of(float x) {
  const unsigned bits = __float_as_uint(x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

template <typename V, typename F> __device__ V block_reduce(V x, F join, V *shared) {
  for (int o = 16; o; o >>= 1) x = join(x, __shfl_xor_sync(~0u, x, o));
  __syncthreads();
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
  __syncthreads();
  V all = shared[0];
  for (int w = 1; w < THREADS / 32; w++) all = join(all, shared[w]);
  __syncthreads();
  return all;
}

// The smallest index at which the running sum of f exceeds `aim`; NONE where it never does.
template <typename F> __device__ u64 walk(F f, int n, u64 aim, u64 *tiles, u64 *result) {
  const int count = (n + TILE - 1) / TILE, lane = threadIdx.x % 32;
  for (int tile = threadIdx.x / 32; tile < count; tile += THREADS / 32) {
    u64 sum = 0;
    for (int i = tile * TILE + lane; i < min(n, (tile + 1) * TILE); i += 32) sum += f(i);
    for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(~0u, sum, o);
    if (lane == 0) tiles[tile] = sum;
  }
  if (threadIdx.x == 0) *result = NONE;
  __syncthreads();
  if (threadIdx.x < 32) {
    u64 below = 0;
    int tile = 0;
    while (tile < count && below + tiles[tile] <= aim) below += tiles[tile++];
    for (int at = tile * TILE; tile < count && at < min(n, (tile + 1) * TILE); at += 32) {
      const int i = at + lane;
      u64 running = i < n ? f(i) : 0;
      for (int o = 1; o < 32; o <<= 1) {
        const u64 left = __shfl_up_sync(~0u, running, o);
        if (lane >= o) running += left;
      }
      const unsigned beyond = __ballot_sync(~0u, below + running > aim);
      if (beyond) {
        if (lane == 0) *result = at + __ffs(beyond) - 1;
        break;
      }
      below += __shfl_sync(~0u, running, 31);
    }
  }
  __syncthreads();
  const u64 found = *result;
  __syncthreads();
  return found;
}

struct Cut {
  unsigned key; // greatest key at which the sum of all not smaller ones reaches the target
  u64 before;   // sum of greater ones
};

// Keys from the top down until `amount` of them reaches `target`, eight bits at a time.
template <typename F> __device__ Cut select(const float *x, F amount, int n, u64 target, u64 *bins, Cut *shared) {
  Cut cut = {0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int i = threadIdx.x; i < 256; i += THREADS) bins[i] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += THREADS) {
      const unsigned key = key_of(x[i]);
      if (shift == 24 || (key ^ cut.key) >> (shift + 8) == 0) {
        const u64 mass = amount(i);
        if (mass) atomicAdd(&bins[key >> shift & 255], mass);
      }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      u64 sum = cut.before;
      int bin = 255;
      while (bin > 0 && sum + bins[bin] < target) sum += bins[bin--];
      *shared = {cut.key | (unsigned)bin << shift, sum};
    }
    __syncthreads();
    cut = *shared;
    __syncthreads();
  }
  return cut;
}

template <typename T>
__device__ void draw(const Ask *asks, const unsigned *ids, float *all_scores, double *drawn, int n) {
  extern __shared__ u64 memory[]; // one number a tile of the vocabulary
  __shared__ u64 bins[256], sums[32], result;
  __shared__ double reals[32];
  __shared__ float floats[32];
  __shared__ Cut shared_cut;
  const Ask ask = asks[blockIdx.x];
  const T *logits = (const T *)ask.logits;
  float *x = all_scores + (size_t)blockIdx.x * n;
  drawn += blockIdx.x * 4;
  const auto greater = [](float a, float b) { return fmaxf(a, b); };
  const auto plus = [](double a, double b) { return a + b; };
  const auto add = [](u64 a, u64 b) { return a + b; };
  const auto lower = [](u64 a, u64 b) { return a < b ? a : b; };

  // The model's own distribution; what is no number is named, the lowest token first.
  float most = -INFINITY;
  u64 bad = NONE;
  for (int i = threadIdx.x; i < n; i += THREADS) {
    const float s = up(logits[i]);
    x[i] = s;
    if ((isnan(s) || s == INFINITY) && bad == NONE) bad = i;
    most = fmaxf(most, s);
  }
  bad = block_reduce(bad, lower, sums);
  most = block_reduce(most, greater, floats);
  if (bad != NONE || most == -INFINITY) {
    if (threadIdx.x == 0) {
      drawn[0] = bad == NONE ? -3. : isnan(x[bad]) ? -1. : -2.;
      drawn[1] = (double)bad;
    }
    return;
  }
  double total = 0.;
  for (int i = threadIdx.x; i < n; i += THREADS) total += (double)expf(x[i] - most);
  total = block_reduce(total, plus, reals);
  const double log_norm = (double)most + log(total);

  const float penalty = (float)number(ask.penalty);
  for (u64 i = ask.ids + threadIdx.x; i < ask.ids_end; i += THREADS) {
    const float s = x[ids[i]];
    x[ids[i]] = s < 0.f ? s * penalty : s / penalty;
  }
  __syncthreads();
  if (ask.ids < ask.ids_end) {
    most = -INFINITY;
    for (int i = threadIdx.x; i < n; i += THREADS) most = fmaxf(most, x[i]);
    most = block_reduce(most, greater, floats);
  }
  const double temperature = number(ask.temperature);
  if (temperature == 0.) {
    u64 first = NONE;
    for (int i = threadIdx.x; i < n; i += THREADS)
      if (x[i] == most && first == NONE) first = i;
    first = block_reduce(first, lower, sums);
    if (threadIdx.x == 0) {
      drawn[0] = (double)first;
      drawn[1] = drawn[3] = 0.;
      drawn[2] = (double)up(logits[first]) - log_norm;
    }
    return;
  }
  const float by = (float)(1. / temperature);
  for (int i = threadIdx.x; i < n; i += THREADS) x[i] = (x[i] - most) * by;
  __syncthreads();

  // A token stays when its key is above the cut, or on it and its index not above the limit.
  unsigned cut = 0;
  u64 limit = NONE;
  const float floor = (float)number(ask.min_p);
  const auto kept = [&](int i) {
    const unsigned key = key_of(x[i]);
    return key > cut || (key == cut && i <= limit);
  };
  const auto mass = [&](int i) { return kept(i) ? (u64)(expf(x[i]) * UNIT) : 0ull; };
  if (ask.top_k && ask.top_k < n) cut = select(x, [](int) { return 1ull; }, n, ask.top_k, bins, &shared_cut).key;
  if (number(ask.top_p) < 1.) {
    u64 held = 0;
    for (int i = threadIdx.x; i < n; i += THREADS) held += mass(i);
    held = block_reduce(held, add, sums);
    const u64 target = (u64)ceil(number(ask.top_p) * (double)held);
    const Cut found = select(x, mass, n, target, bins, &shared_cut);
    u64 one = 0, equal = 0;
    for (int i = threadIdx.x; i < n; i += THREADS) {
      const bool on = key_of(x[i]) == found.key;
      equal += on;
      if (on) one = (u64)(expf(x[i]) * UNIT);
    }
    equal = block_reduce(equal, add, sums);
    one = block_reduce(one, [](u64 a, u64 b) { return a > b ? a : b; }, sums);
    const u64 ties = one ? (target - found.before + one - 1) / one : equal;
    cut = found.key;
    if (ties < equal)
      limit = walk([&](int i) { return key_of(x[i]) == cut ? 1ull : 0ull; }, n, ties ? ties - 1 : 0, memory, &result);
  }
  const auto left = [&](int i) { return expf(x[i]) >= floor ? mass(i) : 0ull; };
  u64 held = 0;
  double spread = 0.;
  for (int i = threadIdx.x; i < n; i += THREADS) {
    const u64 one = left(i);
    held += one;
    if (one) spread += (double)one * (double)x[i];
  }
  held = block_reduce(held, add, sums);
  spread = block_reduce(spread, plus, reals);
  const u64 aim = (u64)(number(ask.u) * (double)held);
  // The product may round up to all of the mass.
  const u64 token = walk(left, n, aim < held ? aim : held - 1, memory, &result);
  if (threadIdx.x == 0) {
    const double log_held = log((double)held / (double)UNIT);
    drawn[0] = token == NONE ? -3. : (double)token;
    if (token == NONE) return;
    drawn[1] = (double)x[token] - log_held;
    drawn[2] = (double)up(logits[token]) - log_norm;
    drawn[3] = fmax(log_held - spread / (double)held, 0.);
  }
}
} // namespace

#define KERNELS(NAME, T)                                                                             \
  extern "C" __global__ void __launch_bounds__(THREADS)                                              \
      draw_##NAME(const Ask *asks, const unsigned *ids, float *scores, double *drawn, int n) {       \
    draw<T>(asks, ids, scores, drawn, n);                                                            \
  }
KERNELS(f32, float)
KERNELS(f16, __half)
KERNELS(bf16, __nv_bfloat16)
