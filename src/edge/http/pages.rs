//! The embedded pages and what they load. No script stands in a page, so that the policy can forbid it everywhere.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::edge::error::Failure;

/// Scripts, styles and connections of this server alone. A dialog that closes itself is no form that is sent.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Asked for again each time, answered 304 while it is the same: a new version shows at the next reload.
const REVALIDATE: &str = "no-cache";

#[derive(RustEmbed)]
#[folder = "web/embedded/"]
struct Files;

pub(in crate::edge) async fn customer(headers: HeaderMap) -> Response {
    file("index.html", &headers)
}

pub(in crate::edge) async fn desk(headers: HeaderMap) -> Response {
    file("desk.html", &headers)
}

pub(in crate::edge) async fn docs(headers: HeaderMap) -> Response {
    file("docs.html", &headers)
}

/// What pages load. A page itself has its own address, and tests are no assets.
pub(in crate::edge) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let is_asset = matches!(extension(&name), "css" | "js" | "svg") && !name.contains('/');
    if is_asset { file(&name, &headers) } else { Failure::no_such_route().into_response() }
}

fn file(name: &str, asked: &HeaderMap) -> Response {
    let Some(file) = Files::get(name) else { return Failure::no_such_route().into_response() };
    let tag = tag(&file);
    let seen = asked.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == tag.as_bytes());
    let headers = [
        (header::ETAG, HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))),
        (header::CACHE_CONTROL, HeaderValue::from_static(REVALIDATE)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY)),
    ];
    if seen {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let body = match file.data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
    };
    (headers, [(header::CONTENT_TYPE, content_type(name))], body).into_response()
}

fn tag(file: &EmbeddedFile) -> String {
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hash}\"")
}

fn content_type(name: &str) -> &'static str {
    match extension(name) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> String {
        String::from_utf8(Files::get(name).unwrap().data.into_owned()).unwrap()
    }

    #[test]
    fn no_page_holds_a_script_or_a_style_of_its_own() {
        let pages: Vec<_> = Files::iter().filter(|name| extension(name) == "html").collect();
        assert!(pages.len() >= 3, "{pages:?}");
        for page in pages {
            let html = text(&page).to_ascii_lowercase();
            for tag in html.split("<script").skip(1) {
                let (attributes, rest) = tag.split_once('>').unwrap();
                assert!(attributes.contains("src=\"/assets/"), "{page}: {attributes}");
                assert!(rest.trim_start().starts_with("</script>"), "{page}: a script in the page");
            }
            assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains("javascript:"), "{page}");
            let handlers = html.split_whitespace().filter(|word| word.starts_with("on") && word.contains("=\""));
            assert_eq!(handlers.count(), 0, "{page}");
            assert!(!html.contains("http://") && !html.contains("https://"), "{page} loads from elsewhere");
        }
    }

    #[test]
    fn what_a_page_loads_is_there() {
        for page in ["index.html", "desk.html", "docs.html"] {
            for loaded in text(page).split("\"/assets/").skip(1) {
                let name = loaded.split('"').next().unwrap();
                assert!(Files::get(name).is_some(), "{page}: {name}");
            }
        }
    }
}
