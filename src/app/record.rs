//! What a start puts on record: which program, which keys, which settings are not what they were.

use anyhow::Context as _;
use onya_actors::ports::{Act, Clock};
use serde_json::json;

use crate::auth::KeySet;
use crate::config::Loaded;
use crate::store::Store;
use crate::store::audit::settings::{Fingerprint, changed};

/// Stands for the keys in force, wherever they came from.
const KEYS: &str = "(keys in force)";

/// Puts the start on record, and the names of the settings that have changed since the last start of this node.
pub(super) async fn start((store, clock): (&Store, &dyn Clock), loaded: &Loaded, keys: &KeySet) -> anyhow::Result<()> {
    let node = &loaded.config.node.name;
    let mut values = loaded.values();
    let secrets: Vec<String> =
        keys.iter().chain(keys.identity()).map(|key| format!("{}:{:?}", key.id, key.secret)).collect();
    values.insert(KEYS.to_owned(), secrets.join(","));
    let failed = "the start cannot be put on record";
    let known = store.settings.known_settings(node).await.context(failed)?;
    let names = if known.is_empty() { Vec::new() } else { changed(&known, &values) };
    let key_ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    let identity_ids: Vec<&str> = keys.identity().map(|key| key.id.as_str()).collect();
    let act = |action, detail: serde_json::Value| Act {
        at: clock.now(),
        actor: node.clone(),
        actor_role: "program".to_owned(),
        action,
        conversation: None,
        detail: detail.to_string(),
    };
    let version = env!("CARGO_PKG_VERSION");
    let profile = loaded.config.profile.name();
    let mut acts = vec![act(
        "started",
        json!({ "version": version, "profile": profile, "keys": key_ids, "identity_keys": identity_ids }),
    )];
    if !names.is_empty() {
        acts.push(act("configuration_changed", json!({ "settings": names })));
    }
    store.audit.record(&acts).await.context(failed)?;
    if known.is_empty() || !names.is_empty() {
        let now: Vec<Fingerprint> = values.iter().map(|(setting, value)| Fingerprint::of(setting, value)).collect();
        store.settings.remember_settings(node, &now).await.context(failed)?;
    }
    Ok(())
}
