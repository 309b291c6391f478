//! What customers are told, per language.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::rule::Rule;

/// Section `[notices]`.
#[derive(Clone, Debug, Deserialize)]
pub struct NoticesConfig {
    /// Language of a customer whose own is not here; it always has texts.
    pub default_language: String,
    /// The texts by language tag, in lower case.
    #[serde(flatten)]
    pub languages: BTreeMap<String, NoticeTexts>,
}

/// The texts of one language.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeTexts {
    /// The customer waits for a person from now on.
    pub queued: String,
    /// The customer has waited for a while.
    pub still_waiting: String,
    /// The assistant's reply could not be finished.
    pub reply_failed: String,
    /// A person has taken over.
    pub agent_joined: String,
    /// The assistant answers again.
    pub assistant_back: String,
    /// Nobody has written for a long time.
    pub closed_idle: String,
}

impl NoticesConfig {
    /// Language tag → key → text.
    #[must_use]
    pub fn by_key(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.languages.iter().map(|(language, texts)| (language.clone(), texts.by_key())).collect()
    }
}

impl NoticeTexts {
    fn by_key(&self) -> BTreeMap<String, String> {
        let texts = [
            &self.queued,
            &self.still_waiting,
            &self.reply_failed,
            &self.agent_joined,
            &self.assistant_back,
            &self.closed_idle,
        ];
        KEYS.iter().zip(texts).map(|(key, text)| ((*key).to_owned(), text.clone())).collect()
    }
}

/// The keys of a language's section, in the order of the fields of [`NoticeTexts`].
pub(super) const KEYS: [&str; 6] =
    ["queued", "still_waiting", "reply_failed", "agent_joined", "assistant_back", "closed_idle"];

pub(super) const RULES: &[Rule] = &[
    Rule::text("notices.default_language", "a language that has a section [notices.LANGUAGE]", is_tag),
    Rule::text("notices.*.queued", "1 to 500 characters", is_notice),
    Rule::text("notices.*.still_waiting", "1 to 500 characters", is_notice),
    Rule::text("notices.*.reply_failed", "1 to 500 characters", is_notice),
    Rule::text("notices.*.agent_joined", "1 to 500 characters", is_notice),
    Rule::text("notices.*.assistant_back", "1 to 500 characters", is_notice),
    Rule::text("notices.*.closed_idle", "1 to 500 characters", is_notice),
];

/// Whether the text is a language tag in lower case: `de`, `pt-br`.
pub(super) fn is_tag(text: &str) -> bool {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    is_lower && (2..=35).contains(&text.len()) && text.split('-').all(is_part)
}

fn is_notice(text: &str) -> bool {
    (1..=500).contains(&text.chars().count()) && !text.contains('\0')
}
