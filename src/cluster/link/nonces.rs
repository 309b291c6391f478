//! Which proofs were shown already: each opens one link.
//!
//! A proof is for one start of a process, so what this one remembers is enough, and it remembers a nonce for as long as its
//! proof is accepted. Only good proofs come this far, so nobody without a key can fill the memory; when it is full, nothing
//! is forgotten, and no link is taken until something is.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::credentials::Nonce;

/// Most nonces that are remembered: hundreds of nodes that all dial once a second.
const MAX_NONCES: usize = 65_536;

/// The nonces of proofs that were shown.
pub(super) struct Nonces {
    life: Duration,
    known: HashSet<Nonce>,
    /// In the order of their coming, with the time until which each is remembered.
    until: VecDeque<(Instant, Nonce)>,
}

impl Nonces {
    pub(super) fn new(life: Duration) -> Self {
        Self { life, known: HashSet::new(), until: VecDeque::new() }
    }

    /// Whether a nonce comes for the first time; from then on it has come.
    pub(super) fn is_first(&mut self, nonce: Nonce) -> bool {
        let now = Instant::now();
        while let Some((_, old)) = self.until.pop_front_if(|(until, _)| *until <= now) {
            self.known.remove(&old);
        }
        if self.known.len() >= MAX_NONCES || !self.known.insert(nonce) {
            return false;
        }
        self.until.push_back((now + self.life, nonce));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(90);

    #[tokio::test(start_paused = true)]
    async fn a_nonce_is_remembered_for_as_long_as_its_proof_lives() {
        let mut nonces = Nonces::new(LIFE);
        let (first, second) = (Nonce::draw().unwrap(), Nonce::draw().unwrap());
        assert!(nonces.is_first(first));
        tokio::time::advance(LIFE / 2).await;
        assert!(!nonces.is_first(first));
        assert!(nonces.is_first(second));
        tokio::time::advance(LIFE / 2).await;
        assert!(nonces.is_first(first), "its proof is refused by now");
        assert!(!nonces.is_first(second));
        assert_eq!(nonces.known.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_memory_forgets_nothing() {
        let mut nonces = Nonces::new(LIFE);
        let first = Nonce::draw().unwrap();
        assert!(nonces.is_first(first));
        for _ in 1..MAX_NONCES {
            assert!(nonces.is_first(Nonce::draw().unwrap()));
        }
        assert!(!nonces.is_first(Nonce::draw().unwrap()));
        assert!(!nonces.is_first(first));
        tokio::time::advance(LIFE).await;
        assert!(nonces.is_first(first));
        assert_eq!((nonces.known.len(), nonces.until.len()), (1, 1));
    }
}
