//! Where the access token comes from.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A token, or why there is none.
pub type TokenFuture<'a> =
    Pin<Box<dyn Future<Output = Result<String, Box<dyn StdError + Send + Sync>>> + Send + 'a>>;

/// Gives access tokens when they are needed.
///
/// It is asked before the first request, and again when the daemon answers 401 to the token it gave; one call at a time,
/// whose answer serves all requests that wait for it. The wait counts toward the operation's deadline. What it fails with
/// is the source of an error of kind [`Unauthorized`](crate::ErrorKind::Unauthorized), and nothing was sent.
pub trait TokenProvider: fmt::Debug + Send + Sync {
    /// A token that should be good now.
    fn token(&self) -> TokenFuture<'_>;
}
