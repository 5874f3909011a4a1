//! The facade against the daemon, on every carrier.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

/// Makes tests of a function, one for each way to a daemon, with its name: `on_every_transport!(a_terminal_is_killed)` makes
/// `a_terminal_is_killed::grpc` and so on.
macro_rules! on_every_transport {
    ($test:ident) => {
        on_every_transport!($test: embedded, http, https, grpc, grpcs);
    };
    ($test:ident: $($transport:ident),+) => {
        mod $test {
            $(
                #[tokio::test]
                async fn $transport() {
                    super::$test(on_every_transport!(@ $transport)).await;
                }
            )+
        }
    };
    (@ embedded) => { sandbox_tests::Sandbox::embedded().await };
    (@ http) => { sandbox_tests::Sandbox::tcp().await };
    (@ https) => { sandbox_tests::Sandbox::tls().await };
    (@ grpc) => { sandbox_tests::Sandbox::over(sandbox_tests::Carrier::GrpcTcp).await };
    (@ grpcs) => { sandbox_tests::Sandbox::grpc_tls().await };
}

mod charts;
mod code;
mod conformance;
mod errors;
mod examples;
mod exec;
mod facade;
mod recorded;
mod tls;
