//! The file of the key that signs anchors: 64 hexadecimal digits, readable by its owner only.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::anchor::AnchorKey;

/// Reads it; `None` if there is no such file.
///
/// # Errors
/// When it cannot be read, or is no key.
pub fn read(path: &Path) -> io::Result<Option<AnchorKey>> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let no_key = || io::Error::new(io::ErrorKind::InvalidData, "it does not hold the key of anchors");
            AnchorKey::parse(&text).map(Some).ok_or_else(no_key)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a new key and its file. A file that is there is never replaced: what it signed would have no key.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn create(path: &Path) -> io::Result<AnchorKey> {
    let key = AnchorKey::generate();
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(format!("{}\n", key.secret()).as_bytes())?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_for_its_owner_only_and_never_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchor.key");
        assert!(read(&path).unwrap().is_none());
        let public = create(&path).unwrap().public();
        assert_eq!(read(&path).unwrap().unwrap().public(), public);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(create(&path).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        fs::write(&path, "no key").unwrap();
        assert_eq!(read(&path).err().unwrap().kind(), io::ErrorKind::InvalidData);
    }
}
