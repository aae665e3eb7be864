//! What generation and embedding need of a network, whichever device computes it.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    kv::{Kv, KvShape, Place, Span},
    logits::{Ask, Logits, draw_on_host},
};
use crate::{
    data::memory,
    decode::{DecodeError, Pick},
    lm::{LmError, arch::config::ModelConfig},
};

/// How far a forward pass goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All blocks and the final norm.
    Full,
    /// That many blocks and no norm: `hidden_states[n]` of transformers.
    Blocks(usize),
}

/// Hidden states, in the order of the spans and their wanted tokens.
pub struct States {
    /// Rows of `hidden` values.
    pub data: Vec<f32>,
    /// For each span the first layer after which a state was NaN or infinite.
    pub faults: Vec<Option<usize>>,
}

/// A flag that ends long work early.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Option<Arc<AtomicBool>>);

impl Interrupt {
    /// Ends work soon after `flag` becomes true.
    pub fn on(flag: Arc<AtomicBool>) -> Self {
        Self(Some(flag))
    }

    /// Whether the flag is up.
    pub fn is_raised(&self) -> bool {
        self.0.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// # Errors
    ///
    /// [`LmError::Interrupted`] once the flag is up.
    pub fn check(&self) -> Result<(), LmError> {
        if self.is_raised() { Err(LmError::Interrupted) } else { Ok(()) }
    }
}

/// What an engine keeps from one pass to the next; only the engine knows what that is.
pub struct Buffers(Box<dyn Any + Send + Sync>);

impl Default for Buffers {
    fn default() -> Self {
        Self(Box::new(()))
    }
}

impl Buffers {
    /// The buffers of an engine, made anew where there are none or another engine's.
    pub fn of<T: Any + Default + Send + Sync>(&mut self) -> &mut T {
        if !self.0.is::<T>() {
            self.0 = Box::new(T::default());
        }
        match self.0.downcast_mut() {
            Some(buffers) => buffers,
            None => unreachable!("just made"),
        }
    }
}

/// The cache and the buffers of one user of a network.
pub struct Session {
    /// Keys and values.
    pub kv: Kv,
    /// Looked at between layers.
    pub interrupt: Interrupt,
    /// The engine's own.
    pub buffers: Buffers,
}

impl Session {
    /// An empty cache for `network`.
    pub fn new(network: &dyn Network) -> Self {
        Self::with_shape(network.kv_shape(), network.kv_place())
    }

    /// A session whose passes do not read what earlier ones wrote: one layer of cache serves all.
    pub fn single_pass(network: &dyn Network) -> Self {
        let shape = KvShape { layers: 1, ..network.kv_shape() };
        Self::with_shape(shape, network.kv_place())
    }

    fn with_shape(shape: KvShape, place: Place) -> Self {
        let (interrupt, buffers) = (Interrupt::default(), Buffers::default());
        Self { kv: Kv::new(shape, place), interrupt, buffers }
    }
}

/// A language model as a function from tokens to hidden states and from these to logits.
pub trait Network: Send + Sync {
    /// Its dimensions.
    fn config(&self) -> &ModelConfig;

    /// Rows of a pass beyond which more rows do not make tokens cheaper.
    fn rows_that_pay(&self) -> usize {
        64
    }

    /// Bytes of weights that a pass reads.
    fn weight_bytes(&self) -> usize;

    /// Whether a row's numbers are the same, bit for bit, whoever shares its pass.
    fn is_batch_invariant(&self) -> bool {
        true
    }

    /// What it keeps of a token.
    fn kv_shape(&self) -> KvShape {
        let c = self.config();
        KvShape { layers: c.layers, heads: c.kv_heads, head_dim: c.head_dim }
    }

    /// Where it keeps it.
    fn kv_place(&self) -> Place {
        Place::Host
    }

    /// Bytes that are free where the cache lies.
    fn free_memory(&self) -> usize {
        memory::available() as usize
    }

    /// Computes the spans' tokens, fills their segments, and gives the states asked for.
    ///
    /// Spans of one pass may read each other's segments as far as these are filled by the pass.
    ///
    /// # Errors
    ///
    /// [`LmError::Interrupted`], or a failure of the device.
    fn forward(
        &self,
        session: &mut Session,
        spans: &[Span<'_>],
        depth: Depth,
    ) -> Result<States, LmError>;

    /// Logits, `rows × vocab`, of rows of final hidden states.
    ///
    /// # Errors
    ///
    /// A failure of the device.
    fn logits(
        &self,
        session: &mut Session,
        states: &[f32],
        out: &mut Vec<f32>,
    ) -> Result<(), LmError>;

    /// Logits of the spans' wanted tokens, left where they are computed, and the faults of [`States`].
    ///
    /// # Errors
    ///
    /// Those of [`forward`](Self::forward).
    fn next_logits(
        &self,
        session: &mut Session,
        spans: &[Span<'_>],
        out: &mut Logits,
    ) -> Result<Vec<Option<usize>>, LmError> {
        let states = self.forward(session, spans, Depth::Full)?;
        self.logits(session, &states.data, out.host(self.config().vocab))?;
        Ok(states.faults)
    }

    /// Draws a token from each row; what is wrong with one row is that row's own result.
    ///
    /// # Errors
    ///
    /// A failure of the device.
    fn draw(&self, asks: &[Ask<'_>]) -> Result<Vec<Result<Pick, DecodeError>>, LmError> {
        draw_on_host(asks)
    }

    /// Computes spans again to find the layer after which each is first NaN or infinite; nothing where
    /// [`next_logits`](Self::next_logits) says so itself.
    ///
    /// # Errors
    ///
    /// Those of [`forward`](Self::forward).
    fn find_faults(
        &self,
        _session: &mut Session,
        spans: &[Span<'_>],
    ) -> Result<Vec<Option<usize>>, LmError> {
        Ok(vec![None; spans.len()])
    }
}
