//! What clients of events send.

use serde_json::Value;

/// A message of a client, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Packet {
    /// The response to a ping.
    Pong,
    /// The client leaves.
    Leave,
    /// It connects to the one namespace that there is, with what it presents.
    Connect(Value),
    Other,
}

impl Packet {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "3" => Self::Pong,
            "1" | "41" => Self::Leave,
            // It presents an object; another namespace is none of ours.
            _ => match text.strip_prefix("40").map(serde_json::from_str) {
                Some(Ok(presented)) => Self::Connect(presented),
                _ => Self::Other,
            },
        }
    }
}
