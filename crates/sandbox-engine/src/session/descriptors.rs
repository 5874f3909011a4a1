//! The descriptors of a session's shell, and which of them its next command opens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::actor::Actor;
use super::channels::{CommandPipes, Target};
use crate::limits::KILL_WAIT;

impl Actor {
    /// Finds out which descriptors the shell still has as it was started with them.
    pub(super) async fn look_at_descriptors(&mut self) {
        for fd in 0..3 {
            let give_up = Instant::now() + KILL_WAIT;
            let mut looks = 0;
            let target = loop {
                match self.directory.target(self.pid, fd, self.control.path()) {
                    // The shell has written its report and is about to restore the descriptor, microseconds later.
                    Some(Target::Passing) if Instant::now() < give_up => {
                        tokio::task::yield_now().await;
                    }
                    // A descriptor that moves from one file to another is closed for a moment.
                    Some(Target::Closed) if looks < CLOSED_LOOKS => {
                        looks += 1;
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    target => break target,
                }
            };
            if let Some(target) = target {
                self.targets[fd] = target;
            }
        }
    }

    /// Returns what the next command opens its descriptors on; `None` leaves what an earlier command put there.
    pub(super) fn redirects(&self, pipes: &CommandPipes) -> [Option<PathBuf>; 3] {
        let stdin = match self.targets[0] {
            // Open on it already. Each redirection is text that a shell reads byte by byte.
            Target::Null if pipes.stdin == Path::new("/dev/null") => None,
            Target::Null | Target::Stdin => Some(&pipes.stdin),
            _ => None,
        };
        let output = |target, own| match target {
            // The file that the shell was started with.
            Target::Null if !self.has_opened => Some(own),
            Target::Stdout => Some(&pipes.stdout),
            Target::Stderr => Some(&pipes.stderr),
            _ => None,
        };
        [
            stdin,
            output(self.targets[1], &pipes.stdout),
            output(self.targets[2], &pipes.stderr),
        ]
        .map(|path| path.cloned())
    }
}

/// How often a closed descriptor is examined before it is considered closed to last.
const CLOSED_LOOKS: u32 = 3;
