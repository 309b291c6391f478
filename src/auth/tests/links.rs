//! What is promised of the proofs that nodes show each other: whoever has no key of ours makes none, and no proof is good
//! for anything but the one link that it was made for.

use super::*;

fn me() -> Incarnation {
    Incarnation(Uuid::from_u128(1))
}

fn other() -> Incarnation {
    Incarnation(Uuid::from_u128(2))
}

fn proofs_of(incarnation: Incarnation) -> LinkProofs {
    let config = configured();
    LinkProofs::new(&KeySet::load_or_generate(&config).unwrap(), &config, incarnation)
}

/// What the other node would show this one.
fn good_proof() -> Value {
    let now = now_s();
    json!({
        "iss": other(), "aud": me(), "purpose": "link_dial", "nonce": "n-1",
        "iat": now, "nbf": now, "exp": now + 30,
    })
}

fn check(proof: &str) -> Result<LinkProof, AuthError> {
    proofs_of(me()).check(LinkPurpose::LinkDial, proof)
}

#[test]
fn a_proof_says_who_made_it_and_for_which_nonce() {
    for purpose in [LinkPurpose::LinkDial, LinkPurpose::LinkAnswer] {
        let proof = proofs_of(other()).make(purpose, me(), "n-1").unwrap();
        let expected = LinkProof { from: other(), nonce: "n-1".into() };
        assert_eq!(proofs_of(me()).check(purpose, &proof), Ok(expected));
    }
    assert_eq!(check(&signed(&good_header(), &good_proof())).unwrap().from, other());
}

fn forged_proofs() -> Vec<(&'static str, String, AuthError)> {
    use AuthError::{Expired, Forged, Malformed, NotYetValid, UnknownKey};
    let claim = |key: &str, value: Value| signed(&good_header(), &with(good_proof(), key, value));
    let missing = |key: &str| signed(&good_header(), &without(good_proof(), key));
    let header = |key: &str, value: Value, secret: &[u8]| {
        signed_with(&with(good_header(), key, value), &good_proof(), Algorithm::HS256, secret)
    };
    let now = now_s();
    let unsigned = signed(&with(good_header(), "alg", json!("none")), &good_proof());
    let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    let other_config = {
        let mut config = configured();
        config.signing_keys = Some(format!("now:{}", "99".repeat(32)).into());
        config
    };
    let stranger = LinkProofs::new(&KeySet::load_or_generate(&other_config).unwrap(), &other_config, other());
    let made = |purpose, audience| proofs_of(other()).make(purpose, audience, "n-1").unwrap();
    vec![
        ("nothing", String::new(), Malformed),
        ("garbage", "garbage".to_owned(), Malformed),
        ("a megabyte", "A".repeat(1_000_000), Malformed),
        ("of another cluster", stranger.make(LinkPurpose::LinkDial, me(), "n-1").unwrap(), Forged),
        ("unknown kid", header("kid", json!("later"), &SECRET), UnknownKey),
        ("no kid", signed(&without(good_header(), "kid"), &good_proof()), Malformed),
        ("another key's kid", header("kid", json!("before"), &SECRET), Forged),
        ("a site's key", header("kid", json!("shop"), &[0xee; 32]), UnknownKey),
        ("a site's key under a kid of ours", header("kid", json!("now"), &[0xee; 32]), Forged),
        ("alg none", unsigned, Malformed),
        ("critical extension", header("crit", json!(["exp"]), &SECRET), Malformed),
        ("for another process", made(LinkPurpose::LinkDial, Incarnation(Uuid::from_u128(3))), Malformed),
        ("an answer", made(LinkPurpose::LinkAnswer, me()), Malformed),
        ("for several processes", claim("aud", json!([me(), other()])), Malformed),
        ("no audience", missing("aud"), Malformed),
        ("for whom tokens are", claim("aud", json!("onya")), Malformed),
        ("no issuer", missing("iss"), Malformed),
        ("of the tokens' issuer", claim("iss", json!("onya")), Malformed),
        ("no purpose", missing("purpose"), Malformed),
        ("another purpose", claim("purpose", json!("link")), Malformed),
        ("no nonce", missing("nonce"), Malformed),
        ("an empty nonce", claim("nonce", json!("")), Malformed),
        ("a long nonce", claim("nonce", json!("a".repeat(65))), Malformed),
        ("a nonce as a number", claim("nonce", json!(1)), Malformed),
        ("no end", missing("exp"), Malformed),
        ("no begin", missing("nbf"), Malformed),
        ("ended", claim("exp", json!(now - 31)), Expired),
        ("ended long ago", claim("exp", json!(now - 3600)), Expired),
        ("begins later", claim("nbf", json!(now + 3600)), NotYetValid),
        ("good for an hour", claim("exp", json!(now + 3600)), Malformed),
        ("good for ever", claim("exp", json!(u64::MAX)), Malformed),
    ]
}

#[test]
fn no_forged_proof_is_accepted() {
    let mut wrong = Vec::new();
    for (what, proof, expected) in forged_proofs() {
        let outcome = check(&proof);
        if outcome.as_ref().err() != Some(&expected) {
            wrong.push(format!("{what}: expected {expected:?}, got {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_token_is_a_proof() {
    let issuer = issuer();
    let somebody = ParticipantId(me().0);
    let mut tokens = vec![issuer.anonymous_customer().unwrap().token];
    tokens.extend(Role::ALL.map(|role| issuer.staff(somebody, role, "Ada").unwrap().token));
    // Even if its audience and issuer were those of processes.
    tokens.push(signed(&good_header(), &with(with(good_claims(), "aud", json!(me())), "iss", json!(other()))));
    for token in tokens {
        for purpose in [LinkPurpose::LinkDial, LinkPurpose::LinkAnswer] {
            assert_eq!(proofs_of(me()).check(purpose, &token), Err(AuthError::Malformed));
        }
    }
}

#[test]
fn no_proof_is_a_token() {
    for purpose in [LinkPurpose::LinkDial, LinkPurpose::LinkAnswer] {
        let proof = proofs_of(other()).make(purpose, me(), "n-1").unwrap();
        assert_eq!(verifier().verify(&proof).unwrap_err(), AuthError::Malformed);
    }
    // Even if issuer and audience were named like processes.
    let mut config = configured();
    (config.issuer, config.audience) = (other().to_string(), me().to_string());
    let verifier = Verifier::new(&KeySet::load_or_generate(&config).unwrap(), &config);
    assert_eq!(verifier.verify(&signed(&good_header(), &good_proof())).unwrap_err(), AuthError::Malformed);
}

#[test]
fn keys_are_rotated_in_two_steps_without_a_moment_in_which_a_proof_is_refused() {
    let (old, new) = ("ab".repeat(32), "cd".repeat(32));
    let steps =
        [format!("old:{old}"), format!("old:{old},new:{new}"), format!("new:{new},old:{old}"), format!("new:{new}")];
    let node = |keys: &str, incarnation| {
        let mut config = configured();
        config.signing_keys = Some(keys.to_owned().into());
        LinkProofs::new(&KeySet::load_or_generate(&config).unwrap(), &config, incarnation)
    };
    for pair in steps.windows(2) {
        for (from, to) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
            let proof = node(from, other()).make(LinkPurpose::LinkDial, me(), "n-1").unwrap();
            assert!(node(to, me()).check(LinkPurpose::LinkDial, &proof).is_ok(), "from {from} to {to}");
        }
    }
    let proof = node(&steps[2], other()).make(LinkPurpose::LinkDial, me(), "n-1").unwrap();
    let outcome = node(&steps[0], me()).check(LinkPurpose::LinkDial, &proof);
    assert_eq!(outcome, Err(AuthError::UnknownKey), "a step was left out");
}
