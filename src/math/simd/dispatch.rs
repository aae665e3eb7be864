//! The choice of instructions, made where a loop is called.

/// Runs the first of three expressions compiled for AVX-512, the second for AVX2 or the third for any
/// processor, as `isa` says. The one place that names features.
///
/// An [`Isa`](crate::math::simd::Isa) is made only where the processor has its instructions.
macro_rules! compiled_for {
    ($isa:expr, ($($arg:ident: $ty:ty),*) $(-> $out:ty)?, $avx512:expr, $avx2:expr, $portable:expr) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma,f16c")]
        unsafe fn avx512($($arg: $ty),*) $(-> $out)? {
            $avx512
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn avx2($($arg: $ty),*) $(-> $out)? {
            $avx2
        }
        match $isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has the features; the rest is the caller's promise.
            $crate::math::simd::Isa::Avx512 => unsafe { avx512($($arg),*) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            $crate::math::simd::Isa::Avx2 => unsafe { avx2($($arg),*) },
            $crate::math::simd::Isa::Portable => $portable,
        }
    }};
}
pub(crate) use compiled_for;

/// Defines `$vis unsafe fn $name(isa, args…)` that runs `$body::<S>(args…)` compiled for `isa`.
///
/// The body is a generic `#[inline(always)]` function over [`Simd`](crate::math::simd::Simd).
macro_rules! for_isa {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) = $body:ident) => {
        $(#[$doc])*
        $vis unsafe fn $name(isa: $crate::math::simd::Isa, $($arg: $ty),*) {
            // SAFETY (all three): the features are enabled where the body stands; the rest is the caller's
            // promise.
            $crate::math::simd::compiled_for!(
                isa,
                ($($arg: $ty),*),
                unsafe { $body::<$crate::math::simd::Avx512>($($arg),*) },
                unsafe { $body::<$crate::math::simd::Avx2>($($arg),*) },
                unsafe { $body::<$crate::math::simd::Portable>($($arg),*) }
            )
        }
    };
}
pub(crate) use for_isa;

/// Defines functions whose plain loops are compiled for every level and run on [`Isa::best`]; `on::$name`
/// takes the level. Once a file.
///
/// The compiler chooses the instructions. It neither fuses nor reorders, so loops that go element by
/// element, compare, or sum in a fixed number of lanes have the same bits on all levels; others do not
/// belong here.
///
/// [`Isa::best`]: crate::math::simd::Isa::best
macro_rules! widest {
    ($(
        $(#[$meta:meta])*
        $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? $body:block
    )*) => {
        $(
            $(#[$meta])*
            $vis fn $name($($arg: $ty),*) $(-> $out)? {
                on::$name($crate::math::simd::Isa::best(), $($arg),*)
            }
        )*

        /// The same on given instructions, which the processor must have.
        mod on {
            use super::*;

            $(
                #[cfg_attr(
                    target_arch = "x86_64",
                    expect(unsafe_code, reason = "compiled for instructions that the processor has")
                )]
                pub(super) fn $name(isa: $crate::math::simd::Isa, $($arg: $ty),*) $(-> $out)? {
                    #[inline(always)]
                    fn any($($arg: $ty),*) $(-> $out)? $body

                    $crate::math::simd::compiled_for!(
                        isa,
                        ($($arg: $ty),*) $(-> $out)?,
                        any($($arg),*),
                        any($($arg),*),
                        any($($arg),*)
                    )
                }
            )*
        }
    };
}
pub(crate) use widest;
