//! The steps of the schema, compiled in, and what to do next. Each backend runs them in its own way.
//!
//! `migrations/README.md` says how to write one.

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
}

macro_rules! steps {
    ($folder:literal: $($version:literal $name:literal),+ $(,)?) => {
        &[$(Step {
            version: $version,
            name: $name,
            up: include_str!(concat!("../../migrations/", $folder, "/000", $version, "_", $name, ".up.sql")),
            down: include_str!(concat!("../../migrations/", $folder, "/000", $version, "_", $name, ".down.sql")),
        }),+]
    };
}

pub(super) const POSTGRES: &[Step] = steps!("postgres": 1 "conversations", 3 "search");
pub(super) const SQLITE: &[Step] = steps!("sqlite": 1 "conversations", 3 "search");

/// Where the applied steps are written down, in both backends.
pub(super) const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations \
     (version bigint PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL)";
pub(super) const APPLIED: &str = "SELECT version FROM schema_migrations ORDER BY version";
pub(super) const NOTE: &str = "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)";
pub(super) const FORGET: &str = "DELETE FROM schema_migrations WHERE version = $1";

/// The steps to run, in order, given what is applied.
pub(super) fn plan(steps: &[Step], applied: &[i64], direction: Direction) -> Vec<Step> {
    match direction {
        Direction::Up => steps.iter().filter(|step| !applied.contains(&step.version)).copied().collect(),
        Direction::Down => steps.iter().rfind(|step| applied.contains(&step.version)).copied().into_iter().collect(),
    }
}

/// What is applied, this version's steps first and then those of a newer version.
pub(super) fn status(steps: &[Step], applied: &[i64]) -> Vec<StepStatus> {
    let known = steps.iter().map(|step| StepStatus {
        version: step.version,
        name: step.name.to_owned(),
        applied: applied.contains(&step.version),
    });
    let newer = applied.iter().filter(|version| steps.iter().all(|step| step.version != **version));
    let newer =
        newer.map(|version| StepStatus { version: *version, name: "(of a newer version)".to_owned(), applied: true });
    known.chain(newer).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

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
        }
        let names = |steps: &[Step]| steps.iter().map(|step| (step.version, step.name)).collect::<Vec<_>>();
        assert_eq!(names(POSTGRES), names(SQLITE));
    }

    #[test]
    fn up_runs_what_is_missing_and_down_only_the_newest() {
        let step = |version| Step { version, name: "a", up: "", down: "" };
        let steps = [step(1), step(2), step(3)];
        let versions = |applied: &[i64], direction| {
            plan(&steps, applied, direction).iter().map(|step| step.version).collect::<Vec<_>>()
        };
        assert_eq!(versions(&[1], Direction::Up), [2, 3]);
        assert_eq!(versions(&[1, 2], Direction::Down), [2]);
        assert_eq!(versions(&[], Direction::Down), Vec::<i64>::new());
    }
}
