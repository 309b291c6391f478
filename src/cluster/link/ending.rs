//! How a link ends.

use onya_actors::ports::LinkLost;
use tokio_tungstenite::tungstenite::Error;

/// Why frames are carried no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ending {
    /// This side closed it.
    #[error("closed")]
    Closed,
    /// The other side closed it.
    #[error("closed by the other side")]
    ClosedByPeer,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] Box<Error>),
    /// Nothing was heard for too long.
    #[error("nothing was heard for too long")]
    Silent,
    /// The other side did not read for too long.
    #[error("the other side does not read")]
    NotReading,
    /// Something came that is no frame of the version agreed on.
    #[error("something came that is no frame: {0}")]
    Malformed(String),
    /// A message came that is longer than any may be.
    #[error("a message came that is too long")]
    TooLong,
    /// A frame cannot be sent.
    #[error("a frame cannot be sent: {0}")]
    Unsendable(String),
    /// The same process has opened another link.
    #[error("replaced by another link of the same process")]
    Replaced,
}

impl Ending {
    /// Its name in metrics.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::ClosedByPeer => "closed_by_peer",
            Self::Broken(_) => "broken",
            Self::Silent => "silent",
            Self::NotReading => "not_reading",
            Self::Malformed(_) => "malformed",
            Self::TooLong => "too_long",
            Self::Unsendable(_) => "unsendable",
            Self::Replaced => "replaced",
        }
    }

    /// Whether a release or a node is at fault, and not the network.
    pub(super) const fn is_fault(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::TooLong | Self::Unsendable(_))
    }
}

impl From<Error> for Ending {
    fn from(error: Error) -> Self {
        match error {
            Error::Capacity(_) => Self::TooLong,
            Error::ConnectionClosed | Error::AlreadyClosed => Self::ClosedByPeer,
            Error::Utf8(_) => Self::Malformed("a text is not UTF-8".to_owned()),
            Error::Protocol(error) if !is_gone(&error) => Self::Malformed(error.to_string()),
            error => Self::Broken(Box::new(error)),
        }
    }
}

/// The stream ended without a word, or is written to after the other side's last word.
const fn is_gone(error: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError::{ResetWithoutClosingHandshake, SendAfterClosing};
    matches!(error, ResetWithoutClosingHandshake | SendAfterClosing)
}

impl From<&Ending> for LinkLost {
    fn from(ending: &Ending) -> Self {
        match ending {
            Ending::Closed => Self::Closed,
            ending => Self::Broken(ending.to_string()),
        }
    }
}
