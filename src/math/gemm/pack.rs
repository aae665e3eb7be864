//! Weights in the order in which the kernels read them.

use half::{bf16, f16};

use super::{PANEL, kernel, pairs};
use crate::math::simd::{Isa, Lines};

/// The type in which packed weights are kept; products are in f32 whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// 4 bytes a weight.
    F32,
    /// 2 bytes a weight, widened exactly when read.
    Bf16,
    /// 2 bytes a weight, widened exactly when read.
    F16,
    /// bfloat16 two by two, multiplied with activations rounded to bfloat16.
    Pairs,
}

enum Weights {
    /// `panel[i · 32 + j] = (w[32 · panel + j, 2 i], w[32 · panel + j, 2 i + 1])`.
    Pairs(Vec<u32>),
    F32(Lines),
    Bf16(Vec<u16>),
    F16(Vec<u16>),
}

/// An `n × k` matrix in panels of 32 rows: `panel[k · 32 + j] = w[32 · panel + j, k]`, missing rows 0.
pub struct Packed {
    n: usize,
    k: usize,
    weights: Weights,
}

impl Packed {
    /// Packs matrices with `k` columns each, row-major, one below the other.
    pub fn new(parts: &[&[f32]], k: usize, storage: Storage) -> Self {
        let n = parts.iter().map(|part| part.len() / k).sum::<usize>();
        let len = n.div_ceil(PANEL) * PANEL * k;
        let rows = || parts.iter().flat_map(|part| part.chunks_exact(k)).enumerate();
        let place = |row: usize, i: usize| (row / PANEL * k + i) * PANEL + row % PANEL;
        let weights = match storage {
            Storage::F32 => {
                let mut out = Lines::zeros(len);
                rows().for_each(|(n, row)| {
                    row.iter().enumerate().for_each(|(i, &w)| out[place(n, i)] = w);
                });
                Weights::F32(out)
            }
            Storage::Pairs => {
                let half = k.div_ceil(2);
                let mut out = vec![0; n.div_ceil(PANEL) * PANEL * half];
                rows().for_each(|(n, row)| {
                    for (i, two) in row.chunks(2).enumerate() {
                        let second = two.get(1).copied().unwrap_or(0.0);
                        out[(n / PANEL * half + i) * PANEL + n % PANEL] =
                            pairs::pair(two[0], second);
                    }
                });
                Weights::Pairs(out)
            }
            Storage::Bf16 | Storage::F16 => {
                let bf = storage == Storage::Bf16;
                let narrow =
                    |w| if bf { bf16::from_f32(w).to_bits() } else { f16::from_f32(w).to_bits() };
                let mut out = vec![0; len];
                rows().for_each(|(n, row)| {
                    row.iter().enumerate().for_each(|(i, &w)| out[place(n, i)] = narrow(w));
                });
                if bf { Weights::Bf16(out) } else { Weights::F16(out) }
            }
        };
        Self { n, k, weights }
    }

    /// Rows of the matrix: outputs of the product.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Columns of the matrix: inputs of the product.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Number of panels.
    pub fn panels(&self) -> usize {
        self.n.div_ceil(PANEL)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        match &self.weights {
            Weights::F32(w) => 4 * w.len(),
            Weights::Pairs(w) => 4 * w.len(),
            Weights::Bf16(w) | Weights::F16(w) => 2 * w.len(),
        }
    }

    /// Writes row `n` of the matrix to `out`, of `k` values.
    pub fn row(&self, n: usize, out: &mut [f32]) {
        let at = n / PANEL * PANEL * self.k + n % PANEL;
        let places = (0..self.k).map(|i| at + i * PANEL);
        match &self.weights {
            Weights::Pairs(w) => {
                let at = n / PANEL * PANEL * self.k.div_ceil(2) + n % PANEL;
                for (i, o) in out.iter_mut().enumerate() {
                    *o = pairs::of_pair(w[at + i / 2 * PANEL], i % 2 == 1);
                }
            }
            Weights::F32(w) => out.iter_mut().zip(places).for_each(|(o, i)| *o = w[i]),
            Weights::Bf16(w) => {
                out.iter_mut().zip(places).for_each(|(o, i)| *o = bf16::from_bits(w[i]).to_f32());
            }
            Weights::F16(w) => {
                out.iter_mut().zip(places).for_each(|(o, i)| *o = f16::from_bits(w[i]).to_f32());
            }
        }
    }

    /// Whether activations are packed as pairs.
    pub(super) fn wants_pairs(&self) -> bool {
        matches!(self.weights, Weights::Pairs(_))
    }

    /// Multiplies packed activations with panel `panel`.
    ///
    /// # Safety
    ///
    /// `job.c` has room for `job.columns` values in each of `job.rows` rows.
    #[expect(unsafe_code, reason = "hands the pointer of the job on")]
    pub(super) unsafe fn run(&self, isa: Isa, panel: usize, job: kernel::Job<'_>) {
        let panel = panel * PANEL * self.k..(panel + 1) * PANEL * self.k;
        // SAFETY: the slice is one whole panel; the rest is the caller's promise.
        unsafe {
            match &self.weights {
                Weights::F32(w) => kernel::f32(isa, &job, &w[panel]),
                Weights::Bf16(w) => kernel::bf16(isa, &job, &w[panel]),
                Weights::F16(w) => kernel::f16(isa, &job, &w[panel]),
                Weights::Pairs(_) => unreachable!("activations are packed as pairs"),
            }
        }
    }

    /// The same with activations packed as pairs.
    ///
    /// # Safety
    ///
    /// As [`run`](Self::run).
    #[expect(unsafe_code, reason = "hands the pointer of the job on")]
    pub(super) unsafe fn run_pairs(&self, isa: Isa, panel: usize, job: kernel::Job<'_, u32>) {
        let Weights::Pairs(w) = &self.weights else {
            unreachable!("activations are packed as numbers")
        };
        // SAFETY: the slice is one whole panel; the rest is the caller's promise.
        unsafe { pairs::run(isa, &job, &w[panel * PANEL * job.k..][..PANEL * job.k]) }
    }
}
