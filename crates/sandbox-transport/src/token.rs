//! Access tokens and their providers.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderValue;
use tokio::sync::Mutex;

use crate::{Delivery, Error, ErrorKind};

/// A future that resolves to a token, or to the reason why there is none.
pub type TokenFuture<'a> =
    Pin<Box<dyn Future<Output = Result<String, Box<dyn StdError + Send + Sync>>> + Send + 'a>>;

/// A provider of access tokens.
///
/// It is called before the first request, and again when the daemon responds with 401 to the token it returned; one
/// call at a time, whose result serves all requests that wait for it. The wait counts toward the operation's deadline.
/// Its error becomes the source of an error of kind [`Unauthorized`](crate::ErrorKind::Unauthorized), and nothing is
/// sent.
pub trait TokenProvider: fmt::Debug + Send + Sync {
    /// Returns a token that is currently valid.
    fn token(&self) -> TokenFuture<'_>;
}

/// The tokens of a transport.
pub(crate) enum Tokens {
    None,
    Fixed(Presented),
    Provided {
        provider: Arc<dyn TokenProvider>,
        /// Locked while the provider is called.
        current: Mutex<Option<Presented>>,
    },
}

/// A token in the form of a request header.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Presented {
    pub(crate) header: HeaderValue,
}

impl Tokens {
    pub(crate) fn new(
        fixed: Option<&str>,
        provider: Option<Arc<dyn TokenProvider>>,
    ) -> Result<Self, Error> {
        Ok(match (provider, fixed) {
            (Some(provider), _) => Self::Provided {
                provider,
                current: Mutex::new(None),
            },
            (None, Some(token)) => Self::Fixed(Presented::new(token)?),
            (None, None) => Self::None,
        })
    }

    /// Returns the token to send, if there is one.
    pub(crate) async fn get(&self) -> Result<Option<Presented>, Error> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(token) => Ok(Some(token.clone())),
            Self::Provided { provider, current } => {
                // Locked across the call of the provider, so that one call serves all requests that
                // wait. If this future is dropped, the next one calls again.
                let mut current = current.lock().await;
                match &*current {
                    Some(token) => Ok(Some(token.clone())),
                    None => Ok(Some(current.insert(ask(&**provider).await?).clone())),
                }
            }
        }
    }

    /// Returns a token that replaces `refused`, or `None` if there is no other.
    pub(crate) async fn renew(
        &self,
        refused: Option<Presented>,
    ) -> Result<Option<Presented>, Error> {
        let Self::Provided { provider, current } = self else {
            return Ok(None);
        };
        let mut current = current.lock().await;
        // Another request may already have replaced the token.
        if *current == refused {
            // First: if the provider fails, or this future is dropped, the refused token is not
            // sent again.
            *current = None;
            *current = Some(ask(&**provider).await?);
        }
        Ok(current
            .clone()
            // A provider that returns the refused token again has no better one: sending it twice
            // would not help.
            .filter(|fresh| Some(fresh) != refused.as_ref()))
    }
}

async fn ask(provider: &dyn TokenProvider) -> Result<Presented, Error> {
    let token = provider.token().await.map_err(|error| {
        let message = "there is no access token";
        Error::new(ErrorKind::Unauthorized, Delivery::NotSent, message).with_source(error)
    })?;
    Presented::new(&token)
}

impl Presented {
    fn new(token: &str) -> Result<Self, Error> {
        let header = format!("Bearer {}", token.trim());
        let mut header = HeaderValue::try_from(header).map_err(|_| {
            let message = "the access token has characters that a header cannot carry";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
        })?;
        // Not shown by `Debug`, and not put into HPACK's dynamic table.
        header.set_sensitive(true);
        Ok(Self { header })
    }
}
