//! Memory that starts on a cache line.

/// Bytes of a cache line.
const LINE: usize = 64;

/// A buffer of numbers that starts on a cache line; new memory is zero and untouched until written.
#[derive(Default)]
pub struct Lines<T = f32> {
    /// A line longer than it needs to be, so that one of its values starts a line.
    data: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Lines<T> {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let line = LINE / size_of::<T>();
        let data = vec![T::default(); len + line];
        // Where lines cannot be told, any place serves.
        let start = data.as_ptr().align_offset(LINE).min(line);
        Self { data, start, len }
    }

    /// Makes room for at least `len` values; what they hold is unspecified.
    pub fn reserve(&mut self, len: usize) -> &mut [T] {
        if self.data.len() < self.start + len {
            *self = Self::zeros(len);
        }
        self.len = self.len.max(len);
        &mut self[..len]
    }
}

impl<T> std::ops::Deref for Lines<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.data[self.start..][..self.len]
    }
}

impl<T> std::ops::DerefMut for Lines<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.start..][..self.len]
    }
}
