//! What a key allows: the one description that the check, the error message and the reference are made from.

use std::net::IpAddr;

use axum::http::Uri;
use toml::Value;

/// A key and what may stand in it.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The key, in dotted form; a part `*` stands for any language tag.
    pub key: &'static str,
    /// What is allowed.
    pub allowed: Allowed,
    /// What of it may be shown.
    pub secrecy: Secrecy,
    /// Whether an empty text is allowed and means "not set".
    pub optional: bool,
}

/// What may stand in a key.
#[derive(Clone, Copy, Debug)]
pub enum Allowed {
    /// A whole number in a range, both ends included.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A number in a range, both ends included.
    Float {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// Yes or no.
    Boolean,
    /// One of a few words.
    OneOf(&'static [&'static str]),
    /// A text of some form.
    Text {
        /// The form, in words.
        form: &'static str,
        /// Whether a text has it.
        check: fn(&str) -> bool,
    },
    /// A list of texts of some form.
    List {
        /// The form, in words.
        form: &'static str,
        /// Whether one text of the list has it.
        check: fn(&str) -> bool,
    },
}

/// What of a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// All of it.
    Public,
    /// A URL without its password.
    UrlPassword,
    /// Nothing.
    Secret,
}

impl Rule {
    pub(super) const fn integer(key: &'static str, min: i64, max: i64) -> Self {
        Self::new(key, Allowed::Integer { min, max })
    }

    pub(super) const fn float(key: &'static str, min: f64, max: f64) -> Self {
        Self::new(key, Allowed::Float { min, max })
    }

    pub(super) const fn boolean(key: &'static str) -> Self {
        Self::new(key, Allowed::Boolean)
    }

    pub(super) const fn one_of(key: &'static str, words: &'static [&'static str]) -> Self {
        Self::new(key, Allowed::OneOf(words))
    }

    pub(super) const fn text(key: &'static str, form: &'static str, check: fn(&str) -> bool) -> Self {
        Self::new(key, Allowed::Text { form, check })
    }

    pub(super) const fn list(key: &'static str, form: &'static str, check: fn(&str) -> bool) -> Self {
        Self::new(key, Allowed::List { form, check })
    }

    const fn new(key: &'static str, allowed: Allowed) -> Self {
        Self { key, allowed, secrecy: Secrecy::Public, optional: false }
    }

    pub(super) const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secrecy = Secrecy::Secret;
        self
    }

    pub(super) const fn url_secret(mut self) -> Self {
        self.secrecy = Secrecy::UrlPassword;
        self
    }

    /// Whether this rule is about the key.
    pub(super) fn covers(&self, key: &str) -> bool {
        let mut own = self.key.split('.');
        let mut other = key.split('.');
        loop {
            match (own.next(), other.next()) {
                (None, None) => return true,
                (Some("*"), Some(tag)) if super::notices::is_tag(tag) => {}
                (Some(left), Some(right)) if left == right => {}
                _ => return false,
            }
        }
    }

    /// The value in the form that the structs expect, or `None` when it is not allowed.
    pub(super) fn accept(&self, value: &Value) -> Option<Value> {
        if self.optional && value.as_str() == Some("") {
            return Some(value.clone());
        }
        let fits = match (self.allowed, value) {
            (Allowed::Integer { min, max }, Value::Integer(number)) => (min..=max).contains(number),
            (Allowed::Float { min, max }, Value::Float(number)) => (min..=max).contains(number),
            (Allowed::Float { .. }, Value::Integer(number)) => {
                let number = i32::try_from(*number).ok()?;
                return self.accept(&Value::Float(number.into()));
            }
            (Allowed::Boolean, Value::Boolean(_)) => true,
            (Allowed::OneOf(words), Value::String(word)) => words.contains(&word.as_str()),
            (Allowed::Text { check, .. }, Value::String(text)) => check(text),
            (Allowed::List { check, .. }, Value::Array(items)) => {
                items.iter().all(|item| item.as_str().is_some_and(check))
            }
            _ => false,
        };
        fits.then(|| value.clone())
    }

    /// The value that a text from the environment or a flag stands for, or `None` when it is not allowed.
    pub(super) fn parse(&self, text: &str) -> Option<Value> {
        let value = match self.allowed {
            Allowed::Integer { .. } => Value::Integer(text.trim().parse().ok()?),
            Allowed::Float { .. } => Value::Float(text.trim().parse().ok()?),
            Allowed::Boolean => Value::Boolean(text.trim().parse().ok()?),
            Allowed::OneOf(_) => Value::String(text.trim().to_owned()),
            Allowed::Text { .. } => Value::String(text.to_owned()),
            Allowed::List { .. } => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
            }
        };
        self.accept(&value)
    }

    /// What is allowed, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let text = match self.allowed {
            Allowed::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Allowed::Float { min, max } => format!("a number from {min:?} to {max:?}"),
            Allowed::Boolean => "true or false".to_owned(),
            Allowed::OneOf(words) => words.join(" or "),
            Allowed::Text { form, .. } | Allowed::List { form, .. } => form.to_owned(),
        };
        if self.optional { format!("{text}; or empty") } else { text }
    }

    /// The value as it may be shown.
    pub(super) fn show(&self, value: &Value) -> String {
        match (self.secrecy, value.as_str()) {
            (_, Some("")) | (Secrecy::Public, _) => value.to_string(),
            (Secrecy::UrlPassword, Some(url)) => Value::String(mask_password(url)).to_string(),
            _ => "\"***\"".to_owned(),
        }
    }
}

/// Replaces what could be a password in a URL: everything between the first `:` after the scheme and the last `@`,
/// and the parameters, where drivers accept passwords too.
fn mask_password(url: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, ""), |(base, _)| (base, "?***"));
    let Some((scheme, rest)) = base.split_once("://") else {
        return format!("{base}{query}");
    };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{host}{query}")
        }
        None => format!("{base}{query}"),
    }
}

pub(super) fn is_ip_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

pub(super) fn is_http_url(text: &str) -> bool {
    let is_http = text.starts_with("http://") || text.starts_with("https://");
    is_http && text.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()))
}

pub(super) fn is_some_text(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains('\0')
}

pub(super) fn is_short_text(text: &str) -> bool {
    is_some_text(text) && text.chars().count() <= 200
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_masked_even_with_odd_characters() {
        assert_eq!(mask_password("postgres://onya:p@ss:w/rd@db:5432/onya"), "postgres://onya:***@db:5432/onya");
        assert_eq!(mask_password("postgres://db/onya?password=hunter2"), "postgres://db/onya?***");
        assert_eq!(mask_password("redis://:secret@cache"), "redis://:***@cache");
        assert_eq!(mask_password("sqlite://data/onya.db"), "sqlite://data/onya.db");
    }

    #[test]
    fn a_whole_number_is_accepted_where_a_number_is_expected() {
        let rule = Rule::float("trace.sampling_rate", 0.0, 1.0);
        assert_eq!(rule.accept(&Value::Integer(1)), Some(Value::Float(1.0)));
        assert_eq!(rule.accept(&Value::Integer(2)), None);
        assert_eq!(rule.parse("nan"), None);
        assert_eq!(rule.parse("0.25"), Some(Value::Float(0.25)));
    }

    #[test]
    fn a_star_stands_for_a_language_and_for_nothing_else() {
        let rule = Rule::text("notices.*.queued", "text", is_some_text);
        assert!(rule.covers("notices.pt-br.queued"));
        assert!(!rule.covers("notices.queued"));
        assert!(!rule.covers("notices.German!.queued"));
        assert!(!rule.covers("notices.de.queued.more"));
    }
}
