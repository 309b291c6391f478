//! Who is calling: from a token to a [`Principal`], and from a role to a token.
//!
//! Tokens are JWTs with HS256. Onya signs those of visitors and staff itself; the company's site may sign who its customer
//! is, with keys that are good for nothing else. The token's header names its key (`kid`), and this name is looked up in
//! the [`KeySet`] and nowhere else: the algorithm and what may be claimed belong to the key, and key material or addresses
//! that a token brings along are ignored. What a role may do is not decided here.
//!
//! Read `keys.rs` for where keys come from, `issuer.rs` for what a token says, `verifier.rs` for what is checked,
//! `identity.rs` for what is believed of a site's token, `link.rs` for what nodes show each other under the same keys.

mod identity;
mod issuer;
mod keys;
mod link;
mod principal;
mod verifier;

#[cfg(test)]
mod tests;

pub use issuer::{Grant, IssueError, IssuedToken, Issuer};
pub use keys::{KeySet, KeysError};
pub use link::{LinkProof, LinkProofs, LinkPurpose};
pub use principal::{InvalidName, InvalidRole, Principal, Role, TokenSource};
pub use verifier::{AuthError, MAX_TOKEN_BYTES, Verifier};
