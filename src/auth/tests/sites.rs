//! What is promised of a site's tokens: they name a customer, for a while, and nobody else.

use super::*;

/// Of the key that a site signs with.
const SITE_SECRET: [u8; 32] = [0xee; 32];

fn site_header() -> Value {
    json!({"alg": "HS256", "typ": "JWT", "kid": "shop"})
}

fn site_claims() -> Value {
    json!({"aud": "onya", "sub": "customer-1042", "exp": now_s() + 600})
}

fn signed_by_site(claims: &Value) -> String {
    signed_with(&site_header(), claims, Algorithm::HS256, &SITE_SECRET)
}

pub(super) fn forged() -> Vec<(&'static str, String, AuthError)> {
    use AuthError::{Expired, Forged, LivesTooLong, Malformed, NotYetValid};
    let claim = |key: &str, value: Value| signed_by_site(&with(site_claims(), key, value));
    let missing = |key: &str| signed_by_site(&without(site_claims(), key));
    let header = |key: &str, value: Value, secret: &[u8]| {
        signed_with(&with(site_header(), key, value), &site_claims(), Algorithm::HS256, secret)
    };
    let message =
        signed_with(&with(site_header(), "alg", json!("none")), &site_claims(), Algorithm::HS256, &SITE_SECRET);
    let unsigned = format!("{}.", message.rsplit_once('.').unwrap().0);
    let staff = signed_with(&good_header(), &good_claims(), Algorithm::HS256, &SITE_SECRET);
    vec![
        ("a site's secret under a kid of ours", staff, Forged),
        (
            "a secret of ours under a site's kid",
            signed_with(&site_header(), &site_claims(), Algorithm::HS256, &SECRET),
            Forged,
        ),
        ("a site's token with alg none", unsigned, Malformed),
        ("a site's token with HS512", header("alg", json!("HS512"), &SITE_SECRET), Forged),
        ("a site's own jku", header("jku", json!("http://127.0.0.1/keys"), &[1; 32]), Forged),
        ("a site's critical extension", header("crit", json!(["exp"]), &SITE_SECRET), Malformed),
        ("a site's token without exp", missing("exp"), Malformed),
        ("a site's token without aud", missing("aud"), Malformed),
        ("a site's token without sub", missing("sub"), Malformed),
        ("a site's null exp", claim("exp", json!(null)), Malformed),
        ("a site's exp as a text", claim("exp", json!("4102444800")), Malformed),
        ("a site's token that has ended", claim("exp", json!(now_s() - 3600)), Expired),
        ("a site's token that begins later", claim("nbf", json!(now_s() + 3600)), NotYetValid),
        ("a site's token for a year", claim("exp", json!(now_s() + 365 * 86_400)), LivesTooLong),
        ("a site's token for a day and some minutes", claim("exp", json!(now_s() + 86_400 + 300)), LivesTooLong),
        ("a site's token for ever", claim("exp", json!(u64::MAX)), LivesTooLong),
        ("a site's token for somebody else", claim("aud", json!("offya")), Malformed),
        ("a site's token for several", claim("aud", json!(["onya", "offya"])), Malformed),
        ("an empty customer", claim("sub", json!("")), Malformed),
        ("a customer of 201 characters", claim("sub", json!("ä".repeat(201))), Malformed),
        ("a customer as a number", claim("sub", json!(1042)), Malformed),
        ("a customer as null", claim("sub", json!(null)), Malformed),
        ("a customer with a line end", claim("sub", json!("a\nb")), Malformed),
        ("a customer with NUL", claim("sub", json!("a\u{0}b")), Malformed),
        ("a customer with an escape", claim("sub", json!("\u{1b}[2J")), Malformed),
        ("a customer with a control of C1", claim("sub", json!("a\u{85}b")), Malformed),
        ("a name that turns the line around", claim("name", json!("a\u{202e}b")), Malformed),
        ("a name of 65 characters", claim("name", json!("a".repeat(65))), Malformed),
        ("a name as a number", claim("name", json!(7)), Malformed),
    ]
}

#[test]
fn a_site_may_say_who_its_customer_is() {
    let verify = |claims: &Value| verifier().verify(&signed_by_site(claims)).unwrap();
    let claims = site_claims();
    let known = verify(&claims);
    assert_eq!((known.role, known.source, known.display_name.as_deref()), (Role::Customer, TokenSource::Site, None));
    assert_eq!(known.expires_at_s, claims["exp"]);
    let named = verify(&with(site_claims(), "name", json!("Zoë")));
    assert_eq!((named.participant, named.display_name.as_deref()), (known.participant, Some("Zoë")));
    assert_ne!(verify(&with(site_claims(), "sub", json!("customer-1043"))).participant, known.participant);
    for longest in ["x".repeat(200), "ä".repeat(200), "a b/c@d.example:5#6'\"".to_owned()] {
        verify(&with(site_claims(), "sub", json!(longest)));
    }
    verify(&with(site_claims(), "exp", json!(now_s() + 86_400)));
}

#[test]
fn whom_a_site_names_is_a_customer_whatever_the_token_claims() {
    let agent = Uuid::now_v7();
    let claims = json!({
        "iss": "onya", "aud": "onya", "sub": agent.to_string(), "role": "admin", "visitor": true, "jti": "1",
        "participant": agent, "iat": now_s(), "nbf": now_s(), "exp": now_s() + 600,
    });
    let principal = verifier().verify(&signed_by_site(&claims)).unwrap();
    assert_eq!((principal.role, principal.source), (Role::Customer, TokenSource::Site));
    assert_ne!(principal.participant, ParticipantId(agent), "nobody takes the place of another participant");
    assert!(matches!(issuer().renew(&principal), Err(IssueError::NotRenewable)));
}

#[test]
fn a_site_must_not_hold_a_key_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder.path().join("keys.json"));
    let own = KeySet::load_or_generate(&config).unwrap().signing().clone();
    let hex: String = own.secret.iter().map(|byte| format!("{byte:02x}")).collect();
    for shared in [format!("{}:{}", own.id, "ee".repeat(32)), format!("shop:{hex}")] {
        config.identity_keys = Some(shared.into());
        assert!(matches!(KeySet::load_or_generate(&config), Err(KeysError::Shared { .. })));
    }
    config.identity_keys = Some(format!("shop:{}", "ee".repeat(32)).into());
    assert_eq!(KeySet::load_or_generate(&config).unwrap().identity().count(), 1);
}
