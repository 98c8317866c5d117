//! The checksums by which published files are known.

use std::io::{self, Read, Write};

use md5::Md5;
use sha2::{Digest, Sha256};

/// Checksums of one file, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksums {
    /// SHA-256.
    pub sha256: String,
    /// MD5: no proof against a forger, but what Keras publishes.
    pub md5: String,
}

/// The checksums of all that `reader` gives.
///
/// # Errors
/// What the reader fails with.
pub fn checksums(reader: &mut impl Read) -> io::Result<Checksums> {
    let mut both = Both(Sha256::new(), Md5::new());
    io::copy(reader, &mut both)?;
    Ok(Checksums { sha256: hex(&both.0.finalize()), md5: hex(&both.1.finalize()) })
}

/// Gives every byte to both.
struct Both(Sha256, Md5);

impl Write for Both {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        self.1.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes in hexadecimal digits, two for each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards() {
        // FIPS 180-4 and RFC 1321, of "abc".
        let sums = checksums(&mut &b"abc"[..]).unwrap();
        assert_eq!(sums.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sums.md5, "900150983cd24fb0d6963f7d28e17f72");
    }
}
