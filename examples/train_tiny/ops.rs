//! Operations with gradients of their own, for the CPU: candle composes them of many passes over memory.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail,
};
use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

/// The values of a contiguous f32 tensor.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<f32>()?[from..to]),
        None => bail!("a contiguous tensor is needed"),
    }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1::<f32>()
}

/// `eˣ` to seven digits for `x ≤ 80`, in steps that a compiler turns into vector instructions.
fn exp(x: f32) -> f32 {
    // Adding this leaves the integer part in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let y = (x * std::f32::consts::LOG2_E).max(-126.0);
    let shifted = y + ROUND;
    let r = (y - (shifted - ROUND)) * std::f32::consts::LN_2;
    let tail = 1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0));
    let series = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * tail)));
    f32::from_bits(shifted.to_bits().wrapping_add(127) << 23) * series
}

/// `x Wᵀ` (`transposed`, weights `out × in`) or `x W` (`in × out`) of rows `x`.
#[derive(Clone, Copy)]
pub struct Linear {
    pub transposed: bool,
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, out) = (l1.dims()[0], l2.dims()[usize::from(!self.transposed)]);
        let x = rows(slice(s1, l1)?, n);
        let w = rows(slice(s2, l2)?, l2.dims()[0]);
        let mut y = vec![0.0; n * out];
        product(&mut y, x, if self.transposed { w.transpose() } else { w }, 1.0);
        Ok((CpuStorage::F32(y), Shape::from((n, out))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (xs, ws, grads) = (values(x)?, values(w)?, values(grad)?);
        let n = x.dim(0)?;
        let (x2, w2, g2) = (rows(&xs, n), rows(&ws, w.dim(0)?), rows(&grads, n));
        let (mut dx, mut dw) = (vec![0.0; xs.len()], vec![0.0; ws.len()]);
        if self.transposed {
            product(&mut dx, g2, w2, 1.0);
            product(&mut dw, g2.transpose(), x2, 1.0);
        } else {
            product(&mut dx, g2, w2.transpose(), 1.0);
            product(&mut dw, x2.transpose(), g2, 1.0);
        }
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), device)?),
            Some(Tensor::from_vec(dw, w.shape(), device)?),
        ))
    }
}

/// Root-mean-square or layer normalization of the last dimension, times a weight.
#[derive(Clone, Copy)]
pub struct Norm {
    pub centered: bool,
    pub eps: f32,
}

impl Norm {
    /// Mean (0 unless centered) and inverse deviation of a row.
    fn moments(self, x: &[f32]) -> (f32, f32) {
        let n = x.len() as f32;
        let mean = if self.centered { x.iter().sum::<f32>() / n } else { 0.0 };
        let square: f32 = x.iter().map(|x| (x - mean) * (x - mean)).sum();
        (mean, (square / n + self.eps).sqrt().recip())
    }
}

impl CustomOp2 for Norm {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (slice(s1, l1)?, slice(s2, l2)?);
        let mut y = Vec::with_capacity(x.len());
        for x in x.chunks_exact(w.len()) {
            let (mean, scale) = self.moments(x);
            y.extend(x.iter().zip(w).map(|(x, w)| (x - mean) * scale * w));
        }
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (xs, ws, grads) = (values(x)?, values(w)?, values(grad)?);
        let d = ws.len();
        let (mut dx, mut dw) = (Vec::with_capacity(xs.len()), vec![0.0; d]);
        let mut g = vec![0.0f32; d];
        for (x, grad) in xs.chunks_exact(d).zip(grads.chunks_exact(d)) {
            let (mean, scale) = self.moments(x);
            let (mut sum, mut dot) = (0.0, 0.0);
            for i in 0..d {
                let z = (x[i] - mean) * scale;
                dw[i] += grad[i] * z;
                g[i] = grad[i] * ws[i];
                sum += g[i];
                dot += g[i] * z;
            }
            let (sum, dot) = (if self.centered { sum / d as f32 } else { 0.0 }, dot / d as f32);
            dx.extend((0..d).map(|i| scale * (g[i] - sum - (x[i] - mean) * scale * dot)));
        }
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), device)?),
            Some(Tensor::from_vec(dw, w.shape(), device)?),
        ))
    }
}

/// `silu(gate) · up`.
pub struct Gated;

impl CustomOp2 for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (slice(s1, l1)?, slice(s2, l2)?);
        let y = gate.iter().zip(up).map(|(g, u)| g / (1.0 + exp(-g)) * u).collect();
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (mut gates, mut ups, grads) = (values(gate)?, values(up)?, values(grad)?);
        for ((g, u), d) in gates.iter_mut().zip(&mut ups).zip(&grads) {
            let sigmoid = (1.0 + exp(-*g)).recip();
            let silu = *g * sigmoid;
            let slope = sigmoid + silu * (1.0 - sigmoid);
            (*g, *u) = (d * *u * slope, d * silu);
        }
        let device = gate.device();
        Ok((
            Some(Tensor::from_vec(gates, gate.shape(), device)?),
            Some(Tensor::from_vec(ups, up.shape(), device)?),
        ))
    }
}

/// Mean of `−ln softmax(logits)[target]` over the rows that have a target.
pub struct CrossEntropy {
    /// One per row; `u32::MAX` for none.
    pub targets: Vec<u32>,
}

impl CrossEntropy {
    /// The number of rows that have a target.
    fn total(&self) -> f32 {
        self.targets.iter().filter(|target| **target != u32::MAX).count().max(1) as f32
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = slice(s, l)?;
        let rows = logits.chunks_exact(logits.len() / self.targets.len());
        let mut sum = 0.0f64;
        for (row, &target) in rows.zip(&self.targets) {
            if target != u32::MAX {
                let max = row.iter().copied().fold(f32::MIN, f32::max);
                let total: f32 = row.iter().map(|x| exp(x - max)).sum();
                sum += f64::from(max + total.ln() - row[target as usize]);
            }
        }
        Ok((CpuStorage::F32(vec![(sum / f64::from(self.total())) as f32]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut values = values(logits)?;
        let scale = grad.to_scalar::<f32>()? / self.total();
        let width = values.len() / self.targets.len();
        let rows = values.chunks_exact_mut(width);
        for (row, &target) in rows.zip(&self.targets) {
            if target == u32::MAX {
                row.fill(0.0);
                continue;
            }
            let max = row.iter().copied().fold(f32::MIN, f32::max);
            row.iter_mut().for_each(|x| *x = exp(*x - max));
            let scale_row = scale / row.iter().sum::<f32>();
            row.iter_mut().for_each(|x| *x *= scale_row);
            row[target as usize] -= scale;
        }
        Ok(Some(Tensor::from_vec(values, logits.shape(), logits.device())?))
    }
}

/// Causal self-attention of `[batch, length, heads · width]`, with rotary positions where a base is given.
#[derive(Clone, Copy)]
pub struct Attention {
    pub heads: usize,
    pub rope_theta: Option<f32>,
}

/// One head of one row: queries, keys, values, and what is computed of them.
struct Head {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    p: Vec<f32>,
}

fn product(out: &mut [f32], a: MatRef<'_, f32>, b: MatRef<'_, f32>, alpha: f32) {
    let out = MatMut::from_row_major_slice_mut(out, a.nrows(), b.ncols());
    matmul(out, Accum::Replace, a, b, alpha, Par::Seq);
}

fn rows(values: &[f32], n: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, n, values.len() / n)
}

impl Attention {
    /// Copies head `h` of row `b`.
    fn gather(self, x: &[f32], b: usize, h: usize, n: usize, width: usize) -> Vec<f32> {
        let d = width / self.heads;
        let mut head = Vec::with_capacity(n * d);
        for i in 0..n {
            head.extend_from_slice(&x[(b * n + i) * width + h * d..][..d]);
        }
        head
    }

    fn scatter(self, head: &[f32], x: &mut [f32], b: usize, h: usize, n: usize, width: usize) {
        let d = width / self.heads;
        for (i, row) in head.chunks_exact(d).enumerate() {
            x[(b * n + i) * width + h * d..][..d].copy_from_slice(row);
        }
    }

    /// Sine and cosine of position `i` and pair `j`.
    fn angles(self, n: usize, d: usize) -> Option<Vec<(f32, f32)>> {
        let theta = self.rope_theta?;
        let rates: Vec<f32> = (0..d / 2).map(|j| theta.powf(-2.0 * j as f32 / d as f32)).collect();
        let angle = |i: usize| rates.iter().map(move |rate| (i as f32 * rate).sin_cos());
        Some((0..n).flat_map(angle).collect())
    }

    /// Turns the pairs `(j, j + d/2)` of position `i` by the angle `i θ^(−2j/d)`, or back.
    fn rotate(x: &mut [f32], d: usize, angles: Option<&[(f32, f32)]>, back: bool) {
        let Some(angles) = angles else { return };
        for (row, angles) in x.chunks_exact_mut(d).zip(angles.chunks_exact(d / 2)) {
            let (low, high) = row.split_at_mut(d / 2);
            for ((a, b), &(sin, cos)) in low.iter_mut().zip(high).zip(angles) {
                let sin = if back { -sin } else { sin };
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }

    fn head(
        self,
        qkv: [&[f32]; 3],
        at: [usize; 2],
        n: usize,
        width: usize,
        angles: Option<&[(f32, f32)]>,
    ) -> Head {
        let [b, h] = at;
        let [mut q, mut k, v] = qkv.map(|x| self.gather(x, b, h, n, width));
        let d = width / self.heads;
        Self::rotate(&mut q, d, angles, false);
        Self::rotate(&mut k, d, angles, false);
        let mut p = vec![0.0; n * n];
        let scale = (d as f32).sqrt().recip();
        product(&mut p, rows(&q, n), rows(&k, n).transpose(), scale);
        for (i, row) in p.chunks_exact_mut(n).enumerate() {
            let (seen, unseen) = row.split_at_mut(i + 1);
            let max = seen.iter().copied().fold(f32::MIN, f32::max);
            seen.iter_mut().for_each(|x| *x = exp(*x - max));
            let scale = seen.iter().sum::<f32>().recip();
            seen.iter_mut().for_each(|x| *x *= scale);
            unseen.fill(0.0);
        }
        Head { q, k, v, p }
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let qkv = [slice(s1, l1)?, slice(s2, l2)?, slice(s3, l3)?];
        let (batch, n, width) = l1.shape().dims3()?;
        let angles = self.angles(n, width / self.heads);
        let mut out = vec![0.0; qkv[0].len()];
        for (b, h) in (0..batch).flat_map(|b| (0..self.heads).map(move |h| (b, h))) {
            let head = self.head(qkv, [b, h], n, width, angles.as_deref());
            let mut o = vec![0.0; head.v.len()];
            product(&mut o, rows(&head.p, n), rows(&head.v, n), 1.0);
            self.scatter(&o, &mut out, b, h, n, width);
        }
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (batch, n, width) = q.dims3()?;
        let [qs, ks, vs, grads] = [values(q)?, values(k)?, values(v)?, values(grad)?];
        let d = width / self.heads;
        let scale = (d as f32).sqrt().recip();
        let angles = self.angles(n, d);
        let angles = angles.as_deref();
        let (mut dq, mut dk, mut dv) =
            (vec![0.0; qs.len()], vec![0.0; qs.len()], vec![0.0; qs.len()]);
        for (b, h) in (0..batch).flat_map(|b| (0..self.heads).map(move |h| (b, h))) {
            let head = self.head([&qs, &ks, &vs], [b, h], n, width, angles);
            let g = self.gather(&grads, b, h, n, width);
            let mut one = vec![0.0; g.len()];
            product(&mut one, rows(&head.p, n).transpose(), rows(&g, n), 1.0);
            self.scatter(&one, &mut dv, b, h, n, width);
            let mut ds = vec![0.0; n * n];
            product(&mut ds, rows(&g, n), rows(&head.v, n).transpose(), 1.0);
            for (ds, p) in ds.chunks_exact_mut(n).zip(head.p.chunks_exact(n)) {
                let dot: f32 = ds.iter().zip(p).map(|(ds, p)| ds * p).sum();
                ds.iter_mut().zip(p).for_each(|(ds, p)| *ds = p * (*ds - dot));
            }
            product(&mut one, rows(&ds, n), rows(&head.k, n), scale);
            Self::rotate(&mut one, d, angles, true);
            self.scatter(&one, &mut dq, b, h, n, width);
            product(&mut one, rows(&ds, n).transpose(), rows(&head.q, n), scale);
            Self::rotate(&mut one, d, angles, true);
            self.scatter(&one, &mut dk, b, h, n, width);
        }
        let tensor = |values| Tensor::from_vec(values, q.shape(), q.device()).map(Some);
        Ok((tensor(dq)?, tensor(dk)?, tensor(dv)?))
    }
}
