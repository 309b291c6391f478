//! How a link is opened: one HTTP request and its answer (RFC 6455, section 4).
//!
//! ```text
//! GET /link                                 Sec-WebSocket-Protocol: onya-link.2, onya-link.1   Authorization: Bearer <proof>
//! 101 Switching Protocols                   Sec-WebSocket-Protocol: onya-link.1                Onya-Link-Proof: <proof>
//! ```
//!
//! The dialer's proof is for the start of the process that it wants to reach, and for a nonce; the answer's is for the
//! dialer, and for the same nonce. So each side knows that the other one holds the cluster's keys, and who it is.

use onya_core::Incarnation;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue};

use super::credentials::{CredentialError, Credentials, Nonce, Purpose};

/// Where a node takes links.
pub(super) const PATH: &str = "/link";
/// The header with the answer's proof.
pub(super) const PROOF: HeaderName = HeaderName::from_static("onya-link-proof");

const PROTOCOL: &str = "onya-link.";
const SCHEME: &str = "Bearer ";

/// What opens a link to a member.
pub(super) fn request(address: &str, proof: &str, versions: &[u16]) -> Result<Request, Error> {
    let mut request = format!("ws://{address}{PATH}").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("{SCHEME}{proof}"))?);
    let offered: Vec<String> = versions.iter().copied().map(protocol).collect();
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::try_from(offered.join(", "))?);
    Ok(request)
}

/// The proof in a request.
pub(super) fn proof(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix(SCHEME)
}

/// The newest version that both sides speak.
pub(super) fn common_version(headers: &HeaderMap, versions: &[u16]) -> Option<u16> {
    let offered: Vec<u16> = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(version)
        .collect();
    versions.iter().copied().filter(|version| offered.contains(version)).max()
}

/// The name of a version on the wire.
pub(super) fn protocol(version: u16) -> String {
    format!("{PROTOCOL}{version}")
}

fn version(protocol: &str) -> Option<u16> {
    protocol.trim().strip_prefix(PROTOCOL)?.parse().ok()
}

/// Checks that the answer is the one of this member to this nonce; the version that it chose.
pub(super) fn answered(
    response: &Response,
    credentials: &dyn Credentials,
    (member, nonce): (Incarnation, Nonce),
) -> Result<u16, CredentialError> {
    let headers = response.headers();
    let proof = headers.get(PROOF).and_then(|proof| proof.to_str().ok());
    let proven = credentials.check(Purpose::Answer, proof.unwrap_or_default())?;
    if proven.from != member {
        return Err(CredentialError("another process answered".to_owned()));
    }
    if proven.nonce.parse() != Ok(nonce) {
        return Err(CredentialError("the answer is to another question".to_owned()));
    }
    // That it is one of those offered has been checked with the rest of the answer.
    let chosen = headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|chosen| version(chosen.to_str().ok()?));
    chosen.ok_or_else(|| CredentialError("the answer names no version".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_newest_version_that_both_speak_is_chosen() {
        let table: &[(&[&str], &[u16], Option<u16>)] = &[
            (&["onya-link.1"], &[1], Some(1)),
            (&["onya-link.2, onya-link.1"], &[1], Some(1)),
            (&["onya-link.1"], &[2, 1], Some(1)),
            (&["onya-link.1,onya-link.2"], &[2, 1], Some(2)),
            (&["onya-link.1", "onya-link.2"], &[3, 2, 1], Some(2)),
            (&["onya-link.3, onya-link.2"], &[1], None),
            (&["onya-link.1"], &[3, 2], None),
            (&["chat, onya-link.1x, onya-link., onya-link.70000"], &[1], None),
            (&[], &[1], None),
        ];
        for (offered, versions, chosen) in table {
            assert_eq!(common_version(&offer(offered), versions), *chosen, "{offered:?} {versions:?}");
        }
    }

    #[test]
    fn a_request_offers_every_version_that_is_spoken() {
        let request = request("onya-1.onya:3002", "a.b.c", &[2, 1]).unwrap();
        assert_eq!(request.uri().to_string(), "ws://onya-1.onya:3002/link");
        assert_eq!(proof(request.headers()), Some("a.b.c"));
        assert_eq!(common_version(request.headers(), &[1]), Some(1));
        assert_eq!(common_version(request.headers(), &[2]), Some(2));
        for address in ["", "a b:1", "host:port\r\nOrigin: x"] {
            assert!(super::request(address, "a.b.c", &[1]).is_err(), "{address:?}");
        }
    }
}
