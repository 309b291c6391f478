//! The steps of the schema, compiled in, and what to do next. Each backend runs them in its own way.
//!
//! `migrations/README.md` says how to write one.

use super::ConnectError;

/// What to do to a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Apply every step that is missing.
    Up,
    /// Undo the newest step.
    Down,
}

/// One step and whether it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepStatus {
    /// Its number, from 1.
    pub version: i64,
    /// What it is about.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    /// The step that a program must know to work on a database with this one: 0 for an expansion, which older programs
    /// do not notice, and for a contraction the step whose code no longer uses what is dropped.
    pub(super) needs: i64,
}

/// A step that a database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) version: i64,
    pub(super) needs: i64,
}

/// `4 "partitions"` is an expansion; `9 "drop_old_column" needs 7` is a contraction.
macro_rules! steps {
    ($folder:literal: $($version:literal $name:literal $(needs $needs:literal)?),+ $(,)?) => {
        &[$(Step {
            version: $version,
            name: $name,
            up: include_str!(concat!("../../migrations/", $folder, "/000", $version, "_", $name, ".up.sql")),
            down: include_str!(concat!("../../migrations/", $folder, "/000", $version, "_", $name, ".down.sql")),
            needs: 0 $(+ $needs)?,
        }),+]
    };
}

pub(super) const POSTGRES: &[Step] = steps!("postgres": 1 "conversations", 2 "audit", 3 "search", 4 "partitions", 5 "views",
    6 "erasure", 7 "reporting", 8 "members", 9 "agents");
pub(super) const SQLITE: &[Step] = steps!("sqlite": 1 "conversations", 2 "audit", 3 "search", 4 "partitions", 5 "views",
    6 "erasure", 7 "reporting", 8 "members", 9 "agents");

/// Where the applied steps are written down, in both backends.
pub(super) const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations \
     (version bigint PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL, needs bigint NOT NULL DEFAULT 0)";
/// For a table that was made before steps could need anything.
pub(super) const ADD_NEEDS: &str = "ALTER TABLE schema_migrations ADD COLUMN needs bigint NOT NULL DEFAULT 0";
pub(super) const APPLIED: &str = "SELECT version, needs FROM schema_migrations ORDER BY version";
pub(super) const APPLIED_WITHOUT_NEEDS: &str =
    "SELECT version, CAST(0 AS bigint) AS needs FROM schema_migrations ORDER BY version";
pub(super) const NOTE: &str =
    "INSERT INTO schema_migrations (version, name, applied_at, needs) VALUES ($1, $2, $3, $4)";
pub(super) const FORGET: &str = "DELETE FROM schema_migrations WHERE version = $1";

/// The steps to run, in order, given what is applied.
///
/// A database may be ahead of this program, as it is during an update, unless one of its steps says otherwise. What
/// this program does not know it cannot undo.
pub(super) fn plan(steps: &[Step], applied: &[Applied], direction: Direction) -> Result<Vec<Step>, ConnectError> {
    let newest = steps.last().map_or(0, |step| step.version);
    if let Some(step) = applied.iter().find(|step| step.needs > newest) {
        return Err(ConnectError::TooNew { version: step.version, needs: step.needs, newest });
    }
    let has = |step: &&Step| applied.iter().any(|applied| applied.version == step.version);
    match direction {
        Direction::Up => Ok(steps.iter().filter(|step| !has(step)).copied().collect()),
        Direction::Down => match applied.last().filter(|last| last.version > newest) {
            Some(unknown) => Err(ConnectError::UnknownStep { version: unknown.version, newest }),
            None => Ok(steps.iter().rfind(has).copied().into_iter().collect()),
        },
    }
}

/// What is applied, this version's steps first and then those of a newer version.
pub(super) fn status(steps: &[Step], applied: &[Applied]) -> Vec<StepStatus> {
    let known = steps.iter().map(|step| StepStatus {
        version: step.version,
        name: step.name.to_owned(),
        applied: applied.iter().any(|applied| applied.version == step.version),
    });
    let newer = applied.iter().map(|step| step.version);
    let newer = newer.filter(|version| steps.iter().all(|step| step.version != *version));
    let newer = newer.map(|version| StepStatus { version, name: "(of a newer version)".to_owned(), applied: true });
    known.chain(newer).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    const fn step(version: i64) -> Step {
        Step { version, name: "a", up: "", down: "", needs: 0 }
    }

    const fn applied(version: i64, needs: i64) -> Applied {
        Applied { version, needs }
    }

    #[test]
    fn every_file_in_the_folders_is_in_the_list_and_both_backends_have_the_same_steps() {
        for (folder, steps) in [("postgres", POSTGRES), ("sqlite", SQLITE)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
            let files: BTreeSet<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            let listed = steps
                .iter()
                .flat_map(|step| ["up", "down"].map(|way| format!("{:04}_{}.{way}.sql", step.version, step.name)));
            assert_eq!(files, listed.collect());
            assert!(steps.is_sorted_by_key(|step| step.version), "the newest is the last");
            assert!(steps.iter().all(|step| step.needs < step.version), "a step needs one before it");
        }
        let names = |steps: &[Step]| steps.iter().map(|step| (step.version, step.name)).collect::<Vec<_>>();
        assert_eq!(names(POSTGRES), names(SQLITE));
    }

    #[test]
    fn up_runs_what_is_missing_and_down_only_the_newest() {
        let steps = [step(1), step(2), step(3)];
        let versions = |versions: &[i64], direction| {
            let applied: Vec<_> = versions.iter().map(|version| applied(*version, 0)).collect();
            plan(&steps, &applied, direction).unwrap().iter().map(|step| step.version).collect::<Vec<_>>()
        };
        assert_eq!(versions(&[1], Direction::Up), [2, 3]);
        assert_eq!(versions(&[1, 2], Direction::Down), [2]);
        assert_eq!(versions(&[], Direction::Down), Vec::<i64>::new());
        assert_eq!(versions(&[1, 2, 3, 4], Direction::Up), Vec::<i64>::new(), "an expansion of a newer version");
    }

    #[test]
    fn a_database_that_a_newer_version_has_contracted_is_refused_and_its_steps_are_not_undone() {
        let steps = [step(1), step(2), step(3)];
        let outcome = |newer, direction| {
            plan(&steps, &[applied(1, 0), applied(2, 0), applied(3, 0), newer], direction).map(|steps| steps.len())
        };
        assert_eq!(outcome(applied(5, 3), Direction::Up), Ok(0), "what step 5 drops, we do not use");
        let too_new = Err(ConnectError::TooNew { version: 5, needs: 4, newest: 3 });
        assert_eq!(outcome(applied(5, 4), Direction::Up), too_new);
        assert_eq!(outcome(applied(5, 4), Direction::Down), too_new);
        let unknown = Err(ConnectError::UnknownStep { version: 5, newest: 3 });
        assert_eq!(outcome(applied(5, 0), Direction::Down), unknown);
    }
}
