//! The data folder: where the file is, and the lock that keeps a second process out.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;

use crate::store::ConnectError;

/// The name of the lock file. It is never deleted: deleting would let two processes lock two files of that name.
const LOCK_FILE: &str = "onya.lock";

/// The file that a `sqlite:` URL names.
pub(in crate::store) fn file_of_url(url: &str) -> Result<PathBuf, ConnectError> {
    let options = SqliteConnectOptions::from_str(url).map_err(|error| ConnectError::Url(error.to_string()))?;
    let file = options.get_filename().to_path_buf();
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    if in_memory || file.file_name().is_none() {
        return Err(ConnectError::Url("name a file: what is in memory only would be lost".to_owned()));
    }
    Ok(file)
}

/// Creates the folder of this database file if need be and locks it until the result is dropped. The operating system
/// ends the lock with the process, however it dies.
pub(super) fn lock(database: &Path) -> Result<File, ConnectError> {
    let folder = match database.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let unusable =
        |error: std::io::Error| ConnectError::Folder { folder: folder.to_path_buf(), reason: error.to_string() };
    std::fs::create_dir_all(folder).map_err(unusable)?;
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK_FILE));
    let file = file.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ConnectError::FolderInUse(folder.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_on_the_folder_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("new").join("onya.db");
        let first = lock(&database).unwrap();
        assert_eq!(lock(&database).unwrap_err(), ConnectError::FolderInUse(folder.path().join("new")));
        drop(first);
        lock(&database).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let error = lock(&folder.path().join("file").join("onya.db")).unwrap_err();
        assert!(matches!(error, ConnectError::Folder { folder: named, .. } if named.ends_with("file")));
    }

    #[test]
    fn a_url_names_a_file() {
        assert_eq!(file_of_url("sqlite://data/onya.db").unwrap(), Path::new("data/onya.db"));
        assert_eq!(file_of_url("sqlite:///var/onya%20x.db").unwrap(), Path::new("/var/onya x.db"));
        assert!(matches!(file_of_url("sqlite::memory:"), Err(ConnectError::Url(_))));
    }
}
