//! Which web pages may call. A browser says in `Origin` which page a request comes from, and no script can change that.

use axum::http::{HeaderMap, header};

/// The pages that may call, each exactly as a browser writes it.
#[derive(Clone, Debug)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Only these.
    #[must_use]
    pub fn only(origins: Vec<String>) -> Self {
        Self(origins)
    }

    /// Whether a request with these headers may come in. Programs send no `Origin`, and need none: nobody is let in by a
    /// cookie, so a page cannot borrow somebody's identity through them.
    #[must_use]
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).iter().all(|origin| self.0.iter().any(|allowed| allowed.as_bytes() == origin))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn allowed(sent: &[&'static [u8]]) -> bool {
        let mut headers = HeaderMap::new();
        for origin in sent {
            headers.append(header::ORIGIN, HeaderValue::from_bytes(origin).unwrap());
        }
        Origins::only(vec!["https://chat.example.com".to_owned(), "http://localhost:3000".to_owned()]).allow(&headers)
    }

    #[test]
    fn only_the_listed_origins_and_programs_are_let_in() {
        for good in [&b"https://chat.example.com"[..], b"http://localhost:3000"] {
            assert!(allowed(&[good]));
        }
        assert!(allowed(&[]));
        let bad: [&[u8]; 9] = [
            b"https://evil.example",
            b"null",
            b"",
            b"https://sub.chat.example.com",
            b"https://chat.example.com.evil.example",
            b"http://chat.example.com",
            b"https://chat.example.com:8443",
            b"http://localhost:3001",
            b"https://chat.example.com\xff",
        ];
        for bad in bad {
            assert!(!allowed(&[bad]), "{bad:?}");
        }
        assert!(!allowed(&[b"https://chat.example.com", b"https://evil.example"]));
    }
}
