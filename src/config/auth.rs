//! Tokens: who issues them, how long they live, what signs them.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::rule::{Rule, is_short_text, is_some_text};

/// Section `[auth]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Claim `iss`.
    pub issuer: String,
    /// Claim `aud`.
    pub audience: String,
    /// Life of a customer's token, in seconds.
    pub customer_token_ttl_s: u64,
    /// Life of a token for staff, in seconds.
    pub staff_token_ttl_s: u64,
    /// Difference between clocks that is forgiven, in seconds; at most 60.
    pub leeway_s: u64,
    /// Keys as [`parse_keys`] reads them; none means that they are generated and kept in `keys_file`.
    pub signing_keys: Option<SecretString>,
    /// File of the generated keys; `keys.json` under the data folder when none is configured.
    pub keys_file: PathBuf,
    /// Keys of the company's sites, as [`parse_keys`] reads them; with them, sites say who their customer is.
    pub identity_keys: Option<SecretString>,
    /// Longest life that a site's token may have left, in seconds.
    pub identity_max_ttl_s: u64,
}

/// A key by its name (`kid`).
#[derive(Clone)]
pub struct NamedKey {
    /// Name, 1 to 64 letters, digits, `-`, `_` or `.`.
    pub id: String,
    /// Secret, at least 32 bytes.
    pub secret: Vec<u8>,
}

pub(super) const RULES: &[Rule] = &[
    Rule::text("auth.issuer", "1 to 200 characters", is_short_text),
    Rule::text("auth.audience", "1 to 200 characters", is_short_text),
    Rule::integer("auth.customer_token_ttl_s", 60, 34_560_000),
    Rule::integer("auth.staff_token_ttl_s", 60, 2_592_000),
    Rule::integer("auth.leeway_s", 0, 60),
    Rule::text("auth.signing_keys", KEY_LIST, is_key_list).optional().secret(),
    Rule::text("auth.keys_file", "a path", is_some_text).optional(),
    Rule::text("auth.identity_keys", KEY_LIST, is_key_list).optional().secret(),
    Rule::integer("auth.identity_max_ttl_s", 60, 2_592_000),
];

const KEY_LIST: &str =
    "name:secret, separated by commas or lines, different names, each secret 32 bytes or more in hexadecimal";

fn is_key_list(text: &str) -> bool {
    parse_keys(text).is_some()
}

/// Reads `name:hex,name:hex` (or one a line) in its order; `None` when a part of it is malformed or a name comes twice.
#[must_use]
pub fn parse_keys(text: &str) -> Option<Vec<NamedKey>> {
    let mut keys: Vec<NamedKey> = Vec::new();
    for part in text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
        let (id, secret) = part.split_once(':')?;
        let secret = decode_hex(secret)?;
        if !is_key_id(id) || secret.len() < 32 || keys.iter().any(|key| key.id == id) {
            return None;
        }
        keys.push(NamedKey { id: id.to_owned(), secret });
    }
    if keys.is_empty() { None } else { Some(keys) }
}

/// A key of a site that is one of ours by its name or its secret: whoever has it could then make tokens of ours.
#[must_use]
pub fn shared_key<'a>(ours: &[NamedKey], sites: &'a [NamedKey]) -> Option<&'a NamedKey> {
    sites.iter().find(|site| ours.iter().any(|own| own.id == site.id || own.secret == site.secret))
}

/// Whether the text may name a key.
#[must_use]
pub fn is_key_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Bytes of a hexadecimal text; `None` when it is not one.
#[must_use]
pub fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    if rest.is_empty() { Some(pairs.iter().map(|[high, low]| high << 4 | low).collect()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_keys_are_read_in_their_order() {
        let (new, old) = ("ab".repeat(32), "0F".repeat(40));
        let keys = parse_keys(&format!("new:{new},\n old:{old}\n")).unwrap();
        assert_eq!(keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["new", "old"]);
        assert_eq!(keys[0].secret, [0xab; 32]);
        assert_eq!(keys[1].secret, [0x0f; 40]);
    }

    #[test]
    fn malformed_signing_keys_are_refused() {
        let good = "ab".repeat(32);
        let lists = [
            String::new(),
            ",".to_owned(),
            good.clone(),
            format!(":{good}"),
            format!("a b:{good}"),
            format!("a:{}", "ab".repeat(31)),
            format!("a:{good}a"),
            format!("a:{}", "zz".repeat(32)),
            format!("a:{good},a:{good}"),
            format!("a:{good},b"),
        ];
        for list in lists {
            assert!(parse_keys(&list).is_none(), "{list}");
        }
    }
}
