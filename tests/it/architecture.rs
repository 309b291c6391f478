//! The rules of the architecture, read from the manifests and the sources.
//!
//! | ring | crate | may depend on, of ours |
//! |---|---|---|
//! | decisions | `core/` | – |
//! | wire | `protocol/` | core |
//! | processes | `actors/` | core, protocol |
//! | edges and wiring | `src/` | all three |
//! | load client | `loadtests/` | protocol: it sees the server from outside |
//! | model of several pods | `tests/model/` | core: it decides as the server does |
//! | servers of one's own | `tests/servers/` | –: PostgreSQL and nginx, which know nothing of ours |
//! | local cluster | `deploy/local/` | servers of one's own: it sees what an operator sees |
//! | simulation | `tests/simulation/` | all of them: whole nodes, with all that is outside simulated |
//! | fault campaigns | `tests/torture/` | servers of one's own: they see the server's frames, tables and log only |
//!
//! Inside `src/` the same direction holds between modules: see [`MAY_NAME`].

mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use names::siblings_named;

/// Everything that a crate may depend on, where the ring is small enough to list it.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("core", &["hashring", "serde", "sha2", "thiserror", "uuid"]),
    ("protocol", &["onya-core", "schemars", "serde", "serde_json", "uuid"]),
    ("tests/model", &["onya-core", "stateright", "uuid"]),
    ("tests/servers", &["anyhow", "rustix", "tokio"]),
];

/// What a crate must not depend on, where it may depend on much.
const MUST_NOT_DEPEND_ON: &[(&str, &[&str])] = &[
    (
        "actors",
        &[
            "onya",
            "axum",
            "hyper",
            "tower",
            "tower-http",
            "tokio-tungstenite",
            "sqlx",
            "redis",
            "reqwest",
            "serde_json",
        ],
    ),
    ("deploy/local", &["onya", "onya-core", "onya-actors", "onya-protocol"]),
    ("loadtests", &["onya", "onya-core", "onya-actors"]),
    // Nothing that is there outside, and nothing that is drawn without a seed.
    ("tests/simulation", &["onya-model", "onya-servers", "rand", "redis", "reqwest", "sqlx", "tokio-tungstenite"]),
    ("tests/torture", &["onya", "onya-core", "onya-actors", "onya-protocol"]),
];

/// Which siblings a module of `src/` may name. `app` wires all of them together, `cli` starts what it wires.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("telemetry", &["config"]),
    ("auth", &["config"]),
    ("store", &["config", "telemetry"]),
    ("llm", &["config", "telemetry"]),
    ("cluster", &["config", "telemetry"]),
    ("edge", &["config", "telemetry", "auth"]),
];

/// Modules that may name every sibling, and that may answer with `anyhow`.
const WIRING: &[&str] = &["app", "cli", "main", "lib"];

/// Names that say nothing about what a file is for.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "types", "misc", "manager"];

/// Above this many lines a file is worth a look: one concern or two?
const LONG_FILE_LINES: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifest(folder: &str) -> toml::Table {
    std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap().parse().unwrap()
}

/// What the crate is built from, tests aside.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = targets.into_iter().flat_map(|targets| targets.values()).filter_map(toml::Value::as_table);
    std::iter::once(manifest)
        .chain(tables)
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
        .filter_map(|table| table?.as_table())
        .flatten()
        .map(|(name, spec)| spec.get("package").and_then(toml::Value::as_str).unwrap_or(name).to_owned())
        .collect()
}

/// All Rust sources below a folder, with their text.
fn sources(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    found
}

/// The modules from the crate's root to this file, without the root.
fn module_path(file: &Path) -> Vec<String> {
    let mut path: Vec<_> = file
        .strip_prefix(root().join("src"))
        .unwrap()
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    path.pop_if(|last| last == "mod");
    path
}

fn crates() -> Vec<(String, PathBuf)> {
    let members = manifest(".")["workspace"]["members"].clone();
    let folder = |member: &toml::Value| member.as_str().unwrap().to_owned();
    members.as_array().unwrap().iter().map(folder).map(|member| (member.clone(), root().join(member))).collect()
}

#[test]
fn each_crate_depends_only_on_the_rings_inside_it() {
    for (folder, allowed) in MAY_DEPEND_ON {
        let surplus: Vec<_> =
            dependencies(&manifest(folder)).into_iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(surplus.is_empty(), "{folder}/ may not depend on {surplus:?}");
    }
    for (folder, forbidden) in MUST_NOT_DEPEND_ON {
        let found: Vec<_> =
            dependencies(&manifest(folder)).into_iter().filter(|name| forbidden.contains(&name.as_str())).collect();
        assert!(found.is_empty(), "{folder}/ may not depend on {found:?}");
    }
}

#[test]
fn each_crate_of_the_workspace_has_its_place() {
    let placed: BTreeSet<_> = MAY_DEPEND_ON.iter().chain(MUST_NOT_DEPEND_ON).map(|(folder, _)| *folder).collect();
    let homeless: Vec<_> = crates()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name != "." && !placed.contains(name.as_str()))
        .collect();
    assert!(homeless.is_empty(), "no rule for {homeless:?}");
}

/// Without one of them the workspace's manifest is not complete, and the image cannot be built.
#[test]
fn the_image_is_built_from_each_crate_of_the_workspace() {
    let ignored = std::fs::read_to_string(root().join(".dockerignore")).unwrap();
    let copied = |folder: &str| ignored.lines().any(|line| line.strip_prefix('!') == Some(folder));
    let left_out: Vec<_> =
        crates().into_iter().map(|(name, _)| name).filter(|name| name != "." && !copied(name)).collect();
    assert!(left_out.is_empty(), "not in .dockerignore: {left_out:?}");
}

#[test]
fn modules_name_only_the_siblings_they_may() {
    let files = sources(&root().join("src"));
    let modules: BTreeSet<_> = files.keys().filter_map(|file| module_path(file).first().cloned()).collect();
    let mut broken = Vec::new();
    for (file, text) in &files {
        let path = module_path(file);
        if WIRING.contains(&path[0].as_str()) {
            continue;
        }
        let allowed = MAY_NAME.iter().find(|(module, _)| *module == path[0]).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            broken.push(format!("{}: no rule for this module", file.display()));
            continue;
        };
        for named in siblings_named(text, path.len()) {
            if named != path[0] && modules.contains(&named) && !allowed.contains(&named.as_str()) {
                broken.push(format!("{} names {named}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn errors_without_a_type_stay_in_the_wiring() {
    let names_anyhow = |text: &str| names::code(text).any(|line| line.contains("anyhow"));
    let broken: Vec<_> = sources(&root().join("src"))
        .into_iter()
        .filter(|(file, text)| !WIRING.contains(&module_path(file)[0].as_str()) && names_anyhow(text))
        .map(|(file, _)| file)
        .collect();
    assert!(broken.is_empty(), "anyhow belongs to cli and app: {broken:#?}");
}

#[test]
fn each_folder_says_what_it_is_and_each_file_has_a_name() {
    let mut broken = Vec::new();
    for (file, text) in crates().iter().flat_map(|(_, folder)| sources(&folder.join("src"))) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let is_root = matches!(name, "mod" | "lib" | "main");
        if is_root && !text.starts_with("//!") {
            broken.push(format!("{} does not begin with what it is", file.display()));
        }
        let folder = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
        if EMPTY_NAMES.contains(&name) || EMPTY_NAMES.contains(&folder) {
            broken.push(format!("{} has a name that says nothing", file.display()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn long_files_are_listed() {
    for (file, text) in crates().iter().flat_map(|(_, folder)| sources(&folder.join("src"))) {
        let lines = text.lines().count();
        if lines > LONG_FILE_LINES {
            let file = file.strip_prefix(root()).unwrap_or(&file).display();
            writeln!(std::io::stdout(), "{file} has {lines} lines: one concern, or two?").unwrap();
        }
    }
}

/// Where faults may be planted: the list of them, and the statements that are wrong.
const PLANTED: &[&str] = &["actors/src/planted.rs", "src/store/postgres/planted.rs"];

#[test]
fn faults_are_planted_in_two_files_and_by_no_default() {
    let planted = format!("feature = {:?}", "planted");
    let found: BTreeSet<_> = crates()
        .iter()
        .flat_map(|(_, folder)| sources(&folder.join("src")))
        .filter(|(_, text)| text.contains(&planted))
        .map(|(file, _)| file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, PLANTED.iter().map(|file| (*file).to_owned()).collect());
    for (folder, _) in crates() {
        assert!(manifest(&folder).get("features").is_none_or(|features| features.get("default").is_none()));
    }
}

#[test]
fn the_built_program_has_no_planted_fault() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_onya")).unwrap();
    let variable = b"PLANTED_FAULT";
    assert!(memchr::memmem::find(&program, variable).is_none(), "built with the feature `planted`");
    assert!(memchr::memmem::find(&program, b"ONYA_CONFIG").is_some(), "what is looked for would be found");
}
