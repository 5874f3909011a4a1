//! Sandboxes of a control plane: `sandbox up`, or another one of Daytona's API.
//!
//! `sandbox up --detach && cargo run -p sandbox-process --example sandboxes`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::time::Duration;

use sandbox_process::Sandboxes;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(&Sandboxes::from_env()?).await
}

/// Works with any control plane.
pub(crate) async fn run(sandboxes: &Sandboxes) -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = sandboxes
        .create()
        .label("example", "sandboxes")
        .env("GREETING", "hello")
        .auto_stop(Duration::from_secs(15 * 60))
        .await?;
    println!("{} is {}", sandbox.name(), sandbox.state());

    sandbox.files().write("data.csv", "1,2\n3,4\n").await?;
    let outcome = sandbox
        .process()
        .exec("echo \"$GREETING\"; cut -d, -f2 data.csv")
        .await?;
    print!("{}", outcome.stdout_lossy());

    // Its processes end, and its files remain.
    sandbox.stop().await?;
    sandbox.start().await?;
    println!("{} bytes", sandbox.files().read("data.csv").await?.len());

    for found in sandboxes.list().label("example", "sandboxes").await? {
        println!("{} {}", found.name(), found.state());
        found.delete().await?;
    }
    Ok(())
}
