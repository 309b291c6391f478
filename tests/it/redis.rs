//! A Redis that one node does not need, and that is checked when it is given.

use reqwest::Method;

use crate::support::{Backend, NodeSettings, answer};

#[tokio::test]
async fn a_redis_that_is_given_is_a_part_with_a_version() {
    let Ok(url) = std::env::var("TEST_REDIS_URL") else {
        panic!("TEST_REDIS_URL is not set: run ./tests/run, which starts a private Redis");
    };
    let node = NodeSettings::new(Backend::Sqlite).await.with("REDIS_URL", url).start().await;
    let health = answer(node.request(Method::GET, "/health")).await.ok();
    let parts = health["components"].as_array().unwrap();
    let redis = parts.iter().find(|part| part["name"] == "redis").unwrap_or_else(|| panic!("no redis in {health}"));
    assert_eq!(redis["status"], "ok");
    let version = redis["detail"].as_str().and_then(|detail| detail.strip_prefix("redis ")).unwrap();
    let major: u32 = version.split('.').next().unwrap().parse().unwrap();
    assert!(major >= 7, "{redis}");
}

#[tokio::test]
async fn a_redis_that_does_not_answer_ends_the_start_with_one_line_without_its_password() {
    // Nothing listens on port 1 of a machine that runs tests.
    let settings = NodeSettings::new(Backend::Sqlite).await.with("REDIS_URL", "redis://onya:canary@127.0.0.1:1");
    let output = settings.run(&["serve"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "nothing was announced: {output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    let told: Vec<&str> = text.lines().filter(|line| line.starts_with("onya: ")).collect();
    assert!(told.len() == 1 && told[0].contains("redis.url"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}
