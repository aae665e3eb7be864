//! Launches of `kernels/*.cu`, which build.rs compiled.
//!
//! Kernels read and write by address: tensors of a pass live until its launches are in the stream, and
//! memory goes back in the order of the stream. All of it runs on the one stream that [`open`] makes.
#![expect(unsafe_code, reason = "kernels are launched with addresses of device memory")]

use candle_core::{
    CudaDevice, DType, Device, Result, Storage, Tensor,
    backend::BackendStorage,
    bail, builder_arg,
    cuda_backend::{
        CudaDType, WrapErr,
        cudarc::driver::{self, CudaSlice, DevicePtr, LaunchConfig, PushKernelArg, sys},
    },
};
use half::{bf16, f16};

use super::{
    attention::Shape,
    draw::{Settings, distinct},
    work_list::{CHUNK, Plan, QUERIES},
};
use crate::{
    decode::{DecodeError, Pick},
    lm::{
        LmError,
        arch::config::Activation,
        engine::{
            kv::{Kv, Span},
            logits::{Ask, LogitRow, draw_on_host},
        },
    },
};

const ATTENTION: (&str, &str) =
    ("llmpr_attention", include_str!(concat!(env!("OUT_DIR"), "/attention.ptx")));
const BLOCK: (&str, &str) = ("llmpr_block", include_str!(concat!(env!("OUT_DIR"), "/block.ptx")));
const SAMPLING: (&str, &str) =
    ("llmpr_sampling", include_str!(concat!(env!("OUT_DIR"), "/sampling.ptx")));

/// Numbers of a row of scores in shared memory, as in attention.cu.
const STRIDE: usize = CHUNK + 8;

/// Elements of the vocabulary that one warp adds up, as in sampling.cu.
const TILE: usize = 1024;

/// Device `index` with one stream for all threads, and memory that the pool keeps between passes.
pub(crate) fn open(index: usize) -> Result<Device> {
    let device = Device::new_cuda_with_stream(index)?;
    let cuda = device.as_cuda_device()?;
    // SAFETY: one stream only, the device's own, so its order is that of uses.
    unsafe { cuda.disable_event_tracking() };
    let stream = cuda.cuda_stream();
    let context = stream.context();
    if context.has_async_alloc() {
        let mut keep = u64::MAX;
        // SAFETY: the attribute is a 64-bit number, which the call reads before it returns.
        unsafe {
            let pool = driver::result::device::get_mem_pool(context.cu_device()).w()?;
            let what = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            sys::cuMemPoolSetAttribute(pool, what, (&raw mut keep).cast()).result().w()?;
        }
    }
    Ok(device)
}

/// Bytes that the device has free.
pub(super) fn free_memory(device: &Device) -> Result<usize> {
    let (free, _) = device.as_cuda_device()?.cuda_stream().context().mem_get_info().w()?;
    Ok(free)
}

/// Where a tensor's first element lies; its rows follow each other by the tensor's strides.
fn address(tensor: &Tensor) -> Result<u64> {
    fn of<T: CudaDType + driver::DeviceRepr>(s: &candle_core::CudaStorage) -> Result<u64> {
        let stream = s.device().cuda_stream();
        Ok(s.as_cuda_slice::<T>()?.device_ptr(&stream).0)
    }
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cuda(storage) = &*storage else { bail!("a tensor outside the CUDA device") };
    let start = match tensor.dtype() {
        DType::F32 => of::<f32>(storage)?,
        DType::F16 => of::<f16>(storage)?,
        DType::BF16 => of::<bf16>(storage)?,
        other => bail!("no kernel for {other:?}"),
    };
    Ok(start + (layout.start_offset() * tensor.dtype().size_in_bytes()) as u64)
}

/// Columns of adjacent elements: the address, and the distance of rows.
fn columns(tensor: &Tensor) -> Result<(u64, i64)> {
    match tensor.stride() {
        [row, 1] => Ok((address(tensor)?, *row as i64)),
        other => bail!("a matrix with strides {other:?} where rows are wanted"),
    }
}

/// A tensor to be written whole by a kernel.
fn unwritten(shape: &[usize], like: &Tensor) -> Result<Tensor> {
    // SAFETY: every kernel here writes all of its output before anything reads it.
    unsafe { Tensor::empty(shape, like.dtype(), like.device()) }
}

fn upload<T: driver::DeviceRepr + 'static>(cuda: &CudaDevice, data: &[T]) -> Result<CudaSlice<T>> {
    // SAFETY: written by the next call.
    let mut there = unsafe { cuda.alloc::<T>(data.len().max(1))? };
    if !data.is_empty() {
        cuda.memcpy_htod(data, &mut there)?;
    }
    Ok(there)
}

fn grid(x: usize, y: usize, z: usize, threads: u32, shared: usize) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (x as u32, y as u32, z as u32),
        block_dim: (threads, 1, 1),
        shared_mem_bytes: shared as u32,
    }
}

macro_rules! launch {
    ($cuda:expr, $module:expr, $name:expr, $grid:expr, $($arg:expr),+ $(,)?) => {{
        let function = $cuda.get_or_load_custom_func(&$name, $module.0, $module.1)?;
        let mut args = function.builder();
        builder_arg!(args, $($arg),+);
        // SAFETY: the arguments are those of the kernel, and what they point to outlives the launch in
        // the order of the stream.
        unsafe { args.launch($grid) }.w()?;
    }};
}

/// Where each token of a pass puts its key and value.
pub(super) struct Places {
    cuda: CudaDevice,
    places: CudaSlice<u64>,
    tokens: usize,
}

impl Places {
    pub fn new(kv: &Kv, spans: &[Span<'_>], device: &Device) -> Result<Self> {
        let mut places = Vec::new();
        for span in spans {
            let (at, capacity) = (address(kv.tensor(span.own.id)?)?, kv.capacity(span.own.id));
            for t in 0..span.tokens.len() {
                places.extend([at, capacity as u64, (span.own.used + t) as u64]);
            }
        }
        let cuda = device.as_cuda_device()?.clone();
        Ok(Self { places: upload(&cuda, &places)?, tokens: places.len() / 3, cuda })
    }

    /// Rotated queries; keys, rotated, and values go into layer `layer` of the cache.
    pub fn fill(
        &self,
        [q, k, v]: [&Tensor; 3],
        angles: Option<&[Tensor; 2]>,
        layer: usize,
        (heads, kv_heads, dim): (usize, usize, usize),
    ) -> Result<Tensor> {
        let out = unwritten(&[self.tokens, heads * dim], q)?;
        let ((q_at, q_row), (k_at, k_row), (v_at, v_row)) = (columns(q)?, columns(k)?, columns(v)?);
        let (cos, sin, half) = match angles {
            Some([cos, sin]) => (address(cos)?, address(sin)?, cos.dim(1)?),
            None => (0, 0, 0),
        };
        let name = format!("place_{}", q.dtype().as_str());
        let (places, _) = self.places.device_ptr(self.places.stream());
        let out_at = address(&out)?;
        launch!(
            self.cuda,
            BLOCK,
            name,
            grid(self.tokens, 1, 1, 256, 0),
            q_at,
            k_at,
            v_at,
            q_row,
            k_row,
            v_row,
            cos,
            sin,
            places,
            out_at,
            heads as i32,
            kv_heads as i32,
            dim as i32,
            half as i32,
            layer as i32,
        );
        Ok(out)
    }
}

/// `f(gate) · up` of `rows × 2 inner`, or `f` of `rows × inner`.
pub(super) fn gate(wide: &Tensor, inner: usize, f: Activation) -> Result<Tensor> {
    let (rows, width) = wide.dims2()?;
    let wide = wide.contiguous()?;
    let out = unwritten(&[rows, inner], &wide)?;
    let (f, alpha, limit) = match f {
        Activation::Silu => (0i32, 0.0, 0.0),
        Activation::GeluTanh => (1, 0.0, 0.0),
        Activation::Gelu => (2, 0.0, 0.0),
        Activation::Relu => (3, 0.0, 0.0),
        Activation::ClampedSwish { alpha, limit } => (4, alpha, limit),
    };
    let count = rows * inner;
    let name = format!("gate_{}", wide.dtype().as_str());
    let cuda = wide.device().as_cuda_device()?;
    let (from, to) = (address(&wide)?, address(&out)?);
    launch!(
        cuda,
        BLOCK,
        name,
        grid(count.div_ceil(256).clamp(1, 1 << 16), 1, 1, 256, 0),
        from,
        to,
        inner as i32,
        i32::from(width == 2 * inner),
        f,
        alpha,
        limit,
        count as u64,
    );
    Ok(out)
}

/// A [`Plan`] on the device.
pub(super) struct PlanThere {
    cuda: CudaDevice,
    items: CudaSlice<u64>,
    reads: CudaSlice<u32>,
    slots: CudaSlice<u32>,
    count: usize,
    /// Most reads of an item.
    widest: usize,
    rows: usize,
    partials: usize,
}

impl PlanThere {
    pub fn new(plan: &Plan, kv: &Kv, device: &Device) -> Result<Self> {
        let cuda = device.as_cuda_device()?.clone();
        let mut items = Vec::with_capacity(6 * plan.items.len());
        for item in &plan.items {
            let at = address(kv.tensor(item.segment)?)?;
            let capacity = kv.capacity(item.segment);
            let rest = [capacity, item.from, item.count, item.first, item.reads];
            items.push(at);
            items.extend(rest.map(|x| x as u64));
        }
        let reads: Vec<u32> = plan.reads.iter().flat_map(|r| [r.row, r.lo, r.hi, r.slot]).collect();
        Ok(Self {
            items: upload(&cuda, &items)?,
            reads: upload(&cuda, &reads)?,
            slots: upload(&cuda, &plan.slots)?,
            count: plan.items.len(),
            widest: plan.items.iter().map(|item| item.reads).max().unwrap_or(0),
            rows: plan.rows(),
            partials: plan.partials(),
            cuda,
        })
    }

    /// `rows × heads · head_dim` for queries of the same shape; `sinks` are numbers of f32, one a head.
    pub fn attend(&self, q: &Tensor, shape: Shape, sinks: Option<&Tensor>) -> Result<Tensor> {
        let Shape { layer, heads, kv_heads, head_dim: dim, scale, cap } = shape;
        if dim > 256 {
            bail!("heads of {dim} numbers are wider than the kernel's 256");
        }
        let q = q.contiguous()?;
        let out = unwritten(&[self.rows, heads * dim], &q)?;
        // SAFETY: `attend` writes every partial before `merge` reads it.
        let partial = unsafe { self.cuda.alloc::<f32>(self.partials * heads * (dim + 2))? };
        let size = q.dtype().size_in_bytes();
        let halves = if size == 2 { QUERIES * STRIDE * size } else { 0 };
        let shared = QUERIES * dim * size + halves + QUERIES * STRIDE * 4;
        let tiles = (self.widest * (heads / kv_heads)).div_ceil(QUERIES);
        let (items, _) = self.items.device_ptr(self.items.stream());
        let (reads, _) = self.reads.device_ptr(self.reads.stream());
        let (slots, _) = self.slots.device_ptr(self.slots.stream());
        let (parts, _) = partial.device_ptr(partial.stream());
        let (q_at, out_at) = (address(&q)?, address(&out)?);
        let kind = q.dtype().as_str();
        launch!(
            self.cuda,
            ATTENTION,
            format!("attend_{kind}"),
            grid(self.count, kv_heads, tiles, 128, shared),
            items,
            reads,
            q_at,
            parts,
            heads as i32,
            kv_heads as i32,
            dim as i32,
            layer as i32,
            scale,
            cap.unwrap_or(0.0),
        );
        let sinks = sinks.map(address).transpose()?.unwrap_or(0);
        launch!(
            self.cuda,
            ATTENTION,
            format!("merge_{kind}"),
            grid(self.rows, heads, 1, 64, 0),
            parts,
            slots,
            sinks,
            out_at,
            heads as i32,
            dim as i32,
        );
        Ok(out)
    }
}

/// Draws a token from every row; chains that the kernel does not serve are drawn from in main memory.
pub(super) fn draw(
    asks: &[Ask<'_>],
    device: &Device,
    vocab: usize,
) -> std::result::Result<Vec<std::result::Result<Pick, DecodeError>>, LmError> {
    let mut results: Vec<_> = vec![None; asks.len()];
    let (mut who, mut table, mut ids) = (Vec::new(), Vec::<u64>::new(), Vec::<u32>::new());
    let mut kind = DType::F32;
    for (i, ask) in asks.iter().enumerate() {
        let (LogitRow::Tensor { rows, row }, Some(s)) = (ask.logits, Settings::of(ask.chain))
        else {
            results[i] = draw_on_host(std::slice::from_ref(ask))?.pop();
            continue;
        };
        let first = ids.len();
        match distinct(ask.past.context, vocab) {
            Ok(context) => ids.extend(context),
            Err(error) => {
                results[i] = Some(Err(error));
                continue;
            }
        }
        kind = rows.dtype();
        let (start, stride) = columns(rows)?;
        let at = start + row as u64 * stride as u64 * kind.size_in_bytes() as u64;
        table.push(at);
        table.extend([s.temperature, s.top_p, s.min_p, s.penalty, ask.u].map(f64::to_bits));
        table.extend([s.top_k as u64, first as u64, ids.len() as u64]);
        who.push(i);
    }
    let found = numbers(&table, &ids, who.len(), kind, device, vocab)?;
    for (i, found) in who.into_iter().zip(found.chunks_exact(4)) {
        let [token, logprob, logprob_model, entropy] = [found[0], found[1], found[2], found[3]];
        results[i] = Some(match token {
            -1.0 => Err(DecodeError::NanLogit { token: logprob as usize }),
            -2.0 => Err(DecodeError::InfiniteLogit { token: logprob as usize }),
            -3.0 => Err(DecodeError::NoToken { vocabulary: vocab }),
            token => Ok(Pick { token: token as u32, logprob, logprob_model, entropy, mu: None }),
        });
    }
    let missing = || Err(DecodeError::NoToken { vocabulary: vocab });
    Ok(results.into_iter().map(|result| result.unwrap_or_else(missing)).collect())
}

/// Four numbers for each of `rows` rows of the table.
fn numbers(
    table: &[u64],
    ids: &[u32],
    rows: usize,
    kind: DType,
    device: &Device,
    vocab: usize,
) -> Result<Vec<f64>> {
    if rows == 0 {
        return Ok(Vec::new());
    }
    let cuda = device.as_cuda_device()?;
    let (table, ids) = (upload(cuda, table)?, upload(cuda, ids)?);
    // SAFETY: the kernel writes its scores before it reads them.
    let scores = unsafe { cuda.alloc::<f32>(rows * vocab)? };
    let drawn = cuda.alloc_zeros::<f64>(4 * rows)?;
    let (table_at, _) = table.device_ptr(table.stream());
    let (ids_at, _) = ids.device_ptr(ids.stream());
    let (scores_at, _) = scores.device_ptr(scores.stream());
    let (drawn_at, _) = drawn.device_ptr(drawn.stream());
    let shared = 8 * vocab.div_ceil(TILE);
    launch!(
        cuda,
        SAMPLING,
        format!("draw_{}", kind.as_str()),
        grid(rows, 1, 1, 512, shared),
        table_at,
        ids_at,
        scores_at,
        drawn_at,
        vocab as i32,
    );
    cuda.clone_dtoh(&drawn)
}
