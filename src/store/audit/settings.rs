//! Which settings have changed since this node's last start: salted digests are kept, never a value.

use std::collections::BTreeMap;

use async_trait::async_trait;
use onya_actors::ports::StoreError;
use rand::Rng as _;

use crate::store::chain::{Parts, Salt};

/// One setting as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub(in crate::store) setting: String,
    pub(in crate::store) salt: Vec<u8>,
    pub(in crate::store) digest: Vec<u8>,
}

/// The columns `setting, salt, digest`.
pub(in crate::store) type Columns = (String, Vec<u8>, Vec<u8>);

pub(in crate::store) const KNOWN: &str = "SELECT setting, salt, digest FROM audit_settings WHERE node = $1";
pub(in crate::store) const FORGET: &str = "DELETE FROM audit_settings WHERE node = $1";
pub(in crate::store) const REMEMBER: &str =
    "INSERT INTO audit_settings (node, setting, salt, digest) VALUES ($1, $2, $3, $4)";

/// What a node was configured with at its last start.
#[async_trait]
pub trait SettingsMemory: Send + Sync {
    /// What was remembered; nothing at the first start.
    async fn known_settings(&self, node: &str) -> Result<Vec<Fingerprint>, StoreError>;

    /// Puts these in the place of what was remembered.
    async fn remember_settings(&self, node: &str, settings: &[Fingerprint]) -> Result<(), StoreError>;
}

impl From<Columns> for Fingerprint {
    fn from((setting, salt, digest): Columns) -> Self {
        Self { setting, salt, digest }
    }
}

impl Fingerprint {
    /// Of a value now.
    #[must_use]
    pub fn of(setting: &str, value: &str) -> Self {
        let salt: Salt = rand::rng().random();
        let digest = digest(&salt, value);
        Self { setting: setting.to_owned(), salt: salt.to_vec(), digest }
    }
}

fn digest(salt: &[u8], value: &str) -> Vec<u8> {
    Parts::new("onya.setting.1").bytes(salt).bytes(value.as_bytes()).hash().to_vec()
}

/// The names of the settings that differ from what is remembered; all names that are set or gone, in order.
#[must_use]
pub fn changed(known: &[Fingerprint], now: &BTreeMap<String, String>) -> Vec<String> {
    let same = |one: &Fingerprint| now.get(&one.setting).is_some_and(|value| digest(&one.salt, value) == one.digest);
    let mut names: Vec<String> = known.iter().filter(|one| !same(one)).map(|one| one.setting.clone()).collect();
    let is_new = |name: &&String| known.iter().all(|one| one.setting != **name);
    names.extend(now.keys().filter(is_new).cloned());
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_changed_or_taken_away_is_named_and_nothing_else() {
        let before = [("a", "1"), ("b", "2"), ("c", "3")].map(|(name, value)| Fingerprint::of(name, value));
        let now = [("a", "1"), ("b", "22"), ("d", "4")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(changed(&before, &BTreeMap::from(now)), ["b", "c", "d"]);
        assert_eq!(changed(&[], &BTreeMap::new()), Vec::<String>::new());
        assert_ne!(Fingerprint::of("a", "1"), Fingerprint::of("a", "1"), "salted");
    }
}
