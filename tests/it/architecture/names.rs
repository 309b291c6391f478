//! Which modules at the crate's root a source names: `crate::store`, `crate::{auth, store::Log}`, `super::super::store`.

use std::collections::BTreeSet;

/// The lines that are code.
pub fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The names that follow the crate's root in any path. `depth` is the number of modules from the root to the file.
pub fn siblings_named(text: &str, depth: usize) -> BTreeSet<String> {
    let code = code(text).collect::<Vec<_>>().join("\n");
    let to_root = "super::".repeat(depth);
    let mut named = BTreeSet::new();
    for root in ["crate::", to_root.as_str()] {
        for (at, _) in code.match_indices(root) {
            let inside_a_longer_name = code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
            if !inside_a_longer_name {
                named.extend(first_names(&code[at + root.len()..]));
            }
        }
    }
    named
}

/// The first name of a path, or of each path of a group in braces.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else { return vec![identifier(path)] };
    let mut names = Vec::new();
    let (mut depth, mut begins) = (1, true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => begins = true,
            _ if begins && !character.is_whitespace() => {
                names.push(identifier(&group[at..]));
                begins = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

#[test]
fn a_path_is_found_however_it_is_written() {
    let named = |text: &str, depth| siblings_named(text, depth).into_iter().collect::<Vec<_>>();
    assert_eq!(named("use crate::store::Log;", 2), ["store"]);
    assert_eq!(named("fn f() { let x = crate::llm::ask(); }", 2), ["llm"]);
    assert_eq!(named("use crate::{auth, store::{Log, Row}, llm as model};", 2), ["auth", "llm", "store"]);
    assert_eq!(named("use crate::{\n    auth::Principal,\n    store,\n};", 2), ["auth", "store"]);
    assert_eq!(named("use super::super::store::Log;", 2), ["store"]);
    assert_eq!(named("use super::store::Log;", 2), [] as [&str; 0]);
    assert_eq!(named("// crate::store\n/// [`crate::store`]\nuse my_crate::store;", 2), [] as [&str; 0]);
}
