//! A control plane over daemons of this process, which are not isolated: for trying clients of the API.
//!
//! `cargo run -p sandbox-control --example daemons -- 127.0.0.1:3986 KEY`

use std::sync::Arc;

use sandbox_control::{Config, Server};
use tokio::signal::unix::{SignalKind, signal};

#[path = "../tests/it/daemons.rs"]
mod daemons;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: daemons ADDRESS KEY";
    let (Some(address), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err(usage.into());
    };
    let provider = daemons::Daemons::new();
    let config = Config::new(address.parse()?, key);
    let server = Server::bind(config, Arc::clone(&provider)).await?;
    // A program that starts this waits for the line.
    #[expect(clippy::print_stdout, reason = "it is a program")]
    {
        println!("http://{}/api", server.local_addr());
    }
    let mut terminated = signal(SignalKind::terminate())?;
    server
        .serve(async {
            // After either, the directories of the sandboxes are removed.
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
        })
        .await;
    Ok(())
}
