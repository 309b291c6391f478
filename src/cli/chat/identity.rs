//! The visitor's token between two runs, by server: `$XDG_STATE_HOME/onya/chat.json`, for its owner's eyes only.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use onya_core::Timestamp;

use super::http::Visitor;

/// The file with the tokens.
pub(super) struct Identities {
    file: PathBuf,
}

impl Identities {
    pub(super) fn of_this_user() -> anyhow::Result<Self> {
        let base = match (std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")) {
            (Some(state), _) if !state.is_empty() => PathBuf::from(state),
            (_, Some(home)) => PathBuf::from(home).join(".local/state"),
            _ => anyhow::bail!("neither XDG_STATE_HOME nor HOME is set: pass --token"),
        };
        Ok(Self { file: base.join("onya/chat.json") })
    }

    /// The visitor that this user was on a server, if the token still holds.
    pub(super) fn read(&self, url: &str, now: Timestamp) -> Option<Visitor> {
        self.read_all().remove(url).filter(|visitor| visitor.expires_at > now)
    }

    /// Keeps a visitor for a server, in the place of an earlier one.
    pub(super) fn write(&self, url: &str, visitor: &Visitor) -> anyhow::Result<()> {
        let mut all = self.read_all();
        all.insert(url.to_owned(), visitor.clone());
        let folder = self.file.parent().context("the state file has no folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let fresh = self.file.with_extension(format!("{}.new", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(&all)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.file).with_context(|| format!("cannot write {}", self.file.display()))
    }

    fn read_all(&self) -> BTreeMap<String, Visitor> {
        fs::read(&self.file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_visitor_is_found_again_by_server_until_the_token_ends_and_nobody_else_can_read_it() {
        let folder = std::env::temp_dir().join(format!("onya-identity-{}", std::process::id()));
        let identities = Identities { file: folder.join("onya/chat.json") };
        let visitor = |token: &str| Visitor { token: token.to_owned(), expires_at: Timestamp(1000) };
        identities.write("http://a", &visitor("one")).unwrap();
        identities.write("http://b", &visitor("two")).unwrap();
        let token = |url, now| identities.read(url, Timestamp(now)).map(|visitor| visitor.token);
        assert_eq!(token("http://a", 999).as_deref(), Some("one"));
        assert_eq!(token("http://b", 999).as_deref(), Some("two"));
        assert_eq!(token("http://a", 1000), None);
        assert_eq!(token("http://c", 0), None);
        assert_eq!(fs::metadata(&identities.file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(folder).unwrap();
    }
}
