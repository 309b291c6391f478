//! What is promised of tokens: ours are accepted across restarts, and nothing else is, ever.

mod links;
mod sites;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jsonwebtoken::crypto::sign;
use jsonwebtoken::{Algorithm, EncodingKey};
use onya_core::{Incarnation, ParticipantId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::issuer::now_s;
use super::*;
use crate::config::{AuthConfig, Inputs, load};

const SECRET: [u8; 32] = [0xab; 32];

fn config(keys_file: &Path) -> AuthConfig {
    let mut config = load(&Inputs::default()).unwrap().config.auth;
    config.keys_file = keys_file.to_owned();
    config
}

fn configured() -> AuthConfig {
    let mut config = config(Path::new("unused"));
    config.signing_keys = Some(format!("now:{},before:{}", "ab".repeat(32), "cd".repeat(32)).into());
    config.identity_keys = Some(format!("shop:{}", "ee".repeat(32)).into());
    config
}

fn verifier() -> Verifier {
    let config = configured();
    Verifier::new(&KeySet::load_or_generate(&config).unwrap(), &config)
}

fn issuer() -> Issuer {
    let config = configured();
    Issuer::new(&KeySet::load_or_generate(&config).unwrap(), &config)
}

fn good_header() -> Value {
    json!({"alg": "HS256", "typ": "JWT", "kid": "now"})
}

fn good_claims() -> Value {
    let now = now_s();
    json!({
        "iss": "onya", "aud": "onya", "sub": Uuid::now_v7(), "role": "agent", "name": "Ada", "jti": "1",
        "iat": now, "nbf": now, "exp": now + 600,
    })
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0_u32, |word, (i, byte)| word | u32::from(*byte) << (16 - 8 * i));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(word >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

/// A token as an attacker with this secret would make it, header and claims taken as they are.
fn signed_with(header: &Value, claims: &Value, algorithm: Algorithm, secret: &[u8]) -> String {
    let message = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
    let signature = sign(message.as_bytes(), &EncodingKey::from_secret(secret), algorithm).unwrap();
    format!("{message}.{signature}")
}

fn signed(header: &Value, claims: &Value) -> String {
    signed_with(header, claims, Algorithm::HS256, &SECRET)
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    object[key] = value;
    object
}

fn without(mut object: Value, key: &str) -> Value {
    object.as_object_mut().unwrap().remove(key);
    object
}

#[test]
fn a_token_that_is_made_by_hand_as_ours_is_accepted() {
    let principal = verifier().verify(&signed(&good_header(), &good_claims())).unwrap();
    assert_eq!(principal.role, Role::Agent);
    assert_eq!(principal.display_name.as_deref(), Some("Ada"));
}

#[test]
fn what_is_issued_is_verified() {
    let (issuer, verifier) = (issuer(), verifier());
    let customer = issuer.anonymous_customer().unwrap();
    let principal = verifier.verify(&customer.token).unwrap();
    assert_eq!(principal.participant, customer.participant);
    assert_eq!((principal.role, principal.display_name), (Role::Customer, None));
    assert!((principal.expires_at_s - now_s()).abs_diff(30 * 24 * 3600) <= 5);
    assert_ne!(issuer.anonymous_customer().unwrap().participant, customer.participant);

    let ada = ParticipantId(Uuid::now_v7());
    for role in Role::ALL {
        let token = issuer.staff(ada, role, "Ada Lovelace").unwrap();
        let principal = verifier.verify(&token.token).unwrap();
        assert_eq!((principal.participant, principal.role), (ada, role));
        assert_eq!(principal.display_name.as_deref(), Some("Ada Lovelace"));
        assert!(token.token.len() < MAX_TOKEN_BYTES / 4);
    }
}

#[test]
fn a_key_is_rotated_without_ending_the_tokens_of_the_one_before() {
    let header = with(good_header(), "kid", json!("before"));
    let token = signed_with(&header, &good_claims(), Algorithm::HS256, &[0xcd; 32]);
    assert!(verifier().verify(&token).is_ok());
}

#[test]
fn a_name_that_breaks_other_texts_gets_no_token() {
    let ada = ParticipantId(Uuid::now_v7());
    for name in ["", "  ", "a\nb", "a\u{202e}b", "\u{1b}[31m", &"a".repeat(65)] {
        assert!(matches!(issuer().staff(ada, Role::Agent, name), Err(IssueError::Name(_))), "{name:?}");
    }
}

#[test]
fn expired_and_early_tokens_are_told_apart_with_little_leeway() {
    let now = now_s();
    let verify =
        |key: &str, time: u64| verifier().verify(&signed(&good_header(), &with(good_claims(), key, json!(time))));
    assert_eq!(verify("exp", now - 61).unwrap_err(), AuthError::Expired);
    assert!(verify("exp", now - 10).is_ok());
    assert_eq!(verify("nbf", now + 61).unwrap_err(), AuthError::NotYetValid);
    assert!(verify("nbf", now + 10).is_ok());
}

#[test]
fn an_expired_token_with_a_wrong_signature_is_forged_and_not_expired() {
    let claims = with(good_claims(), "exp", json!(now_s() - 3600));
    let token = signed_with(&good_header(), &claims, Algorithm::HS256, &[1; 32]);
    assert_eq!(verifier().verify(&token).unwrap_err(), AuthError::Forged);
}

fn forged_headers() -> Vec<(&'static str, String, AuthError)> {
    use AuthError::{Forged, Malformed, UnknownKey};
    let unsigned = |header: &Value| {
        let claims = good_claims().to_string();
        format!("{}.{}.", base64url(header.to_string().as_bytes()), base64url(claims.as_bytes()))
    };
    let none = |name: &str| unsigned(&with(good_header(), "alg", json!(name)));
    let header = |key: &str, value: Value| signed(&with(good_header(), key, value), &good_claims());
    let claimed = |alg: &str| header("alg", json!(alg));
    let oct = json!({"kty": "oct", "k": base64url(&[1; 32]), "alg": "HS256"});
    let own_key = |key: &str, value: Value| {
        signed_with(&with(good_header(), key, value), &good_claims(), Algorithm::HS256, &[1; 32])
    };
    let stronger = signed_with(&with(good_header(), "alg", json!("HS512")), &good_claims(), Algorithm::HS512, &SECRET);
    let other_key = with(good_header(), "kid", json!("before"));
    vec![
        ("alg none", none("none"), Malformed),
        ("alg None", none("None"), Malformed),
        ("alg NONE", none("NONE"), Malformed),
        ("alg empty", none(""), Malformed),
        ("no signature", unsigned(&good_header()), Forged),
        ("HS512 with the right secret", stronger, Forged),
        ("HS384 in the header only", claimed("HS384"), Forged),
        ("RS256", claimed("RS256"), Forged),
        ("ES256", claimed("ES256"), Forged),
        ("EdDSA", claimed("EdDSA"), Forged),
        ("no alg", signed(&without(good_header(), "alg"), &good_claims()), Malformed),
        ("no kid", signed(&without(good_header(), "kid"), &good_claims()), Malformed),
        ("unknown kid", header("kid", json!("later")), UnknownKey),
        ("kid as a path", header("kid", json!("../../dev/null")), UnknownKey),
        ("kid as a statement", header("kid", json!("x' UNION SELECT 'secret")), UnknownKey),
        ("empty kid", header("kid", json!("")), UnknownKey),
        ("kid as a number", header("kid", json!(1)), Malformed),
        ("another key's kid", signed(&other_key, &good_claims()), Forged),
        ("own secret", own_key("typ", json!("JWT")), Forged),
        ("own key in jwk", own_key("jwk", oct), Forged),
        ("own key at jku", own_key("jku", json!("http://127.0.0.1/keys")), Forged),
        ("own key at x5u", own_key("x5u", json!("http://127.0.0.1/cert")), Forged),
        ("own key in x5c", own_key("x5c", json!(["AAAA"])), Forged),
        ("critical extension", header("crit", json!(["exp"])), Malformed),
        ("compressed", header("zip", json!("DEF")), Malformed),
    ]
}

fn forged_claims() -> Vec<(&'static str, String, AuthError)> {
    use AuthError::{Expired, Malformed, NotYetValid};
    let claim = |key: &str, value: Value| signed(&good_header(), &with(good_claims(), key, value));
    let missing = |key: &str| signed(&good_header(), &without(good_claims(), key));
    vec![
        ("no exp", missing("exp"), Malformed),
        ("no nbf", missing("nbf"), Malformed),
        ("no iss", missing("iss"), Malformed),
        ("no aud", missing("aud"), Malformed),
        ("no sub", missing("sub"), Malformed),
        ("no role", missing("role"), Malformed),
        ("no jti", missing("jti"), Malformed),
        ("null exp", claim("exp", json!(null)), Malformed),
        ("wrong iss", claim("iss", json!("offya")), Malformed),
        ("iss as a list", claim("iss", json!(["onya", "offya"])), Malformed),
        ("wrong aud", claim("aud", json!("offya")), Malformed),
        ("aud as a list", claim("aud", json!(["onya", "offya"])), Malformed),
        ("aud in another case", claim("aud", json!("Onya")), Malformed),
        ("expired", claim("exp", json!(now_s() - 3600)), Expired),
        ("exp 0", claim("exp", json!(0)), Expired),
        ("not yet valid", claim("nbf", json!(now_s() + 3600)), NotYetValid),
        ("negative exp", claim("exp", json!(-1)), Malformed),
        ("exp beyond 64 bits", claim("exp", json!(1e30)), Malformed),
        ("exp as a text", claim("exp", json!("4102444800")), Malformed),
        ("sub is no uuid", claim("sub", json!("ada")), Malformed),
        ("empty sub", claim("sub", json!("")), Malformed),
        ("nil sub", claim("sub", json!(Uuid::nil())), Malformed),
        ("sub as a number", claim("sub", json!(7)), Malformed),
        ("unknown role", claim("role", json!("root")), Malformed),
        ("role in another case", claim("role", json!("Admin")), Malformed),
        ("two roles", claim("role", json!(["agent", "admin"])), Malformed),
        ("name with an escape", claim("name", json!("\u{1b}[2J")), Malformed),
        ("empty jti", claim("jti", json!("")), Malformed),
        ("claims are a list", signed(&good_header(), &json!([1, 2])), Malformed),
        ("claims are null", signed(&good_header(), &json!(null)), Malformed),
    ]
}

fn broken_texts() -> Vec<(&'static str, String, AuthError)> {
    use AuthError::{Forged, Malformed};
    let good = signed(&good_header(), &good_claims());
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let promoted = base64url(with(good_claims(), "role", json!("admin")).to_string().as_bytes());
    let mut flipped = signature.to_owned();
    flipped.replace_range(..1, if signature.starts_with('A') { "B" } else { "A" });
    vec![
        ("empty", String::new(), Malformed),
        ("garbage", "garbage".to_owned(), Malformed),
        ("dots", "..".to_owned(), Malformed),
        ("many dots", ".".repeat(4000), Malformed),
        ("not base64", format!("%%%.{claims}.{signature}"), Malformed),
        ("two parts", format!("{header}.{claims}"), Malformed),
        ("four parts", format!("{good}.{signature}"), Malformed),
        ("five parts", format!("{header}.{claims}.{signature}.{claims}.{signature}"), Malformed),
        ("padded", format!("{header}.{claims}.{signature}="), Malformed),
        ("a line end behind it", format!("{good}\n"), Malformed),
        ("a space before it", format!(" {good}"), Malformed),
        ("with its scheme", format!("Bearer {good}"), Malformed),
        ("claims replaced", format!("{header}.{promoted}.{signature}"), Forged),
        ("signature changed", format!("{header}.{claims}.{flipped}"), Forged),
        ("signature cut", format!("{header}.{claims}.{}", &signature[..20]), Forged),
        ("a megabyte", format!("{header}.{}.{signature}", "A".repeat(1_000_000)), Malformed),
        ("a megabyte of nothing", "A".repeat(1_000_000), Malformed),
        ("NUL", "\0\0.\0.\0".to_owned(), Malformed),
    ]
}

#[test]
fn only_a_visitor_is_given_another_token_for_the_old_one() {
    let (issuer, verifier) = (issuer(), verifier());
    let first = issuer.anonymous_customer().unwrap();
    let second = issuer.renew(&verifier.verify(&first.token).unwrap()).unwrap();
    assert_eq!(second.participant, first.participant);
    let third = issuer.renew(&verifier.verify(&second.token).unwrap()).unwrap();
    assert_eq!(verifier.verify(&third.token).unwrap().participant, first.participant);
    for role in Role::ALL {
        let grant = Grant { participant: first.participant, role, display_name: None, ttl_s: Some(90) };
        let principal = verifier.verify(&issuer.issue(grant).unwrap().token).unwrap();
        assert!(matches!(issuer.renew(&principal), Err(IssueError::NotRenewable)), "{role}");
    }
    let staff = verifier.verify(&signed(&good_header(), &with(good_claims(), "visitor", json!(true)))).unwrap();
    assert!(matches!(issuer.renew(&staff), Err(IssueError::NotRenewable)));
}

#[test]
fn no_forged_token_is_accepted() {
    let verifier = verifier();
    let forged = forged_headers().into_iter().chain(forged_claims()).chain(broken_texts());
    let table: Vec<_> = forged.chain(sites::forged()).collect();
    assert!(table.len() >= 100);
    let mut wrong = Vec::new();
    for (what, token, expected) in table {
        let outcome = verifier.verify(&token);
        if outcome.as_ref().err() != Some(&expected) {
            wrong.push(format!("{what}: expected {expected:?}, got {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_of_a_token_is_in_the_debug_text_of_its_principal() {
    let text = format!("{:?}", verifier().verify(&signed(&good_header(), &good_claims())).unwrap());
    assert!(!text.contains("Ada"), "{text}");
}

#[test]
fn a_generated_key_is_private_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("data").join("keys.json"));
    let token = Issuer::new(&KeySet::load_or_generate(&config).unwrap(), &config).anonymous_customer().unwrap();
    let mode = std::fs::metadata(&config.keys_file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = Verifier::new(&KeySet::load_or_generate(&config).unwrap(), &config);
    assert_eq!(again.verify(&token.token).unwrap().participant, token.participant);
    let files: Vec<_> = std::fs::read_dir(folder.path().join("data")).unwrap().collect();
    assert_eq!(files.len(), 1, "no draft is left behind: {files:?}");
}

#[test]
fn processes_that_start_together_end_with_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("keys.json"));
    let ids: Vec<String> = std::thread::scope(|scope| {
        let load = || KeySet::load_or_generate(&config).unwrap().signing().id.clone();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_broken_key_file_is_refused_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let short = r#"{"keys":[{"kid":"a","alg":"HS256","secret_hex":"abcd"}]}"#.to_owned();
    let other_algorithm = format!(r#"{{"keys":[{{"kid":"a","alg":"none","secret_hex":"{}"}}]}}"#, "ab".repeat(32));
    for text in [String::new(), "{}".to_owned(), r#"{"keys":[]}"#.to_owned(), short, other_algorithm] {
        std::fs::write(&path, &text).unwrap();
        assert!(matches!(KeySet::load_or_generate(&config(&path)), Err(KeysError::Malformed { .. })), "{text}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn another_deployments_tokens_are_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("keys.json"));
    let token = Issuer::new(&KeySet::load_or_generate(&config).unwrap(), &config).anonymous_customer().unwrap();
    assert_eq!(verifier().verify(&token.token).unwrap_err(), AuthError::UnknownKey);
}
