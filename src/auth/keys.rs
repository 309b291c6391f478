//! The keys that tokens are signed with: ours from the configuration, or generated once and kept; a site's from the
//! configuration only.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rand::TryRngCore as _;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::{AuthConfig, NamedKey, decode_hex, is_key_id, parse_keys, shared_key};

/// Bytes of a generated secret: as many as HS256 makes use of (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

/// The keys in force. Of ours there is at least one: the first signs, all verify.
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<NamedKey>,
    identity: Vec<NamedKey>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file or its folder could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there and is not a key file. It is never replaced: that would end every token.
    #[error("{path} is not a key file: put the right one back, or remove it to have new keys (every token ends then)")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// A key of a site is one of ours, too: the site could make tokens for staff.
    #[error(
        "auth.identity_keys: {name} has the name or the secret of a key that Onya signs with; give the site another"
    )]
    Shared {
        /// Name of the site's key.
        name: String,
    },
    /// The system has no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    keys: Vec<KeyEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    kid: String,
    alg: String,
    secret_hex: String,
}

impl KeySet {
    /// Takes the configured keys; without any of ours, those of the key file; without a file, generates a key and keeps it.
    ///
    /// Two processes that start at the same moment end with the same key.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not a key file, or a site has a key of ours.
    pub fn load_or_generate(config: &AuthConfig) -> Result<Self, KeysError> {
        let keys = match configured(config.signing_keys.as_ref(), "auth.signing_keys")? {
            Some(keys) => keys,
            None => kept_or_generated(&config.keys_file)?,
        };
        let identity = configured(config.identity_keys.as_ref(), "auth.identity_keys")?.unwrap_or_default();
        match shared_key(&keys, &identity) {
            Some(shared) => Err(KeysError::Shared { name: shared.id.clone() }),
            None => Ok(Self { keys, identity }),
        }
    }

    /// The key that new tokens are signed with.
    #[must_use]
    pub fn signing(&self) -> &NamedKey {
        &self.keys[0]
    }

    /// All keys of ours.
    pub fn iter(&self) -> impl Iterator<Item = &NamedKey> {
        self.keys.iter()
    }

    /// The keys of sites, which say who a customer is and nothing else.
    pub fn identity(&self) -> impl Iterator<Item = &NamedKey> {
        self.identity.iter()
    }
}

/// The loader has checked the form; a list that is none here has no key to offer.
fn configured(text: Option<&SecretString>, key: &str) -> Result<Option<Vec<NamedKey>>, KeysError> {
    let malformed = || KeysError::Malformed { path: PathBuf::from(key) };
    text.map(|text| parse_keys(text.expose_secret()).ok_or_else(malformed)).transpose()
}

fn kept_or_generated(path: &Path) -> Result<Vec<NamedKey>, KeysError> {
    if let Some(keys) = read(path)? {
        return Ok(keys);
    }
    keep(path, &generate()?).map_err(|source| KeysError::Io { path: path.to_owned(), source })?;
    read(path)?.ok_or_else(|| KeysError::Io { path: path.to_owned(), source: io::ErrorKind::NotFound.into() })
}

fn read(path: &Path) -> Result<Option<Vec<NamedKey>>, KeysError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeysError::Io { path: path.to_owned(), source }),
    };
    if fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "others on this machine can read the key file: chmod 600");
    }
    let malformed = || KeysError::Malformed { path: path.to_owned() };
    let file: KeyFile = serde_json::from_str(&text).map_err(|_| malformed())?;
    let keys: Option<Vec<NamedKey>> = file.keys.into_iter().map(named_key).collect();
    let keys = keys.filter(|keys| !keys.is_empty()).ok_or_else(malformed)?;
    Ok(Some(keys))
}

fn named_key(entry: KeyEntry) -> Option<NamedKey> {
    let secret = decode_hex(&entry.secret_hex)?;
    let well_formed = entry.alg == "HS256" && is_key_id(&entry.kid) && secret.len() >= SECRET_BYTES;
    well_formed.then_some(NamedKey { id: entry.kid, secret })
}

fn generate() -> Result<KeyFile, KeysError> {
    let mut secret = [0; SECRET_BYTES];
    OsRng.try_fill_bytes(&mut secret).map_err(|_| KeysError::NoRandomness)?;
    let mut secret_hex = String::with_capacity(2 * SECRET_BYTES);
    for byte in secret {
        // Writing to a String cannot fail.
        let _ = write!(secret_hex, "{byte:02x}");
    }
    let kid = Uuid::now_v7().simple().to_string();
    Ok(KeyFile { keys: vec![KeyEntry { kid, alg: "HS256".to_owned(), secret_hex }] })
}

/// Puts the file in its place whole or not at all, on the disk before it is used, and never over another one.
fn keep(path: &Path, file: &KeyFile) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = folder.join(format!(".keys-{}.tmp", Uuid::now_v7().simple()));
    let written = write_draft(&draft, file).and_then(|()| place(&draft, path));
    let removed = fs::remove_file(&draft);
    written?;
    // A rename has taken the draft away already.
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    File::open(folder)?.sync_all()
}

fn write_draft(draft: &Path, file: &KeyFile) -> io::Result<()> {
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    out.write_all(&serde_json::to_vec_pretty(file)?)?;
    out.sync_all()
}

/// A link fails where a rename would overwrite what another process has put there a moment ago.
fn place(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) => {
            fs::rename(draft, path)
        }
        other => other,
    }
}
