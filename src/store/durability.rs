//! What an acknowledgement is worth: the settings of the database that decide whether a commit survives, and what they
//! leave to be wished for.
//!
//! Pure: the adapters read the settings, this says what they mean.

/// Settings as the database reports them, and what is wrong with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durability {
    /// Name and value, as the sessions of the server see them.
    pub settings: Vec<(&'static str, String)>,
    /// What makes acknowledgements weaker than promised, each with what to set.
    pub weaknesses: Vec<Weakness>,
}

/// A way in which an acknowledged message may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Commits are not forced to the disk.
    #[error(
        "fsync is off: a crash of the machine loses acknowledged messages and may ruin the database; set fsync = on"
    )]
    NoFsync,
    /// A page that was half written is not repaired.
    #[error(
        "full_page_writes is off: a crash of the machine may ruin pages of the database; set full_page_writes = on, \
         unless the file system writes pages whole"
    )]
    TornPages,
    /// There are standbys, and commits do not wait for their disks.
    #[error(
        "synchronous_standby_names is set, but commits do not wait until a standby has them on its disk: a failover may \
         lose acknowledged messages; set synchronous_commit = on (or remote_apply)"
    )]
    StandbyNotAwaited,
    /// There is no standby to wait for.
    #[error(
        "synchronous_standby_names is empty: an acknowledged message is on the disk of one machine only, and a failover \
         may lose it; set it to a quorum, such as 'ANY 1 (standby1, standby2)'"
    )]
    NoStandby,
    /// SQLite does not force commits to the disk.
    #[error("synchronous is below FULL: a crash of the machine loses acknowledged messages")]
    SqliteNotFull,
}

/// What PostgreSQL reports.
#[derive(Clone, Debug)]
pub(super) struct PostgresSettings {
    pub(super) fsync: String,
    pub(super) full_page_writes: String,
    /// In a session of the server, which switches it on where it is off.
    pub(super) synchronous_commit: String,
    pub(super) synchronous_standby_names: String,
}

impl PostgresSettings {
    /// `expects_standby`: whether a database without a standby is worth a warning.
    pub(super) fn judge(self, expects_standby: bool) -> Durability {
        let has_standby = !self.synchronous_standby_names.trim().is_empty();
        let awaited = matches!(self.synchronous_commit.as_str(), "on" | "remote_apply");
        let weaknesses = [
            (self.fsync != "on", Weakness::NoFsync),
            (self.full_page_writes != "on", Weakness::TornPages),
            (has_standby && !awaited, Weakness::StandbyNotAwaited),
            (expects_standby && !has_standby, Weakness::NoStandby),
        ];
        Durability {
            weaknesses: weaknesses.into_iter().filter_map(|(wrong, weakness)| wrong.then_some(weakness)).collect(),
            settings: vec![
                ("fsync", self.fsync),
                ("full_page_writes", self.full_page_writes),
                ("synchronous_commit", self.synchronous_commit),
                ("synchronous_standby_names", self.synchronous_standby_names),
            ],
        }
    }
}

/// What SQLite reports: `synchronous` as its number, 2 is FULL and 3 EXTRA.
pub(super) fn judge_sqlite(journal_mode: String, synchronous: i64) -> Durability {
    let name = ["off", "normal", "full", "extra"].get(usize::try_from(synchronous).unwrap_or(usize::MAX));
    Durability {
        settings: vec![("journal_mode", journal_mode), ("synchronous", (*name.unwrap_or(&"unknown")).to_owned())],
        weaknesses: if synchronous >= 2 { Vec::new() } else { vec![Weakness::SqliteNotFull] },
    }
}

impl Durability {
    /// The settings in one line: `fsync=on synchronous_commit=on`.
    #[must_use]
    pub fn line(&self) -> String {
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        settings.join(" ").replace('"', "'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(changed: &str, value: &str, expects_standby: bool) -> Vec<Weakness> {
        let setting = |name: &str, usual: &str| if name == changed { value.to_owned() } else { usual.to_owned() };
        let settings = PostgresSettings {
            fsync: setting("fsync", "on"),
            full_page_writes: setting("full_page_writes", "on"),
            synchronous_commit: setting("synchronous_commit", "on"),
            synchronous_standby_names: setting("synchronous_standby_names", "ANY 1 (a, b)"),
        };
        settings.judge(expects_standby).weaknesses
    }

    #[test]
    fn each_setting_that_weakens_an_acknowledgement_is_named() {
        assert_eq!(judged("", "", true), []);
        assert_eq!(judged("fsync", "off", true), [Weakness::NoFsync]);
        assert_eq!(judged("full_page_writes", "off", true), [Weakness::TornPages]);
        for weak in ["local", "remote_write", "off"] {
            assert_eq!(judged("synchronous_commit", weak, true), [Weakness::StandbyNotAwaited], "{weak}");
        }
        assert_eq!(judged("synchronous_commit", "remote_apply", true), []);
        assert_eq!(judged("synchronous_standby_names", "", true), [Weakness::NoStandby]);
        assert_eq!(judged("synchronous_standby_names", "", false), [], "one machine was asked for");
    }

    #[test]
    fn sqlite_is_as_good_as_its_flushes() {
        assert_eq!(judge_sqlite("wal".to_owned(), 2).weaknesses, []);
        assert_eq!(judge_sqlite("wal".to_owned(), 1).weaknesses, [Weakness::SqliteNotFull]);
        assert_eq!(judge_sqlite("wal".to_owned(), 2).line(), "journal_mode='wal' synchronous='full'");
    }
}
