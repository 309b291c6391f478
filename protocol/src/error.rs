//! Every code a client can meet. Each has a page `docs/errors/<code>.md`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $retry:literal;)*) => {
        /// Why something is refused. The code is stable; the message beside it is for people and may change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as it is written on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// Whether the same command, with the same `client_msg_id`, may succeed later.
            #[must_use]
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$name => $retry),* }
            }
        }
    };
}

codes! {
    /// The frame or the request is malformed, or a field has a value that it cannot have.
    BadRequest = "bad_request", 400, false;
    /// None of the offered protocol versions is served.
    UnsupportedVersion = "unsupported_version", 400, false;
    /// The feature exists nowhere in this server, attachments for example.
    Unsupported = "unsupported", 400, false;
    /// The token is missing, forged, malformed or of another issuer.
    Unauthenticated = "unauthenticated", 401, false;
    /// The token was good and has expired: get a new one.
    TokenExpired = "token_expired", 401, false;
    /// The role, or the page the request comes from, may not do this.
    Forbidden = "forbidden", 403, false;
    /// There is no such conversation for this participant.
    NotFound = "not_found", 404, false;
    /// The message or frame is longer than allowed.
    TooLarge = "too_large", 413, false;
    /// The `client_msg_id` was used for another command.
    IdConflict = "id_conflict", 409, false;
    /// The command named in `after` is not stored: send that one first.
    OutOfOrder = "out_of_order", 409, true;
    /// Control is not what the sender has seen; the current version comes with the refusal.
    ControlChanged = "control_changed", 409, false;
    /// The conversation is closed.
    Closed = "closed", 409, false;
    /// There is nothing that the command could act on.
    NothingToDo = "nothing_to_do", 409, false;
    /// The customer is on legal hold: nothing of theirs is erased until it is lifted.
    OnHold = "on_hold", 409, false;
    /// The conversation has reached its length limit.
    Full = "full", 409, false;
    /// Too much at once, or storage cannot take more now: nothing was stored, send it again after `retry_after_ms`.
    Busy = "busy", 503, true;
    /// The outcome is not known: send it again with the same `client_msg_id` to find out.
    Unknown = "unknown", 504, true;
    /// A fault of the server.
    Internal = "internal", 500, true;
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the server closes a socket. 3000–3499: connect again; 3500–3999: final, the same attempt would fail again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The server shuts down; a `goaway` frame came before.
    Shutdown = 3000,
    /// The client reads too slowly: what it missed waits behind its cursor.
    SlowConsumer = 3001,
    /// The token expired: get a new one first.
    TokenExpired = 3002,
    /// A ping was not answered in time.
    NoPong = 3003,
    /// The server could not keep this socket's state: resume.
    InsufficientState = 3004,
    /// The first frame, with the token, did not come in time.
    HelloTimeout = 3005,
    /// The token is not good.
    BadToken = 3500,
    /// A frame that is no frame of the protocol.
    BadRequest = 3501,
    /// No access to this conversation or with this role.
    Forbidden = 3502,
    /// A frame over the size limit.
    Limit = 3503,
    /// No protocol version in common.
    UnsupportedVersion = 3504,
}

impl CloseCode {
    /// All codes.
    pub const ALL: &'static [Self] = &[
        Self::Shutdown,
        Self::SlowConsumer,
        Self::TokenExpired,
        Self::NoPong,
        Self::InsufficientState,
        Self::HelloTimeout,
        Self::BadToken,
        Self::BadRequest,
        Self::Forbidden,
        Self::Limit,
        Self::UnsupportedVersion,
    ];

    /// The reason that goes with the code in the close frame.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::SlowConsumer => "slow_consumer",
            Self::TokenExpired => "token_expired",
            Self::NoPong => "no_pong",
            Self::InsufficientState => "insufficient_state",
            Self::HelloTimeout => "hello_timeout",
            Self::BadToken => "bad_token",
            Self::BadRequest => "bad_request",
            Self::Forbidden => "forbidden",
            Self::Limit => "limit",
            Self::UnsupportedVersion => "unsupported_version",
        }
    }

    /// Whether a client should connect again.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        (self as u16) < 3500
    }
}
