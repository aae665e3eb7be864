//! Bytes as text.

/// Lower-case hexadecimal, two digits a byte, as hashes are written.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_has_two_digits_whatever_it_is() {
        assert_eq!(hex([0x00_u8, 0x0a, 0xff]), "000aff");
        assert_eq!(hex([0_u8; 0]), "");
    }
}
