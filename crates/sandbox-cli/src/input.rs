//! Texts from files and from standard input.

use std::io::{self, Read};
use std::path::Path;
use std::thread;

use tokio::sync::mpsc;

use crate::error::CliError;

/// The path that stands for standard input.
pub(crate) const STDIN: &str = "-";

/// The text of a file, or of standard input.
pub(crate) fn read(path: &Path) -> Result<String, CliError> {
    let bytes = if path == Path::new(STDIN) {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|source| CliError::Program {
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| CliError::NotText {
        path: path.to_owned(),
    })
}

/// Returns what `keep` makes of the pieces of standard input, as they come, up to the first that it makes nothing of. An error
/// is the last one.
///
/// They are read by a thread of its own, since reading a terminal or a file can only be waited for by a thread. It is not
/// joined: it reads until the program ends.
pub(crate) fn pieces<T: Send + 'static>(
    keep: impl Fn(io::Result<Vec<u8>>) -> Option<T> + Send + 'static,
) -> mpsc::Receiver<T> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = match stdin.read(&mut chunk) {
                Ok(0) => return,
                Ok(count) => Ok(chunk[..count].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let is_last = read.is_err();
            let is_taken = keep(read).is_some_and(|piece| sender.blocking_send(piece).is_ok());
            if is_last || !is_taken {
                return;
            }
        }
    });
    receiver
}

/// Pieces of input that wait to be sent.
const CHUNKS: usize = 16;

const CHUNK_BYTES: usize = 64 * 1024;
