//! FNV-1a, 64 bits: a hash that is the same in every build and on every machine
//! (<http://www.isthe.com/chongo/tech/comp/fnv/>).

/// The hash of the bytes written so far.
pub(crate) struct Fnv(pub(crate) u64);

impl Fnv {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Writes a part and its length, so that the boundary between two parts counts.
    pub(crate) fn write_part(&mut self, part: &[u8]) {
        self.write(part);
        self.write(&(part.len() as u64).to_be_bytes());
    }
}
