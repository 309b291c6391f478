//! The embedded pages: what they are served with.

use reqwest::Method;

use crate::support::{Backend, TestNode, answer};

#[tokio::test]
async fn pages_may_only_load_from_this_server() {
    let node = TestNode::start(Backend::Sqlite).await;
    for page in ["/", "/desk", "/docs"] {
        let answer = answer(node.request(Method::GET, page)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        for asset in answer.text.split("\"/assets/").skip(1) {
            let name = asset.split('"').next().unwrap();
            let loaded = crate::support::answer(node.request(Method::GET, &format!("/assets/{name}"))).await;
            assert_eq!(loaded.status, 200, "{name}");
        }
    }
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let node = TestNode::start(Backend::Sqlite).await;
    let first = answer(node.request(Method::GET, "/assets/app.css")).await;
    assert_eq!(first.headers["content-type"], "text/css; charset=utf-8");
    let tag = first.headers["etag"].clone();
    let second = answer(node.request(Method::GET, "/assets/app.css").header("if-none-match", tag)).await;
    assert_eq!((second.status.as_u16(), second.text.as_str()), (304, ""));
    let other = answer(node.request(Method::GET, "/assets/app.css").header("if-none-match", "\"other\"")).await;
    assert_eq!(other.status, 200);
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
