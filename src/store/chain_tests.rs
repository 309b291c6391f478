use super::*;

fn entry(body_commitment: &[u8]) -> Sealed<'_> {
    Sealed {
        conversation: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
        seq: 2,
        customer_prev: 1,
        customer_sees: true,
        at: 1_700_000_000_123,
        epoch: 3,
        kind: "message_said",
        participant: Some(Uuid::from_u128(7)),
        client_msg_id: Some("m-1"),
        commitment: Some(&[9; 16]),
        body_commitment,
    }
}

/// Stored links were made like this. If this fails, the code is wrong: never change the examples.
#[test]
fn the_form_of_commitments_and_links_is_frozen() {
    let body = body_commitment(&[1; 16], r#"{"type":"message_said"}"#);
    assert_eq!(hex(&body), "7048c984f8ee8e662dd5e118ea44cfd606b373a6657fd26e7252bc278dc84437");
    let first = entry(&body).link(&GENESIS);
    assert_eq!(hex(&first), "0b313cfef53452dd5884e2c4607508b5fa660d2215c8376f158a660778025102");
    let keyless = Sealed { participant: None, client_msg_id: None, commitment: None, seq: 3, ..entry(&body) };
    assert_eq!(hex(&keyless.link(&first)), "cf31511c49d96081012852f30842d875da1dfb78d7c3231ece31b8290c0c893b");
}

#[test]
fn every_part_of_an_entry_changes_its_link() {
    let body = body_commitment(&[1; 16], "{}");
    let other = body_commitment(&[2; 16], "{}");
    let entry = entry(&body);
    let changed = [
        Sealed { conversation: Uuid::from_u128(2), ..entry },
        Sealed { seq: 3, ..entry },
        Sealed { customer_prev: 0, ..entry },
        Sealed { customer_sees: false, ..entry },
        Sealed { at: 0, ..entry },
        Sealed { epoch: 4, ..entry },
        Sealed { kind: "message_saie", ..entry },
        Sealed { participant: None, ..entry },
        Sealed { participant: Some(Uuid::from_u128(8)), ..entry },
        Sealed { client_msg_id: None, ..entry },
        Sealed { client_msg_id: Some(""), ..entry },
        Sealed { commitment: None, ..entry },
        Sealed { commitment: Some(&[]), ..entry },
        Sealed { body_commitment: &other, ..entry },
        // The same bytes, cut elsewhere.
        Sealed { kind: "message_saidm", client_msg_id: Some("-1"), ..entry },
    ];
    let links: std::collections::BTreeSet<Hash> =
        changed.iter().chain([&entry]).map(|entry| entry.link(&GENESIS)).chain([entry.link(&[1; 32])]).collect();
    assert_eq!(links.len(), changed.len() + 2);
}

#[test]
fn digits_and_bytes_are_the_same() {
    assert_eq!(hex(&[0, 1, 0xab, 0xff]), "0001abff");
    assert_eq!(unhex("0001abFF"), Some([0, 1, 0xab, 0xff]));
    assert_eq!(unhex::<4>("0001abf"), None);
    assert_eq!(unhex::<4>("0001abfg"), None);
    assert_eq!(unhex::<4>("+001abff"), None);
}
