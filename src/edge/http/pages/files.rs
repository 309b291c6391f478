//! From a name to an answer: the file in the coding that the client wants, or word that it has it already.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::coding::{Coding, accepted};
use crate::edge::error::Failure;

/// Asked for again each time, answered 304 while it is the same: a new version shows at the next reload.
pub(super) const REVALIDATE: &str = "no-cache";

/// The customer's app, as it is built: each file beside its compressed forms.
#[derive(RustEmbed)]
#[folder = "web/dist/"]
pub(super) struct App;

/// The desk and the description of the API.
#[derive(RustEmbed)]
#[folder = "web/embedded/"]
pub(super) struct StaffPages;

/// How a file is handed over.
pub(super) struct Delivery {
    /// How long a browser may keep it.
    pub(super) cache: &'static str,
    /// What it may do; none: nothing, as for all data.
    pub(super) policy: Option<HeaderValue>,
}

/// The file of this name, in the best coding that there is.
pub(super) fn deliver<F: RustEmbed>(name: &str, asked: &HeaderMap, delivery: Delivery) -> Response {
    let found = accepted(asked)
        .into_iter()
        .find_map(|coding| F::get(&format!("{name}{}", coding.suffix())).map(|file| (coding, file)));
    let Some((coding, file)) = found else { return Failure::no_such_route().into_response() };
    let tag = tag(&file);
    let headers = headers(&tag, delivery);
    if asked.get_all(header::IF_NONE_MATCH).iter().any(|seen| is_seen(seen, &tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let mut response = (headers, [(header::CONTENT_TYPE, content_type(name))], bytes(file)).into_response();
    if coding != Coding::Identity {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    }
    response
}

fn headers(tag: &str, delivery: Delivery) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(delivery.cache));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.extend(HeaderValue::from_str(tag).ok().map(|tag| (header::ETAG, tag)));
    headers.extend(delivery.policy.map(|policy| (header::CONTENT_SECURITY_POLICY, policy)));
    headers
}

/// Each coding of a file has a tag of its own.
fn tag(file: &EmbeddedFile) -> String {
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hash}\"")
}

/// RFC 9110, section 13.1.2: a list, compared without regard to the mark of weakness, which proxies add.
fn is_seen(seen: &HeaderValue, tag: &str) -> bool {
    let seen = seen.to_str().unwrap_or_default();
    seen.split(',').map(str::trim).any(|seen| seen == "*" || seen.strip_prefix("W/").unwrap_or(seen) == tag)
}

fn bytes(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    }
}

fn content_type(name: &str) -> &'static str {
    match extension(name) {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// What stands behind the last dot of a name.
pub(super) fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(file: Option<EmbeddedFile>) -> String {
        String::from_utf8(file.unwrap().data.into_owned()).unwrap()
    }

    fn pages() -> Vec<(String, String)> {
        let app = App::iter().map(|name| (name.to_string(), App::get(&name)));
        let staff = StaffPages::iter().map(|name| (name.to_string(), StaffPages::get(&name)));
        app.chain(staff).filter(|(name, _)| extension(name) == "html").map(|(name, file)| (name, text(file))).collect()
    }

    #[test]
    fn no_page_holds_a_script_or_a_style_of_its_own() {
        let pages = pages();
        assert!(pages.len() >= 5, "{:?}", pages.iter().map(|(name, _)| name).collect::<Vec<_>>());
        for (page, html) in pages {
            let html = html.to_ascii_lowercase();
            for tag in html.split("<script").skip(1) {
                let (attributes, rest) = tag.split_once('>').unwrap();
                assert!(attributes.contains("src=\"/"), "{page}: {attributes}");
                assert!(rest.trim_start().starts_with("</script>"), "{page}: a script in the page");
            }
            assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains("javascript:"), "{page}");
            let handlers = html.split_whitespace().filter(|word| word.starts_with("on") && word.contains("=\""));
            assert_eq!(handlers.count(), 0, "{page}");
            assert!(!html.contains("src=\"http") && !html.contains("href=\"http"), "{page} loads from elsewhere");
        }
    }

    #[test]
    fn a_tag_is_recognised_in_a_list_and_with_the_mark_of_weakness() {
        let tag = "\"abc\"";
        for seen in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "\"x\",W/\"abc\"", "*"] {
            assert!(is_seen(&HeaderValue::from_static(seen), tag), "{seen}");
        }
        for seen in ["", "abc", "\"ab\"", "\"abcd\"", "w/\"abc\""] {
            assert!(!is_seen(&HeaderValue::from_static(seen), tag), "{seen}");
        }
    }
}
