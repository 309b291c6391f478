//! Versions of the protocol, agreed on in `hello`.

/// The newest version this server speaks.
pub const VERSION: u16 = 1;

/// Every version this server speaks: the newest and the one before it. Version 1 is the first.
pub const SERVED_VERSIONS: &[u16] = &[VERSION];

/// The newest version that both sides speak.
#[must_use]
pub fn negotiate(offered: &[u16]) -> Option<u16> {
    SERVED_VERSIONS.iter().copied().filter(|version| offered.contains(version)).max()
}
