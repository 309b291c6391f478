//! The reference of all keys (`docs/CONFIG.md`), made from the default file and the rules so that it cannot be wrong.

use std::fmt::Write as _;

use super::layers::{WELL_KNOWN_VARIABLES, rule_for, variable_name};
use super::rule::Secrecy;
use super::{DEFAULT_TOML, Rule};

const OPENING: &str = "\
# Configuration

Made by `onya check-config --reference`; a test keeps it equal to the program.

Onya runs without any configuration. What is set later in this order wins: the embedded
[default file](../config/onya.default.toml), a profile (`--profile development|staging|production` or `ONYA_PROFILE`),
a file (`--config FILE` or `ONYA_CONFIG`), the environment, flags (`--port`, `--host`, `--data-dir`, `--log-level`,
`--set KEY=VALUE`). A file holds only the keys that differ. Unknown keys and wrong values are refused before a socket
opens, all at once; `onya check-config` shows the result with secrets masked, and where each value came from.

A variable that is empty counts as not set; a list is written with commas. Where a key has two variables, set one. A
secret can also be read from a file whose path is in the variable with `_FILE` at its end. The production profile
refuses the mock model, generated signing keys and the example page.
";

/// The reference as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = OPENING.to_owned();
    let mut section = String::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut lines = DEFAULT_TOML.lines();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
            open_section(&mut text, name, &comment);
            comment.clear();
        } else if let Some((name, value)) = line.split_once(" = ") {
            let long = value.starts_with("\"\"\"");
            if long {
                lines.by_ref().find(|line| line.ends_with("\"\"\""));
            }
            let shown = if long { "see the default file" } else { value };
            describe(&mut text, &format!("{section}.{name}"), shown, &comment);
            comment.clear();
        } else {
            comment.clear();
        }
    }
    text
}

// Writing to a String cannot fail, so the results below are not looked at.

fn open_section(text: &mut String, name: &str, comment: &[&str]) {
    let _ = writeln!(text, "\n## `[{name}]`\n");
    if !comment.is_empty() {
        let _ = writeln!(text, "{}\n", comment.join(" "));
    }
}

fn describe(text: &mut String, key: &str, default: &str, comment: &[&str]) {
    let Some(rule) = rule_for(key) else { return };
    let _ = writeln!(text, "- **`{key}`** — {}", comment.join(" "));
    let _ = writeln!(text, "  Default: `{default}`. Environment: {}.", variables(rule, key));
}

fn variables(rule: &Rule, key: &str) -> String {
    let well_known = WELL_KNOWN_VARIABLES.iter().filter(|(_, known)| *known == key).map(|(name, _)| (*name).to_owned());
    let names: Vec<String> = well_known.chain([variable_name(key)]).collect();
    let secret_files = names.iter().filter(|_| rule.secrecy != Secrecy::Public).map(|name| format!("{name}_FILE"));
    let quoted: Vec<String> = names.iter().cloned().chain(secret_files).map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
