//! Numbers that look random and are the same every time.

/// A stream of numbers drawn from a seed and a text: SplitMix64 over an FNV-1a hash.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// The numbers of this seed and text.
    pub(super) fn new(seed: u64, text: &str) -> Self {
        let hash = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self(hash ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of these; the default if there is none.
    pub(super) fn one_of<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let count = u64::try_from(choices.len()).unwrap_or(1).max(1);
        usize::try_from(self.next() % count).ok().and_then(|index| choices.get(index)).copied().unwrap_or_default()
    }

    /// A number from 0.5 to 1.5, 1 on average.
    pub(super) fn around_one(&mut self) -> f64 {
        let thousandths = u32::try_from(self.next() % 1_001).unwrap_or(500);
        0.5 + f64::from(thousandths) / 1_000.0
    }
}
