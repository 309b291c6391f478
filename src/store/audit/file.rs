//! The file of anchors: lines are added and flushed, never changed.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::anchor::Anchor;

/// More than two lines have; the newest whole one lies within.
const TAIL_BYTES: u64 = 8 * 1024;

/// The right to add to a file of anchors; the operating system ends it with the process.
pub(in crate::store) struct AnchorLock {
    file: File,
    last: Option<Anchor>,
    /// Whether the file ends with its last line's end. It does not if a write was interrupted.
    whole: bool,
}

impl AnchorLock {
    /// Opens the file, or makes it. Fails with `WouldBlock` if another process adds to it.
    pub(in crate::store) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::options().create(true).append(true).read(true).mode(0o640).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::from(io::ErrorKind::WouldBlock),
            TryLockError::Error(error) => error,
        })?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let tail = String::from_utf8_lossy(&tail);
        let last = tail.lines().rev().find_map(Anchor::from_line);
        let whole = tail.is_empty() || tail.ends_with('\n');
        Ok(Self { file, last, whole })
    }

    /// The newest anchor.
    pub(in crate::store) const fn last(&self) -> Option<&Anchor> {
        self.last.as_ref()
    }

    /// Adds an anchor. Once this returns it is on the disk.
    pub(in crate::store) fn add(&mut self, anchor: Anchor) -> io::Result<()> {
        let begin = if self.whole { "" } else { "\n" };
        // Until the flush succeeds, what is there may be half a line.
        self.whole = false;
        self.file.write_all(format!("{begin}{}\n", anchor.to_line()).as_bytes())?;
        self.file.sync_all()?;
        self.whole = true;
        self.last = Some(anchor);
        Ok(())
    }
}

/// The lines of a file of anchors; what is not text is no anchor.
pub(super) fn lines(path: &Path) -> io::Result<impl Iterator<Item = io::Result<String>> + use<>> {
    let mut reader = BufReader::new(File::open(path)?);
    Ok(std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(String::from_utf8_lossy(line.trim_ascii_end()).into_owned())),
            Err(error) => Some(Err(error)),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::super::anchor::{AnchorKey, Statement};
    use super::*;

    fn anchor(number: i64, previous: Option<&Anchor>, key: &AnchorKey) -> Anchor {
        let statement = Statement { number, at: 1, cursor: String::new(), leaves: 0, root: [0; 32] };
        Anchor::sign(statement, previous, key)
    }

    #[test]
    fn anchors_are_added_after_the_newest_whole_one_and_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchors.jsonl");
        let key = AnchorKey::generate();
        let mut lock = AnchorLock::open(&path).unwrap();
        assert_eq!(lock.last(), None);
        assert_eq!(AnchorLock::open(&path).err().unwrap().kind(), io::ErrorKind::WouldBlock);
        let first = anchor(1, None, &key);
        lock.add(first.clone()).unwrap();
        for number in 2..40 {
            lock.add(anchor(number, lock.last(), &key)).unwrap();
        }
        drop(lock);
        // A write that was interrupted.
        File::options().append(true).open(&path).unwrap().write_all(b"{\"anchor\":40,").unwrap();
        let mut lock = AnchorLock::open(&path).unwrap();
        assert_eq!(lock.last().map(|anchor| anchor.number), Some(39));
        lock.add(anchor(40, lock.last(), &key)).unwrap();
        drop(lock);
        let lines: Vec<_> = lines(&path).unwrap().map(|line| Anchor::from_line(&line.unwrap())).collect();
        assert_eq!((lines.len(), lines[0].as_ref(), &lines[39]), (41, Some(&first), &None));
        assert_eq!(lines[40].as_ref().map(|anchor| anchor.number), Some(40));
    }
}
