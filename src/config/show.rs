//! The settings in force, as a file that could be read again, with secrets masked.

use std::fmt::Write as _;

use super::{Loaded, rules};

impl Loaded {
    /// One line per key with its value and, as a comment, where it came from, in the order of the default file.
    #[must_use]
    pub fn show(&self) -> String {
        let mut text = format!("# profile: {}\n", self.config.profile.name());
        let mut open_section = String::new();
        for (key, line) in self.lines() {
            let (section, name) = key.rsplit_once('.').unwrap_or(("", &key));
            if section != open_section {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "\n[{section}]");
                open_section = section.to_owned();
            }
            let _ = writeln!(text, "{name} = {line}");
        }
        text
    }

    fn lines(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for rule in rules().filter(|rule| !rule.key.contains('*')) {
            lines.extend(self.settings.get_key_value(rule.key));
        }
        lines.extend(self.settings.iter().filter(|(_, setting)| setting.rule.key.contains('*')));
        lines
            .into_iter()
            .map(|(key, setting)| (key.clone(), format!("{}  # {}", setting.rule.show(&setting.value), setting.origin)))
            .collect()
    }
}
