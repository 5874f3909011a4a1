//! Everything that the facade has, on every carrier.

mod blocking;
mod drops;
mod given_up;
mod interpreters;
mod sessions;
mod streams;
mod terminals;

use std::time::Duration;

use sandbox_tests::{Carrier, Sandbox};

/// A daemon in this process, and others over TCP with a token and over TLS, by HTTP and by gRPC.
async fn carriers() -> [Sandbox; 5] {
    [
        Sandbox::embedded().await,
        Sandbox::tcp().await,
        Sandbox::tls().await,
        Sandbox::over(Carrier::GrpcTcp).await,
        Sandbox::grpc_tls().await,
    ]
}

/// Long for whatever a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);
