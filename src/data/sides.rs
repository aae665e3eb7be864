//! Whatever comes in twos: one for the reference distribution `P`, one for the model's `Q`.

use serde::{Deserialize, Serialize};

/// Which of the two distributions is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// `P`: the texts a model is held against.
    Reference,
    /// `Q`: the texts a model wrote.
    Model,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::Model => "model",
        })
    }
}

/// A `T` of `P` and a `T` of `Q`, by name so that they cannot be exchanged by accident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sides<T> {
    /// That of `P`.
    pub reference: T,
    /// That of `Q`.
    pub model: T,
}

impl<T> Sides<T> {
    /// Both, borrowed.
    pub fn as_ref(&self) -> Sides<&T> {
        Sides { reference: &self.reference, model: &self.model }
    }

    /// `f` of each.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Sides<U> {
        Sides { reference: f(self.reference), model: f(self.model) }
    }

    /// `f` of each, or the first error.
    pub fn try_map<U, E>(self, mut f: impl FnMut(T) -> Result<U, E>) -> Result<Sides<U>, E> {
        Ok(Sides { reference: f(self.reference)?, model: f(self.model)? })
    }

    /// `f` of each at the same time, or the first error.
    pub fn try_join<U: Send, E: Send>(
        self,
        f: impl Fn(T) -> Result<U, E> + Sync,
    ) -> Result<Sides<U>, E>
    where
        T: Send,
    {
        let Self { reference, model } = self;
        let (reference, model) = rayon::join(|| f(reference), || f(model));
        Ok(Sides { reference: reference?, model: model? })
    }

    /// `P` for `Q` and `Q` for `P`.
    pub fn swapped(self) -> Self {
        Self { reference: self.model, model: self.reference }
    }

    /// That of `side`.
    pub fn get(&self, side: Side) -> &T {
        match side {
            Side::Reference => &self.reference,
            Side::Model => &self.model,
        }
    }
}
