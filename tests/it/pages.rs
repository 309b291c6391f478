//! The pages: what is served, in which coding, and what they and others may do with it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::support::{Backend, NodeSettings, TestNode, answer};

const PAGES: [&str; 5] = ["/", "/embed", "/example", "/desk", "/docs"];
const FOREVER: &str = "public, max-age=31536000, immutable";

/// An answer, its body as it came over the wire.
struct Raw {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

async fn fetch(node: &TestNode, path: &str, asked: &[(&str, &str)]) -> Raw {
    fetch_by(Method::GET, node, path, asked).await
}

async fn fetch_by(method: Method, node: &TestNode, path: &str, asked: &[(&str, &str)]) -> Raw {
    let request = asked.iter().fold(node.request(method, path), |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Raw { status, headers, body: response.bytes().await.unwrap() }
}

impl Raw {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What an independent implementation makes of a compressed body.
fn decoded(coding: &str, body: &[u8]) -> Vec<u8> {
    let function = if coding == "br" { "brotliDecompressSync" } else { "gunzipSync" };
    let script = format!("process.stdout.write(require('zlib').{function}(require('fs').readFileSync(0)))");
    let mut node = Command::new("node");
    let mut node = node.args(["-e", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    node.stdin.take().unwrap().write_all(body).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "{coding} cannot be decoded");
    output.stdout
}

fn built() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web/dist")
}

/// The files that the build of the app has left, by their address; compressed forms and the manifest are none of them.
fn app_files() -> Vec<(String, PathBuf)> {
    let listed = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
    };
    let files: Vec<PathBuf> = listed(&built()).into_iter().chain(listed(&built().join("assets"))).collect();
    let is_served = |path: &PathBuf| !matches!(path.extension().unwrap().to_str().unwrap(), "br" | "gz" | "json");
    let address = |path: &PathBuf| match path.strip_prefix(built()).unwrap().to_str().unwrap() {
        "index.html" => "/".to_owned(),
        page if page.ends_with(".html") => format!("/{}", page.trim_end_matches(".html")),
        other => format!("/{other}"),
    };
    files.into_iter().filter(is_served).map(|path| (address(&path), path)).collect()
}

/// The addresses that a page loads from.
fn references(html: &str) -> BTreeSet<String> {
    let attributes = html.split("src=\"").skip(1).chain(html.split("href=\"").skip(1));
    attributes.map(|rest| rest.split('"').next().unwrap().to_owned()).filter(|url| url.starts_with('/')).collect()
}

#[tokio::test]
async fn pages_may_only_load_from_this_server() {
    let node = TestNode::start(Backend::Sqlite).await;
    for page in PAGES {
        let answer = fetch(&node, page, &[]).await;
        assert_eq!(answer.status, 200, "{page}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-cache");
        let policy = answer.header("content-security-policy");
        let expected = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                        base-uri 'none'; form-action 'none'; ";
        assert!(policy.starts_with(expected) && !policy.contains("unsafe"), "{page}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
}

#[tokio::test]
async fn whatever_a_page_loads_is_there() {
    let node = TestNode::start(Backend::Sqlite).await;
    for page in PAGES {
        let html = String::from_utf8(fetch(&node, page, &[]).await.body.to_vec()).unwrap();
        let loaded = references(&html);
        assert!(!loaded.is_empty(), "{page} loads nothing");
        for address in loaded {
            let answer = fetch(&node, &address, &[]).await;
            assert_eq!(answer.status, 200, "{page}: {address}");
            assert_ne!(answer.header("content-type"), "application/octet-stream", "{address}");
        }
    }
}

#[tokio::test]
async fn the_app_is_served_as_it_is_built_in_the_coding_that_is_asked_for() {
    let node = TestNode::start(Backend::Sqlite).await;
    let files = app_files();
    assert!(files.len() >= 6, "{files:?}");
    for (address, path) in files {
        let content = std::fs::read(&path).unwrap();
        let cache = if address.starts_with("/assets/") { FOREVER } else { "no-cache" };
        let mut tags = BTreeSet::new();
        for (asked, coding) in [("", ""), ("gzip", "gzip"), ("gzip, br", "br"), ("br;q=0.1, gzip;q=0.2", "gzip")] {
            let answer = fetch(&node, &address, &[("accept-encoding", asked)]).await;
            assert_eq!(answer.status, 200, "{address}");
            assert_eq!(answer.header("vary"), "accept-encoding");
            assert_eq!(answer.header("cache-control"), cache, "{address}");
            let is_small = answer.header("content-encoding").is_empty() && !coding.is_empty();
            assert!(!is_small || content.len() < 1024, "{address} is not there as {coding}");
            if !is_small {
                assert_eq!(answer.header("content-encoding"), coding, "{address}");
            }
            let compressed = !coding.is_empty() && !is_small;
            let plain = if compressed { decoded(coding, &answer.body) } else { answer.body.to_vec() };
            assert!(plain == content, "{address} as {coding:?} is something else");
            assert!(!compressed || answer.body.len() < content.len(), "{address} as {coding} is not smaller");
            tags.insert((answer.header("content-encoding").to_owned(), answer.header("etag").to_owned()));
        }
        let (codings, distinct): (BTreeSet<_>, BTreeSet<_>) = tags.iter().cloned().unzip();
        assert_eq!(codings.len(), distinct.len(), "{address}: codings share a tag: {tags:?}");
    }
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let node = TestNode::start(Backend::Sqlite).await;
    let assets = app_files().into_iter().map(|(address, _)| address).find(|address| address.ends_with(".js"));
    for address in ["/", "/embed", "/widget.js", "/pages/app.css", &assets.unwrap()] {
        for coding in ["identity", "gzip", "br"] {
            let first = fetch(&node, address, &[("accept-encoding", coding)]).await;
            let tag = first.header("etag");
            assert!(tag.len() > 10, "{address}: {tag}");
            for seen in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
                let asked = [("accept-encoding", coding), ("if-none-match", seen.as_str())];
                let second = fetch(&node, address, &asked).await;
                assert_eq!((second.status, second.body.len()), (304, 0), "{address}: {seen}");
                for kept in ["etag", "cache-control", "vary", "content-security-policy"] {
                    assert_eq!(second.header(kept), first.header(kept), "{address}: {kept}");
                }
            }
            let asked = [("accept-encoding", coding), ("if-none-match", "\"other\"")];
            assert_eq!(fetch(&node, address, &asked).await.status, 200);
            let head = fetch_by(Method::HEAD, &node, address, &[("accept-encoding", coding)]).await;
            assert_eq!((head.status, head.body.len()), (200, 0));
            assert_eq!(head.header("content-length"), first.body.len().to_string(), "{address}");
            assert_eq!(head.header("etag"), tag);
        }
    }
}

#[tokio::test]
async fn nothing_but_the_listed_files_is_served() {
    let node = TestNode::start(Backend::Sqlite).await;
    let asset = app_files().into_iter().map(|(address, _)| address).find(|address| address.starts_with("/assets/"));
    let compressed = format!("{}.br", asset.unwrap());
    let nowhere = [
        "/index.html",
        "/embed.html",
        "/manifest.json",
        "/widget.js.gz",
        "/assets/",
        "/assets/..%2fmanifest.json",
        "/assets/..%2findex.html",
        "/assets/%2e%2e%2fwidget.js",
        "/assets/..%5cwidget.js",
        "/assets/none-00000000.js",
        "/assets/app.css",
        "/pages/desk.html",
        "/pages/package.json",
        "/pages/test",
        "/pages/test%2foutbox.test.js",
        "/pages/..%2fdist%2fwidget.js",
        "/pages/%00.js",
        &compressed,
    ];
    for path in nowhere {
        let answer = answer(node.request(Method::GET, path)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn only_the_listed_sites_may_show_the_chat_in_a_frame() {
    let settings = NodeSettings::new(Backend::Sqlite).await;
    let sites = "https://www.example.com, http://localhost:8080";
    for (settings, expected) in [
        (settings.clone(), "frame-ancestors 'self'"),
        (
            settings.with("ONYA_WEB__FRAME_ANCESTORS", sites),
            "frame-ancestors 'self' https://www.example.com http://localhost:8080",
        ),
    ] {
        let node = settings.start().await;
        let embed = fetch(&node, "/embed", &[]).await;
        assert!(embed.header("content-security-policy").ends_with(&format!("; {expected}")), "{:?}", embed.headers);
        assert!(!embed.headers.contains_key("x-frame-options"), "would forbid what the policy allows");
        for page in PAGES.into_iter().filter(|page| *page != "/embed") {
            let answer = fetch(&node, page, &[]).await;
            assert!(answer.header("content-security-policy").ends_with("; frame-ancestors 'none'"), "{page}");
            assert_eq!(answer.header("x-frame-options"), "DENY", "{page}");
        }
    }
}

#[tokio::test]
async fn other_sites_may_load_the_widget_and_nothing_else() {
    let node = TestNode::start(Backend::Sqlite).await;
    let widget = fetch(&node, "/widget.js", &[("origin", "https://www.example.com")]).await;
    assert_eq!(widget.status, 200);
    assert_eq!(widget.header("cross-origin-resource-policy"), "cross-origin");
    assert_eq!(widget.header("content-type"), "text/javascript; charset=utf-8");
    for address in ["/", "/embed", "/example.js", "/pages/app.css", "/health/live"] {
        let answer = fetch(&node, address, &[]).await;
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{address}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{address}");
    }
}

#[tokio::test]
async fn the_example_is_not_served_where_it_is_turned_off() {
    let node = NodeSettings::new(Backend::Sqlite).await.with("ONYA_WEB__EXAMPLE_PAGE", false).start().await;
    for path in ["/example", "/example.js"] {
        assert_eq!(answer(node.request(Method::GET, path)).await.code(), "not_found", "{path}");
    }
    assert_eq!(fetch(&node, "/embed", &[]).await.status, 200);
}

#[tokio::test]
async fn the_description_lists_what_is_served() {
    let node = TestNode::start(Backend::Sqlite).await;
    let api = answer(node.request(Method::GET, "/openapi.json")).await.ok();
    assert_eq!(api["info"]["version"], env!("CARGO_PKG_VERSION"));
    for (path, operations) in api["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "01a2050c-d2df-7140-974e-9fffdbfd33dc");
        for method in operations.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let status = answer(node.request(method.clone(), &path)).await.status.as_u16();
            assert!(![404, 405].contains(&status), "{method} {path}: {status}");
        }
    }
}
