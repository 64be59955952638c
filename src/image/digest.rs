//! Digests of content: SHA-256, and their form in images, `sha256:` and 64 digits;
//! OCI image specification, "Digests".

use crate::text::Text;
use sha2::Digest as _;

const BYTES: usize = 32;

/// The SHA-256 of some content, which stands for it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Digest(pub [u8; BYTES]);

impl Digest {
    /// Reads `sha256:` and lower-case hexadecimal digits; None for anything else.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        Self::from_hex(text.strip_prefix(b"sha256:")?)
    }

    /// Reads the digits alone.
    #[must_use]
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        let mut bytes = [0; BYTES];
        if digits.len() != 2 * BYTES {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *byte = *byte << 4 | value;
            }
        }
        Some(Self(bytes))
    }

    /// The digits.
    #[must_use]
    pub fn hex(&self) -> Text {
        let mut text = Text::new();
        text.push_hex(&self.0);
        text
    }

    /// What stands for a layer above those that this one stands for; OCI image specification, "Layer
    /// `ChainID`".
    #[must_use]
    pub fn chained(&self, layer: &Self) -> Self {
        let mut text = Text::new();
        text.push("sha256:").push_raw(self.hex().as_bytes());
        text.push(" sha256:").push_raw(layer.hex().as_bytes());
        Self::of(text.as_bytes())
    }

    /// Of this.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(content);
        hash.finish()
    }
}

/// A digest in the making.
pub struct Sha256(sha2::Sha256);

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha256 {
    /// Of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(sha2::Sha256::new())
    }

    /// Takes more content in.
    pub fn update(&mut self, content: &[u8]) {
        self.0.update(content);
    }

    /// The digest of all of it.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_and_written() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").hex().as_bytes(), empty.as_bytes());
        let text = format!("sha256:{empty}");
        assert_eq!(Digest::parse(text.as_bytes()), Some(Digest::of(b"")));
        for wrong in [empty, "sha256:", "sha512:00", &text[..70], &text.to_uppercase()] {
            assert_eq!(Digest::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn content_in_pieces_has_the_digest_of_the_whole() {
        let mut hash = Sha256::new();
        (0..100_u8).for_each(|byte| hash.update(&[byte; 7]));
        let whole: Vec<u8> = (0..100_u8).flat_map(|byte| [byte; 7]).collect();
        assert_eq!(hash.finish(), Digest::of(&whole));
    }
}
