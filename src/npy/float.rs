//! Values as files store them, widened to `f64`.

/// How a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
    Int { bytes: usize, signed: bool },
}

impl Dtype {
    /// Bytes a value takes.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Int { bytes, .. } => bytes,
        }
    }

    /// The number that the little-endian `bytes` mean; integers do not come here.
    pub(super) fn float(self, bytes: &[u8]) -> f64 {
        match (self, bytes) {
            (Self::F16, &[a, b]) => f16_to_f64(u16::from_le_bytes([a, b])),
            (Self::Bf16, &[a, b]) => f64::from(f32::from_le_bytes([0, 0, a, b])),
            (Self::F32, &[a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
            (Self::F64, &[a, b, c, d, e, f, g, h]) => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => f64::NAN,
        }
    }
}

/// IEEE 754 binary16: 1 sign bit, 5 of exponent (bias 15), 10 of fraction.
fn f16_to_f64(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    sign * match exponent {
        0 => fraction * 2f64.powi(-14),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_have_their_textbook_values() {
        let cases = [
            (0x0001, 2f64.powi(-24)),
            (0x03ff, 2f64.powi(-14) * 1023.0 / 1024.0),
            (0x3555, 0.333_251_953_125),
            (0x3c00, 1.0),
            (0x7bff, 65504.0),
            (0x7c00, f64::INFINITY),
            (0xc000, -2.0),
        ];
        for (bits, value) in cases {
            assert_eq!(f16_to_f64(bits), value, "{bits:#06x}");
        }
        assert!(f16_to_f64(0x7e00).is_nan());
        assert_eq!(Dtype::Bf16.float(&[0x80, 0xbf]), -1.0);
    }
}
