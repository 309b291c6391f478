//! HTTP, as a program speaks it.

use std::sync::LazyLock;

use onya_core::{ConversationId, ParticipantId};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{PATIENCE, TestNode};

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body; ends the test if it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a success.
    pub fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.json()
    }

    /// The code of a failure, after a look at its form.
    pub fn code(&self) -> String {
        assert!(!self.status.is_success(), "{self:?}");
        let body = self.json();
        assert!(body["error"]["message"].is_string(), "{self:?}");
        body["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// Somebody who has just come: a token and a conversation.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub token: String,
    pub participant: ParticipantId,
    pub conversation: ConversationId,
}

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
});

impl TestNode {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        CLIENT.request(method, self.url(path))
    }

    /// What it shows to those who operate it: `/metrics` or `/members`.
    pub async fn shows(&self, url: String) -> Answer {
        answer(CLIENT.request(Method::GET, url)).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        answer(self.request(Method::GET, path).bearer_auth(token)).await
    }

    /// A command: `key` is its `Idempotency-Key`.
    pub async fn post(&self, path: &str, (token, key): (&str, &str), body: Value) -> Answer {
        let request = self.request(Method::POST, path).bearer_auth(token).header("idempotency-key", key);
        answer(request.json(&body)).await
    }

    /// A new visitor with an open conversation.
    pub async fn visitor(&self) -> Visitor {
        let token = answer(self.request(Method::POST, "/v1/tokens/anonymous")).await.ok();
        let text = token["token"].as_str().unwrap().to_owned();
        let opened = self.post("/v1/conversations", (&text, "unused"), json!({})).await.ok();
        assert_eq!(opened["created"], true);
        Visitor {
            participant: token["participant"].as_str().unwrap().parse().unwrap(),
            conversation: opened["id"].as_str().unwrap().parse().unwrap(),
            token: text,
        }
    }
}

/// Sends a request and reads the answer whole.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}
