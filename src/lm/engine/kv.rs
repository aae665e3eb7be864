//! Keys and values of the tokens before, in segments that rows share.
//!
//! A row reads a chain of segments: prompts and their common beginnings, which many rows read in
//! place, then one segment of its own that grows as it writes. A segment has its full capacity from
//! the start and never moves.

use candle_core::{DType, Device, Tensor};

use crate::{lm::LmError, math::simd::Lines};

/// Positions of a block of keys.
pub(crate) const BLOCK: usize = 16;

/// Names a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentId(u32);

/// What one position of a model's cache consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvShape {
    /// Layers kept. One is enough where later passes do not read them; then it is written anew by
    /// each layer.
    pub layers: usize,
    /// Key and value heads.
    pub heads: usize,
    /// Width of a head.
    pub head_dim: usize,
}

impl KvShape {
    /// Width of a value row: a head's width, filled up to whole registers.
    pub(crate) fn value_width(&self) -> usize {
        self.head_dim.next_multiple_of(16)
    }

    /// Bytes of a segment for `capacity` positions in main memory.
    pub fn bytes(&self, capacity: usize) -> usize {
        let positions = capacity.next_multiple_of(BLOCK);
        4 * self.layers * self.heads * positions * (self.head_dim + self.value_width())
    }
}

struct Segment {
    capacity: usize,
    data: Data,
}

enum Data {
    Host(Lines),
    /// `layers × 2 × heads × capacity × head_dim`, keys before values.
    Tensor(Tensor),
}

/// Where segments lie.
#[derive(Clone, Debug, Default)]
pub enum Place {
    /// In main memory, in the order of our own kernels.
    #[default]
    Host,
    /// As tensors.
    Device(Device, DType),
}

impl Place {
    /// Bytes of a segment for `capacity` positions.
    pub fn bytes(&self, shape: KvShape, capacity: usize) -> usize {
        match self {
            Self::Host => shape.bytes(capacity),
            Self::Device(_, dtype) => {
                let positions = 2 * capacity.next_multiple_of(BLOCK);
                shape.layers * shape.heads * positions * shape.head_dim * dtype.size_in_bytes()
            }
        }
    }
}

/// All segments of a model, and how much memory they hold.
pub struct Kv {
    shape: KvShape,
    place: Place,
    segments: Vec<Option<Segment>>,
    /// Segments given back, to be used again for the same capacity.
    spare: Vec<Segment>,
    bytes: usize,
    peak: usize,
}

impl Kv {
    /// No segments yet.
    pub fn new(shape: KvShape, place: Place) -> Self {
        Self { shape, place, segments: Vec::new(), spare: Vec::new(), bytes: 0, peak: 0 }
    }

    /// What a position consists of.
    pub fn shape(&self) -> KvShape {
        self.shape
    }

    /// Bytes held by segments in use.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The most bytes that were in use at one time.
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// A segment for `capacity` positions.
    ///
    /// # Errors
    ///
    /// A device without memory.
    pub fn allocate(&mut self, capacity: usize) -> Result<SegmentId, LmError> {
        let capacity = capacity.next_multiple_of(BLOCK);
        let bytes = self.bytes_for(capacity);
        let segment = match self.spare.iter().position(|spare| spare.capacity == capacity) {
            Some(at) => {
                let spare = self.spare.swap_remove(at);
                // Kernels read whole tiles and weigh what is not there with 0, which no NaN survives.
                if let Data::Tensor(data) = &spare.data {
                    data.zero_set()?;
                }
                spare
            }
            None => {
                // Memory of other sizes goes back before more is taken.
                self.spare.clear();
                Segment { capacity, data: self.data(capacity)? }
            }
        };
        self.bytes += bytes;
        self.peak = self.peak.max(self.bytes);
        let free = self.segments.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.segments.push(None);
            self.segments.len() - 1
        });
        self.segments[at] = Some(segment);
        Ok(SegmentId(at as u32))
    }

    fn data(&self, capacity: usize) -> Result<Data, LmError> {
        let KvShape { layers, heads, head_dim } = self.shape;
        let Place::Device(device, dtype) = &self.place else {
            return Ok(Data::Host(Lines::zeros(self.shape.bytes(capacity) / 4)));
        };
        let shape = (layers, 2, heads, capacity, head_dim);
        Ok(Data::Tensor(Tensor::zeros(shape, *dtype, device)?))
    }

    /// All keys and values of a segment, `layers × 2 × heads × capacity × head_dim`.
    ///
    /// # Errors
    ///
    /// A cache in the order of our own kernels.
    pub(crate) fn tensor(&self, id: SegmentId) -> candle_core::Result<&Tensor> {
        match &self.segment(id).data {
            Data::Tensor(data) => Ok(data),
            Data::Host(_) => {
                candle_core::bail!("a cache in main memory under a network of tensors")
            }
        }
    }

    /// Keys and values of a layer, `2 × heads × capacity × head_dim`.
    ///
    /// # Errors
    ///
    /// Those of [`tensor`](Self::tensor).
    pub(crate) fn layer(&self, layer: usize, id: SegmentId) -> candle_core::Result<Tensor> {
        self.tensor(id)?.get(layer % self.shape.layers)
    }

    /// Bytes of a segment for `capacity` positions.
    pub fn bytes_for(&self, capacity: usize) -> usize {
        self.place.bytes(self.shape, capacity)
    }

    /// Gives unused memory back.
    pub fn trim(&mut self) {
        self.spare.clear();
    }

    /// Gives a segment back; its name is invalid from then on.
    pub fn release(&mut self, id: SegmentId) {
        if let Some(segment) = self.segments[id.0 as usize].take() {
            self.bytes -= self.bytes_for(segment.capacity);
            self.spare.push(segment);
        }
    }

    /// Positions that a segment has room for.
    pub fn capacity(&self, id: SegmentId) -> usize {
        self.segment(id).capacity
    }

    /// Writes the key and the value of every head at position `at` of a segment.
    ///
    /// `key` and `value` hold `heads × head_dim` numbers.
    pub fn write(&mut self, layer: usize, id: SegmentId, at: usize, key: &[f32], value: &[f32]) {
        let KvShape { heads, head_dim, .. } = self.shape;
        let width = self.shape.value_width();
        let starts: Vec<_> = (0..heads).map(|head| self.start(layer, id, head)).collect();
        let Some(Segment { capacity, data: Data::Host(data) }) = &mut self.segments[id.0 as usize]
        else {
            unreachable!("a segment that is written is in use, and in main memory")
        };
        assert!(at < *capacity, "position {at} of {capacity}");
        for (head, start) in starts.into_iter().enumerate() {
            let (key, value) = (&key[head * head_dim..], &value[head * head_dim..]);
            let block = &mut data[start + at / BLOCK * BLOCK * head_dim..];
            for (i, &x) in key[..head_dim].iter().enumerate() {
                block[i * BLOCK + at % BLOCK] = x;
            }
            let row = start + *capacity * head_dim + at * width;
            data[row..row + head_dim].copy_from_slice(&value[..head_dim]);
        }
    }

    /// Keys of a head in blocks of 16 positions: `block[i · 16 + position]` for `i < head_dim`.
    pub(crate) fn keys(&self, layer: usize, id: SegmentId, head: usize) -> &[f32] {
        let segment = self.segment(id);
        &self.host(id)[self.start(layer, id, head)..][..segment.capacity * self.shape.head_dim]
    }

    /// Values of a head, one padded row a position.
    pub(crate) fn values(&self, layer: usize, id: SegmentId, head: usize) -> &[f32] {
        let segment = self.segment(id);
        let from = self.start(layer, id, head) + segment.capacity * self.shape.head_dim;
        &self.host(id)[from..][..segment.capacity * self.shape.value_width()]
    }

    fn segment(&self, id: SegmentId) -> &Segment {
        match &self.segments[id.0 as usize] {
            Some(segment) => segment,
            None => unreachable!("a segment that was released is not read"),
        }
    }

    fn host(&self, id: SegmentId) -> &[f32] {
        match &self.segment(id).data {
            Data::Host(data) => data,
            Data::Tensor(_) => unreachable!("our own kernels read main memory"),
        }
    }

    fn start(&self, layer: usize, id: SegmentId, head: usize) -> usize {
        let KvShape { layers, heads, head_dim } = self.shape;
        let per_head = self.segment(id).capacity * (head_dim + self.shape.value_width());
        (layer % layers * heads + head) * per_head
    }
}

/// The first `used` positions of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which segment.
    pub id: SegmentId,
    /// How many of its positions.
    pub used: usize,
}

/// Which hidden states of a span are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// None: the span only fills the cache.
    Nothing,
    /// That of its last token.
    Last,
    /// Those of all its tokens.
    All,
}

/// Consecutive new tokens of one row.
#[derive(Clone, Debug)]
pub struct Span<'a> {
    /// The tokens, at least one.
    pub tokens: &'a [u32],
    /// What the row reads before its own segment, in order.
    pub prefix: &'a [Piece],
    /// The row's own segment, and how many positions it holds already.
    pub own: Piece,
    /// Which hidden states are asked for.
    pub want: Want,
}

impl Span<'_> {
    /// Position of the span's first token in its sequence.
    pub fn start(&self) -> usize {
        self.prefix.iter().map(|piece| piece.used).sum::<usize>() + self.own.used
    }

    /// The tokens whose hidden states are asked for.
    pub fn wanted(&self) -> std::ops::Range<usize> {
        match self.want {
            Want::Nothing => 0..0,
            Want::Last => self.tokens.len() - 1..self.tokens.len(),
            Want::All => 0..self.tokens.len(),
        }
    }
}
