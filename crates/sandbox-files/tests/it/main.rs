//! The operations, and what they do with what is not as it should be.

#![expect(clippy::unwrap_used, reason = "tests fail by panics")]

mod archive;
mod bad;
mod bounds;
mod confined;
mod listing;
mod operations;
mod replacing;
mod tree;
mod writing;

use std::path::Path;

use sandbox_files::{Error, Files, WriteOptions};

/// Writes a file.
async fn write(files: &Files, path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
    let mut writer = files.writer(path, WriteOptions::default()).await?;
    writer.write(bytes.to_vec().into()).await?;
    writer.finish().await.map(drop)
}

/// Reads a file.
async fn read(files: &Files, path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
    let mut reader = files.reader(path).await?;
    let mut whole = Vec::new();
    while let Some(bytes) = reader.next().await? {
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

/// Returns a runtime whose threads may do no more than any user, even if root runs the test.
fn as_any_user() -> tokio::runtime::Runtime {
    let give_up = || {
        use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
        let none = CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        };
        set_capabilities(None, none).unwrap();
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_time();
    runtime.on_thread_start(give_up).build().unwrap()
}

/// Says that a test could not do what it is for.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skip(why: &str) {
    eprintln!("skipped: {why}");
}
