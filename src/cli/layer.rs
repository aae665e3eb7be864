//! Settings laid over one another: defaults < preset < file < flags.

/// What is absent is taken from another.
pub trait Layer {
    /// These settings, and `other`'s where these are absent.
    fn or(self, other: Self) -> Self;
}

impl<T> Layer for Option<T> {
    fn or(self, other: Self) -> Self {
        Option::or(self, other)
    }
}

/// A struct of optional flags and of groups of them, which is a [`Layer`].
macro_rules! options {
    (
        $(#[$outer:meta])*
        pub struct $name:ident { $( $(#[$inner:meta])* pub $field:ident: $type:ty, )* }
    ) => {
        $(#[$outer])*
        #[derive(clap::Args, Clone, Debug, Default)]
        pub struct $name { $( $(#[$inner])* pub $field: $type, )* }

        impl $crate::cli::layer::Layer for $name {
            fn or(self, other: Self) -> Self {
                Self { $( $field: $crate::cli::layer::Layer::or(self.$field, other.$field), )* }
            }
        }
    };
}
pub(super) use options;
