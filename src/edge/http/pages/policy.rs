//! What a page may do, and who may show it.

use axum::http::HeaderValue;

use crate::config::WebConfig;

/// Scripts, styles and connections of this server alone, and small images that a style brings along. A dialog that closes
/// itself is no form that is sent.
const OWN: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                   base-uri 'none'; form-action 'none'";

/// The policies of the pages that are served.
#[derive(Clone, Debug)]
pub struct Pages {
    /// A page that stands alone: nobody may show it inside another.
    pub(super) own: HeaderValue,
    /// The chat inside another page: only the configured sites, and this server itself, may show it.
    pub(super) embed: HeaderValue,
    /// The example, which shows the chat; none: it is not served.
    pub(super) example: Option<HeaderValue>,
}

impl Pages {
    /// As configured.
    #[must_use]
    pub fn new(config: &WebConfig) -> Self {
        let sites = config.frame_ancestors.iter().fold("'self'".to_owned(), |sites, site| sites + " " + site);
        Self {
            own: policy("frame-ancestors 'none'"),
            embed: policy(&format!("frame-ancestors {sites}")),
            example: config.example_page.then(|| policy("frame-src 'self'; frame-ancestors 'none'")),
        }
    }
}

/// The origins have been checked with the configuration; a text that is none would forbid everything.
fn policy(more: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("{OWN}; {more}")).unwrap_or(HeaderValue::from_static("sandbox; default-src 'none'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(frame_ancestors: &[&str], example_page: bool) -> Pages {
        let frame_ancestors = frame_ancestors.iter().map(|site| (*site).to_owned()).collect();
        Pages::new(&WebConfig { frame_ancestors, example_page })
    }

    #[test]
    fn the_chat_may_be_shown_by_the_listed_sites_and_a_page_of_its_own_by_nobody() {
        let alone = pages(&[], true);
        assert!(alone.embed.to_str().unwrap().ends_with("; frame-ancestors 'self'"), "{alone:?}");
        let listed = pages(&["https://www.example.com", "http://localhost:8080"], true);
        let sites = "; frame-ancestors 'self' https://www.example.com http://localhost:8080";
        assert!(listed.embed.to_str().unwrap().ends_with(sites), "{listed:?}");
        assert!(listed.own.to_str().unwrap().ends_with("; frame-ancestors 'none'"), "{listed:?}");
        assert!(pages(&[], false).example.is_none());
    }
}
