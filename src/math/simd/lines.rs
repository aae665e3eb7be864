//! Memory that starts on a cache line.

/// Values of a cache line.
const LINE: usize = 16;

/// A buffer of `f32` that starts on a cache line; new memory is zero and untouched until written.
#[derive(Default)]
pub struct Lines {
    /// A line longer than it needs to be, so that one of its values starts a line.
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Lines {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let data = vec![0.0; len + LINE];
        // Where lines cannot be told, any place serves.
        let start = data.as_ptr().align_offset(4 * LINE).min(LINE);
        Self { data, start, len }
    }

    /// Makes room for at least `len` values; what they hold is unspecified.
    pub fn reserve(&mut self, len: usize) -> &mut [f32] {
        if self.data.len() < self.start + len {
            *self = Self::zeros(len);
        }
        self.len = self.len.max(len);
        &mut self[..len]
    }
}

impl std::ops::Deref for Lines {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.data[self.start..][..self.len]
    }
}

impl std::ops::DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..][..self.len]
    }
}
