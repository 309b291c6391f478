//! The layers of settings: files, the environment, flags. Each value is checked where it comes in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Value;

use super::problem::Problem;
use super::rule::{Rule, Secrecy};
use super::{Profile, rules};

/// Variables that start with `ONYA_` and are no keys: they choose the layers, or belong to the terminal client.
pub const RESERVED_VARIABLES: [&str; 4] = ["ONYA_CONFIG", "ONYA_PROFILE", "ONYA_TOKEN", "ONYA_URL"];

/// Variables with a name of their own, and the keys that they set.
pub(super) const WELL_KNOWN_VARIABLES: [(&str, &str); 8] = [
    ("PORT", "server.port"),
    ("LOG_LEVEL", "log.level"),
    ("LLM_PROVIDER", "llm.provider"),
    ("TRACE_SAMPLING_RATE", "trace.sampling_rate"),
    ("DATABASE_URL", "database.url"),
    ("REDIS_URL", "redis.url"),
    ("OPENAI_API_KEY", "llm.api_key"),
    ("OPENAI_BASE_URL", "llm.base_url"),
];

/// Largest secret file that is read, in bytes; a key list of a thousand keys is smaller.
const MAX_SECRET_FILE_BYTES: u64 = 128 * 1024;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The embedded default file.
    Default,
    /// Worked out from another setting or the machine because nothing was configured.
    Derived,
    /// An embedded profile.
    Profile(Profile),
    /// A file.
    File(PathBuf),
    /// An environment variable, by its name.
    Environment(String),
    /// A flag, by its name.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Derived => f.write_str("derived"),
            Self::Profile(profile) => write!(f, "profile {}", profile.name()),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Setting {
    pub(super) rule: &'static Rule,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A setting from the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The flag as it was typed, for messages.
    pub name: String,
    /// The key that it sets, in dotted form.
    pub key: String,
    /// The value.
    pub value: String,
}

/// Settings by their key, growing layer by layer.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) settings: BTreeMap<String, Setting>,
    pub(super) problems: Vec<Problem>,
}

impl Layers {
    pub(super) fn add_file(&mut self, text: &str, origin: &Origin) {
        match text.parse::<toml::Table>() {
            Ok(table) => self.add_table("", table, origin),
            Err(error) => {
                // The parser's own display quotes the line, which may hold a secret.
                let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
                self.problems.push(Problem::new(format!("{origin}, line {line}: {}", error.message())));
            }
        }
    }

    fn add_table(&mut self, prefix: &str, table: toml::Table, origin: &Origin) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match (rule_for(&key), value) {
                (None, Value::Table(inner)) => self.add_table(&key, inner, origin),
                (None, _) => self.unknown(&key, origin),
                (Some(rule), value) => match rule.accept(&value) {
                    Some(value) => self.set(rule, key, value, origin.clone()),
                    None => self.refuse(rule, &key, &rule.show(&value), origin),
                },
            }
        }
    }

    pub(super) fn add_environment(&mut self, variables: &BTreeMap<String, String>) {
        for (name, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
            let origin = Origin::Environment(name.clone());
            match variable(name) {
                Variable::Foreign => {}
                Variable::Unknown => self.unknown_variable(name),
                Variable::Key(key) => self.add_text(&key, value, origin),
                Variable::SecretFile(key) => match read_secret(Path::new(value)) {
                    Ok(text) => self.add_text(&key, &text, origin),
                    Err(reason) => self.problems.push(Problem::new(format!("{key} ({origin}): {value}: {reason}"))),
                },
            }
        }
    }

    pub(super) fn add_flags(&mut self, flags: &[Flag]) {
        for flag in flags {
            self.add_text(&flag.key, &flag.value, Origin::Flag(flag.name.clone()));
        }
    }

    fn add_text(&mut self, key: &str, text: &str, origin: Origin) {
        let Some(rule) = rule_for(key) else {
            return self.unknown(key, &origin);
        };
        if let (Origin::Environment(name), Some(Origin::Environment(other))) =
            (&origin, self.settings.get(key).map(|setting| &setting.origin))
        {
            let text = format!("{key} is set twice in the environment, by {other} and by {name}: keep one of them");
            return self.problems.push(Problem::new(text));
        }
        match rule.parse(text) {
            Some(value) => self.set(rule, key.to_owned(), value, origin),
            None => self.refuse(rule, key, &rule.show(&Value::String(text.to_owned())), &origin),
        }
    }

    pub(super) fn set(&mut self, rule: &'static Rule, key: String, value: Value, origin: Origin) {
        self.settings.insert(key, Setting { rule, value, origin });
    }

    fn refuse(&mut self, rule: &Rule, key: &str, shown: &str, origin: &Origin) {
        // A malformed URL may have its password anywhere.
        let shown = if rule.secrecy == Secrecy::Public { shown } else { "\"***\"" };
        let text = format!("{key} = {shown} ({origin}): not allowed; allowed is {}", rule.describe());
        self.problems.push(Problem::new(text));
    }

    fn unknown(&mut self, key: &str, origin: &Origin) {
        let known = rules().map(|rule| rule.key.replace('*', "en"));
        let hint = nearest(key, known).map(|key| format!("; did you mean {key}?")).unwrap_or_default();
        self.problems.push(Problem::new(format!("{key} ({origin}): there is no such key{hint}")));
    }

    fn unknown_variable(&mut self, name: &str) {
        let keys = rules().map(|rule| variable_name(&rule.key.replace('*', "en")));
        let well_known = WELL_KNOWN_VARIABLES.map(|(name, _)| name.to_owned());
        let known = keys.chain(well_known).chain(RESERVED_VARIABLES.map(str::to_owned));
        let hint = nearest(name, known).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        self.problems.push(Problem::new(format!("environment {name}: there is no such setting{hint}")));
    }
}

/// The rule of a key.
pub(super) fn rule_for(key: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.covers(key))
}

/// The name of a key in the environment.
pub(super) fn variable_name(key: &str) -> String {
    format!("ONYA_{}", key.to_ascii_uppercase().replace('.', "__").replace('-', "_"))
}

enum Variable {
    Foreign,
    Unknown,
    Key(String),
    SecretFile(String),
}

fn variable(name: &str) -> Variable {
    if RESERVED_VARIABLES.contains(&name) {
        return Variable::Foreign;
    }
    if let Some(key) = key_of_variable(name) {
        return Variable::Key(key);
    }
    let secret = name.strip_suffix("_FILE").and_then(key_of_variable);
    if let Some(key) = secret.filter(|key| rule_for(key).is_some_and(|rule| rule.secrecy != Secrecy::Public)) {
        return Variable::SecretFile(key);
    }
    if name.starts_with("ONYA_") { Variable::Unknown } else { Variable::Foreign }
}

fn key_of_variable(name: &str) -> Option<String> {
    if let Some((_, key)) = WELL_KNOWN_VARIABLES.iter().find(|(known, _)| *known == name) {
        return Some((*key).to_owned());
    }
    let key = name.strip_prefix("ONYA_")?.to_ascii_lowercase().replace("__", ".");
    // A variable cannot hold the hyphen of a language tag such as pt-br: it is written as an underscore.
    let key = match key.strip_prefix("notices.").and_then(|rest| rest.split_once('.')) {
        Some((tag, text)) => format!("notices.{}.{text}", tag.replace('_', "-")),
        None => key,
    };
    rule_for(&key).map(|_| key)
}

fn read_secret(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MAX_SECRET_FILE_BYTES {
        return Err(format!("larger than {MAX_SECRET_FILE_BYTES} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let text = text.trim();
    if text.is_empty() { Err("the file is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// The known name that is most like the given one, if any is like it.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, &candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}
