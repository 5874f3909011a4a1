//! Everything that the facade has, on every carrier.

mod blocking;
mod given_up;
mod interpreters;
mod sessions;
mod streams;
mod terminals;

use std::time::Duration;

use sandbox_tests::Sandbox;

/// A daemon in this process, one behind TCP with a token, and one behind TLS.
async fn carriers() -> [Sandbox; 3] {
    [
        Sandbox::embedded().await,
        Sandbox::tcp().await,
        Sandbox::tls().await,
    ]
}

/// Long for whatever a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);
