//! Which instructions loops run on.

use std::sync::OnceLock;

/// The environment's say in [`Isa::best`].
const WISH: &str = "LLMPR_ISA";

/// Instructions that kernels may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// 512-bit registers, 32 of them.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 256-bit registers with fused multiply-add, 16 of them.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Plain Rust.
    Portable,
}

/// `LLMPR_ISA` asks for instructions that do not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("LLMPR_ISA is `{wish}`, and must be `portable`, `avx2` or `avx512`")]
pub struct UnknownIsa {
    /// What it holds.
    pub wish: String,
}

/// The widest instructions that a wish allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtMost {
    Portable,
    Avx2,
    Avx512,
}

impl AtMost {
    /// An empty wish is none.
    fn read(wish: &str) -> Result<Self, UnknownIsa> {
        match wish {
            "portable" => Ok(Self::Portable),
            "avx2" => Ok(Self::Avx2),
            "avx512" | "" => Ok(Self::Avx512),
            _ => Err(UnknownIsa { wish: wish.to_owned() }),
        }
    }

    fn wished() -> Result<Self, UnknownIsa> {
        let wish = std::env::var_os(WISH).unwrap_or_default();
        Self::read(&wish.to_string_lossy())
    }

    fn allows(self, isa: Isa) -> bool {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => self == Self::Avx512,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => self != Self::Portable,
            Isa::Portable => true,
        }
    }

    fn best(self) -> Isa {
        let allowed = Isa::available().into_iter().rfind(|&isa| self.allows(isa));
        allowed.unwrap_or(Isa::Portable)
    }
}

impl Isa {
    /// The widest that this processor runs and `LLMPR_ISA` (`portable`, `avx2` or `avx512`) allows.
    ///
    /// Asked once, so all loops of a process run on the same; only the library behind
    /// [`eigen`](crate::math::eigen) chooses for itself. A value that [`Isa::check_wish`] refuses is no
    /// limit.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| AtMost::wished().unwrap_or(AtMost::Avx512).best())
    }

    /// Whether `LLMPR_ISA` is unset, empty or names instructions; whether this processor has them does
    /// not matter.
    ///
    /// # Errors
    ///
    /// [`UnknownIsa`] where it names none.
    pub fn check_wish() -> Result<(), UnknownIsa> {
        AtMost::wished().map(|_| ())
    }

    /// All that this processor runs, the portable one first.
    ///
    /// A level needs all that the dispatching macros compile for it, and no more: processors with AVX2 have
    /// the two features beside it, and loops compiled for the parts of AVX-512 that not all processors
    /// with it have were no faster.
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let mut all = vec![Self::Portable];
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            if avx2 {
                all.push(Self::Avx2);
                if is_x86_feature_detected!("avx512f") {
                    all.push(Self::Avx512);
                }
            }
            all
        }
        #[cfg(not(target_arch = "x86_64"))]
        vec![Self::Portable]
    }

    /// Whether it multiplies bfloat16 in one instruction here.
    pub fn has_bf16(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            self == Self::Avx512 && is_x86_feature_detected!("avx512bf16")
        }
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Whether it multiplies 16-bit integers and sums them in one instruction here.
    pub fn has_vnni(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            self == Self::Avx512
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vnni")
        }
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Its name, for logs.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2",
            Self::Portable => "portable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_gives_the_widest_instructions_that_it_allows() {
        let all = Isa::available();
        let best = |wish| AtMost::read(wish).unwrap().best();
        assert_eq!(best("portable"), Isa::Portable);
        assert_eq!(best("avx2"), all[all.len().min(2) - 1]);
        assert_eq!((best("avx512"), best("")), (all[all.len() - 1], all[all.len() - 1]));
    }

    #[test]
    fn a_wish_for_other_instructions_is_refused() {
        for wish in ["sse9", "AVX2", "avx2 ", "0"] {
            assert_eq!(AtMost::read(wish), Err(UnknownIsa { wish: wish.to_owned() }));
        }
    }
}
