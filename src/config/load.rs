//! From the layers to the checked settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Value;

use super::layers::{Flag, Layers, Origin, Setting, rule_for};
use super::problem::{Problem, Problems};
use super::{Config, DEFAULT_TOML, Profile, coherence, database, node, notices};

/// What the layers above the embedded default are made from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Name of a profile; goes before `ONYA_PROFILE`.
    pub profile: Option<String>,
    /// A file; goes before `ONYA_CONFIG`.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// Settings from the command line, the later one wins.
    pub flags: Vec<Flag>,
}

impl Inputs {
    /// Takes the environment of this process. Variables that are no UTF-8 are left out: none of Onya's can be among them.
    #[must_use]
    pub fn from_process() -> Self {
        let text =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { environment: text.collect(), ..Self::default() }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The checked settings, and where each came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    pub(super) settings: BTreeMap<String, Setting>,
}

impl Loaded {
    /// Every setting in force as text, by its key. Secrets are among them: not to be shown.
    #[must_use]
    pub fn values(&self) -> BTreeMap<String, String> {
        self.settings.iter().map(|(key, setting)| (key.clone(), setting.value.to_string())).collect()
    }
}

/// Lays profile, file, environment and flags over the embedded default, in this order, and checks the result.
///
/// # Errors
/// [`Problems`] lists everything that is wrong, not only the first thing.
pub fn load(inputs: &Inputs) -> Result<Loaded, Problems> {
    let mut layers = Layers::default();
    layers.add_file(DEFAULT_TOML, &Origin::Default);
    let profile = add_profile(&mut layers, inputs);
    add_own_file(&mut layers, inputs);
    layers.add_environment(&inputs.environment);
    layers.add_flags(&inputs.flags);
    derive(&mut layers);
    complete_languages(&mut layers);
    let Layers { settings, mut problems } = layers;
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let mut config = match assemble(&settings) {
        Ok(config) => config,
        Err(error) => return Err(Problems(vec![Problem::new(error.message())])),
    };
    config.profile = profile;
    coherence::check(&config, &settings, &mut problems);
    if problems.is_empty() { Ok(Loaded { config, settings }) } else { Err(Problems(problems)) }
}

fn add_profile(layers: &mut Layers, inputs: &Inputs) -> Profile {
    let flag = inputs.profile.as_deref().map(|name| (name, "flag --profile"));
    let chosen = flag.or_else(|| inputs.variable("ONYA_PROFILE").map(|name| (name, "environment ONYA_PROFILE")));
    let Some((name, origin)) = chosen else {
        return Profile::Laptop;
    };
    let Some(profile) = Profile::by_name(name) else {
        let text = format!("profile {name:?} ({origin}): not allowed; allowed is development or staging or production");
        layers.problems.push(Problem::new(text));
        return Profile::Laptop;
    };
    layers.add_file(profile.toml(), &Origin::Profile(profile));
    profile
}

fn add_own_file(layers: &mut Layers, inputs: &Inputs) {
    let path = inputs.file.clone().or_else(|| inputs.variable("ONYA_CONFIG").map(PathBuf::from));
    let Some(path) = path else { return };
    match std::fs::read_to_string(&path) {
        Ok(text) => layers.add_file(&text, &Origin::File(path)),
        Err(error) => layers.problems.push(Problem::new(format!("file {}: {error}", path.display()))),
    }
}

/// Fills in what depends on other settings or on the machine, where nothing was configured.
fn derive(layers: &mut Layers) {
    let data_dir = PathBuf::from(text(&layers.settings, "node.data_dir"));
    let keys_file = data_dir.join("keys.json").to_string_lossy().into_owned();
    let derived = [
        ("node.name", node::host_name()),
        ("cluster.host", text(&layers.settings, "server.host").to_owned()),
        ("database.url", database::embedded_url(&data_dir)),
        ("auth.keys_file", keys_file),
    ];
    for (key, value) in derived {
        set_if_empty(layers, key, value);
    }
    // Nobody else can make anchors of an embedded database while the server runs.
    if text(&layers.settings, "database.url").starts_with("sqlite:") {
        let file = |name: &str| data_dir.join(name).to_string_lossy().into_owned();
        set_if_empty(layers, "audit.anchor_file", file("anchors.jsonl"));
        set_if_empty(layers, "audit.anchor_key_file", file("anchor.key"));
    }
}

fn set_if_empty(layers: &mut Layers, key: &str, value: String) {
    if let (true, Some(rule)) = (text(&layers.settings, key).is_empty(), rule_for(key)) {
        layers.set(rule, key.to_owned(), Value::String(value), Origin::Derived);
    }
}

/// A language that has some texts must have them all.
fn complete_languages(layers: &mut Layers) {
    let begun: Vec<(String, Origin)> = layers
        .settings
        .iter()
        .filter_map(|(key, setting)| Some((language_of(key)?.to_owned(), setting.origin.clone())))
        .collect();
    let begun: BTreeMap<String, Origin> = begun.into_iter().collect();
    for (language, origin) in begun {
        for name in notices::KEYS {
            let key = format!("notices.{language}.{name}");
            if !layers.settings.contains_key(&key) {
                let text = format!("{key} is missing: the language {language:?} ({origin}) needs all six texts");
                layers.problems.push(Problem::new(text));
            }
        }
    }
}

fn language_of(key: &str) -> Option<&str> {
    key.strip_prefix("notices.")?.split_once('.').map(|(language, _)| language)
}

fn text<'a>(settings: &'a BTreeMap<String, Setting>, key: &str) -> &'a str {
    settings.get(key).and_then(|setting| setting.value.as_str()).unwrap_or_default()
}

fn assemble(settings: &BTreeMap<String, Setting>) -> Result<Config, toml::de::Error> {
    let mut root = toml::Table::new();
    for (key, setting) in settings {
        let unset = setting.rule.optional && setting.value.as_str() == Some("");
        if !unset {
            insert(&mut root, key, setting.value.clone());
        }
    }
    Value::Table(root).try_into()
}

fn insert(table: &mut toml::Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(toml::Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
