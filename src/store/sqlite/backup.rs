//! Copies of the file, by SQLite's own `VACUUM INTO`: one read transaction, so one state, while writers go on.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::error::describe;
use super::{database, folder, history, migrate};
use crate::store::ConnectError;
use crate::store::backup::{BackupError, Contents, Progress, Restored};
use crate::store::calendar::compact_time;
use crate::store::clock::now_ms;

/// Between two reports of how far a copy has come.
const REPORT_EVERY: Duration = Duration::from_secs(2);

pub(in crate::store) async fn backup(
    file: &Path,
    target: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<Contents, BackupError> {
    if !file.exists() {
        return Err(BackupError::Missing(file.to_path_buf()));
    }
    if target.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(target.to_path_buf()));
    }
    let partial = Partial::beside(target)?;
    let source = SqliteConnectOptions::new().filename(file);
    copy((source, file), &partial.path, &mut progress).await?;
    progress(Progress::Checking);
    let mut connection = open_copy(&partial.path).await?;
    let contents = check(&mut connection, (&partial.path, target)).await?;
    close(connection, target).await?;
    partial.publish(target)?;
    Ok(contents)
}

pub(in crate::store) async fn restore(
    file: &Path,
    source: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<Restored, BackupError> {
    if !source.is_file() {
        return Err(BackupError::Missing(source.to_path_buf()));
    }
    let _lock = folder::lock(file)?;
    let partial = Partial::beside(file)?;
    let options = SqliteConnectOptions::new().filename(source).read_only(true);
    copy((options, source), &partial.path, &mut progress).await?;
    progress(Progress::Checking);
    let mut connection = open_copy(&partial.path).await?;
    let mut contents = check(&mut connection, (&partial.path, source)).await?;
    migrate::fits(&mut connection).await?;
    let renewing = history::renew_from(&mut connection, contents.history_epoch).await;
    let renewal = renewing.map_err(|error| BackupError::file(source, &describe(&error)))?;
    let history = renewal.ok_or_else(|| BackupError::Foreign(source.to_path_buf()))?;
    contents.history_epoch = history.after;
    close(connection, source).await?;
    let kept = if file.exists() { Some(set_aside(file).await?) } else { None };
    partial.replace(file)?;
    Ok(Restored { file: file.to_path_buf(), contents, kept, history })
}

/// A file that is being written. What is left of it is removed, unless it was put in its place.
struct Partial {
    path: PathBuf,
}

impl Partial {
    /// Nobody else may read what will be in it.
    fn beside(target: &Path) -> Result<Self, BackupError> {
        let path = with_suffix(target, &format!(".partial-{}", Uuid::now_v7().simple()));
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        created.map_err(|error| BackupError::file(&path, &error))?;
        Ok(Self { path })
    }

    /// Gives it its name; a file of that name is never replaced.
    fn publish(self, target: &Path) -> Result<(), BackupError> {
        let linked = sync(&self.path).and_then(|()| fs::hard_link(&self.path, target));
        linked.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(target.to_path_buf()),
            _ => BackupError::file(target, &error),
        })?;
        fs::remove_file(&self.path)
            .and_then(|()| sync_folder(target))
            .map_err(|error| BackupError::file(target, &error))
    }

    /// Takes the place of a file.
    fn replace(self, target: &Path) -> Result<(), BackupError> {
        let replaced =
            sync(&self.path).and_then(|()| fs::rename(&self.path, target)).and_then(|()| sync_folder(target));
        replaced.map_err(|error| BackupError::file(target, &error))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // It is gone if it was put in its place.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(with_suffix(&self.path, "-journal"));
    }
}

async fn copy(
    (options, source): (SqliteConnectOptions, &Path),
    target: &Path,
    progress: &mut impl FnMut(Progress),
) -> Result<(), BackupError> {
    let unreadable = |error: sqlx::Error| unreadable(source, &error);
    let mut connection = options.disable_statement_logging().connect().await.map_err(unreadable)?;
    let size = sqlx::query_scalar("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    let size: i64 = size.fetch_one(&mut connection).await.map_err(unreadable)?;
    let name = target.to_str().ok_or_else(|| BackupError::file(target, &"the name is not UTF-8"))?;
    let mut copying = Box::pin(sqlx::query("VACUUM INTO $1").bind(name).execute(&mut connection));
    let copied = loop {
        match tokio::time::timeout(REPORT_EVERY, &mut copying).await {
            Ok(copied) => break copied,
            Err(_) => {
                let bytes = fs::metadata(target).map_or(0, |written| written.len());
                progress(Progress::Copying { bytes, of_bytes: u64::try_from(size).unwrap_or(0) });
            }
        }
    };
    drop(copying);
    copied.map(drop).map_err(unreadable)?;
    close(connection, source).await
}

fn unreadable(file: &Path, error: &sqlx::Error) -> BackupError {
    const NOTADB: &str = "26";
    const CORRUPT: &str = "11";
    match error.as_database_error().and_then(|error| error.code()).as_deref() {
        Some(NOTADB) => BackupError::Foreign(file.to_path_buf()),
        Some(CORRUPT) => BackupError::Damaged { file: file.to_path_buf(), finding: describe(error) },
        _ => BackupError::file(file, &describe(error)),
    }
}

async fn open_copy(file: &Path) -> Result<SqliteConnection, BackupError> {
    let options = SqliteConnectOptions::new().filename(file).disable_statement_logging();
    options.connect().await.map_err(|error| unreadable(file, &error))
}

async fn close(connection: SqliteConnection, file: &Path) -> Result<(), BackupError> {
    connection.close().await.map_err(|error| BackupError::file(file, &describe(&error)))
}

/// Reads the copy from end to end. `named` is the file that the person knows.
async fn check(connection: &mut SqliteConnection, (file, named): (&Path, &Path)) -> Result<Contents, BackupError> {
    let unreadable = |error: sqlx::Error| unreadable(named, &error);
    let findings = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_all(&mut *connection).await;
    let findings: Vec<String> = findings.map_err(unreadable)?;
    if findings != ["ok"] {
        let finding = findings.into_iter().next().unwrap_or_default();
        return Err(BackupError::Damaged { file: named.to_path_buf(), finding });
    }
    let history_epoch = history::read(connection).await.map_err(|error| match error {
        ConnectError::NoHistory => BackupError::Foreign(named.to_path_buf()),
        error => error.into(),
    })?;
    let count = "SELECT (SELECT count(*) FROM conversations), (SELECT count(*) FROM entries)";
    let (conversations, entries) = sqlx::query_as(count).fetch_one(connection).await.map_err(unreadable)?;
    let bytes = fs::metadata(file).map_err(|error| BackupError::file(named, &error))?.len();
    Ok(Contents { bytes, conversations, entries, history_epoch })
}

/// Gives the database another name, beside its own, and takes its write-ahead log away, which must never be applied to
/// another file. A sound database has nothing left in that log after the checkpoint; of a damaged one it is kept too.
async fn set_aside(file: &Path) -> Result<PathBuf, BackupError> {
    if let Err(error) = checkpoint(file).await {
        tracing::warn!(error = describe(&error), "the database before cannot be opened; it is kept as it is");
    }
    let kept = unused_name(file);
    let log = (with_suffix(file, "-wal"), with_suffix(&kept, "-wal"));
    keep(file, &kept)?;
    // SQLite takes an empty log away when its last connection ends, which may be now.
    if log.0.exists()
        && let Err(error) = keep(&log.0, &log.1)
        && log.0.exists()
    {
        return Err(error);
    }
    sync_folder(file).map_err(|error| BackupError::file(file, &error))?;
    for leftover in [log.0, with_suffix(file, "-shm")] {
        match fs::remove_file(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(BackupError::file(&leftover, &error)),
            _ => {}
        }
    }
    Ok(kept)
}

async fn checkpoint(file: &Path) -> Result<(), sqlx::Error> {
    let mut connection = database::options(file).create_if_missing(false).connect().await?;
    let done = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await;
    // Closed in any case: a connection that is only dropped would remove files at some later moment.
    connection.close().await?;
    done.map(drop)
}

fn unused_name(file: &Path) -> PathBuf {
    let name = with_suffix(file, &format!(".before-restore-{}", compact_time(now_ms())));
    let more = (2..).map(|number| with_suffix(&name, &format!("-{number}")));
    std::iter::once(name.clone()).chain(more).find(|name| name.symlink_metadata().is_err()).unwrap_or(name)
}

/// A second name where the file system has them, else a copy.
fn keep(file: &Path, kept: &Path) -> Result<(), BackupError> {
    let linked = fs::hard_link(file, kept).or_else(|_| fs::copy(file, kept).and_then(|_| sync(kept)));
    linked.map_err(|error| BackupError::file(kept, &error))
}

fn sync(file: &Path) -> io::Result<()> {
    File::open(file)?.sync_all()
}

fn sync_folder(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync(parent),
        _ => sync(Path::new(".")),
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
