//! The twin of `cuda.rs` in programs built without it: no such device can be opened, so nothing here is reached.

use candle_core::{Device, Error, Result, Tensor};

use super::{attention::Shape, work_list::Plan};
use crate::{
    decode::{DecodeError, Pick},
    lm::{
        LmError,
        arch::config::Activation,
        engine::{
            kv::{Kv, Span},
            logits::Ask,
        },
    },
};

/// An error that says so.
pub(crate) fn open(index: usize) -> Result<Device> {
    Device::new_cuda(index)
}

pub(super) fn free_memory(_: &Device) -> Result<usize> {
    Err(Error::NotCompiledWithCudaSupport)
}

/// There is none.
pub(super) enum Places {}

impl Places {
    pub fn new(_: &Kv, _: &[Span<'_>], _: &Device) -> Result<Self> {
        Err(Error::NotCompiledWithCudaSupport)
    }

    pub fn fill(
        &self,
        _: [&Tensor; 3],
        _: Option<&[Tensor; 2]>,
        _: usize,
        _: (usize, usize, usize),
    ) -> Result<Tensor> {
        match *self {}
    }
}

pub(super) fn gate(_: &Tensor, _: usize, _: Activation) -> Result<Tensor> {
    Err(Error::NotCompiledWithCudaSupport)
}

/// There is none.
pub(super) enum PlanThere {}

impl PlanThere {
    pub fn new(_: &Plan, _: &Kv, _: &Device) -> Result<Self> {
        Err(Error::NotCompiledWithCudaSupport)
    }

    pub fn attend(&self, _: &Tensor, _: Shape, _: Option<&Tensor>) -> Result<Tensor> {
        match *self {}
    }
}

pub(super) fn draw(
    _: &[Ask<'_>],
    _: &Device,
    _: usize,
) -> std::result::Result<Vec<std::result::Result<Pick, DecodeError>>, LmError> {
    Err(Error::NotCompiledWithCudaSupport.into())
}
