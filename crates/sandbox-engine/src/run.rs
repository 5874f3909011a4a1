//! What is asked of a run, and what it did.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use sandbox_logcodec::Channel;
use thiserror::Error;

use crate::capture::Capture;
use crate::capture::Captured;
use crate::command::{Command, InputMode};
use crate::limits::OUTPUT_BYTES;
use crate::record::{Piece, Record};
use crate::spawner::SpawnError;
use crate::terminal::PtySize;
use crate::termination::Termination;

/// How one run differs from the engine's defaults.
#[derive(Debug, Clone, Default, Hash)]
pub struct RunOptions {
    /// The working directory; relative to the engine's, which is the default.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the engine's environment; later ones win.
    pub env: Vec<(String, String)>,
    /// After this the run is ended with all its processes. None by default.
    pub timeout: Option<Duration>,
    /// Whether stdout and stderr share one pipe.
    pub output: OutputMode,
    /// What it reads; anything but nothing is given to the [`Command`](crate::Command) that
    /// [`Engine::start`](crate::Engine::start) returns.
    pub input: InputMode,
    /// Runs it on a new terminal of this size instead of pipes, as the leader of a session of its own. None by default.
    ///
    /// Its outputs are one then, whatever [`output`](Self::output) says, and its input is typed: a character that interrupts
    /// (Ctrl-C) reaches the foreground job, also behind input that no program reads. `TERM` is `xterm-256color` unless
    /// [`env`](Self::env) has another value, and `LANG` is `C.UTF-8` if no locale is chosen and the system has that one. When
    /// it ends the terminal is hung up: what it left in the background is sent `HUP` as when a window is closed.
    pub terminal: Option<PtySize>,
}

impl RunOptions {
    /// Returns how the outputs are read.
    pub(crate) fn output_mode(&self) -> OutputMode {
        match self.terminal {
            Some(_) => OutputMode::Merged,
            None => self.output,
        }
    }
}

/// How the two outputs of a run are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OutputMode {
    /// Through one pipe: their bytes are in the order in which they were written, and cannot be told apart.
    #[default]
    Merged,
    /// Through one pipe each: they are told apart, and the order between them is the one in which they were read.
    Split,
}

/// What a run did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// How its leader ended.
    pub termination: Termination,
    /// What it wrote.
    pub output: Output,
    /// What it showed on its artifact channel, in order; empty for commands.
    pub artifacts: Vec<Bytes>,
    /// Artifacts that were larger than [`ARTIFACT_BYTES`](crate::limits::ARTIFACT_BYTES) left room for.
    pub artifacts_dropped: usize,
}

/// What a run did, with its output where it was recorded: for whoever passes it on and need not have it in memory whole.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// How its leader ended.
    pub termination: Termination,
    /// What it wrote. Complete: what its background children write later is dropped.
    pub record: Record,
    /// How its outputs were read.
    pub output: OutputMode,
    /// As [`Outcome::artifacts`].
    pub artifacts: Vec<Bytes>,
    /// As [`Outcome::artifacts_dropped`].
    pub artifacts_dropped: usize,
}

impl Recorded {
    /// Waits for the end of a command that was [started](crate::Engine::start) with this mode, and returns what it has done.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the command runs on.
    pub async fn of(command: &Command, output: OutputMode) -> Self {
        Self {
            termination: command.ended().await,
            record: command.record().clone(),
            output,
            artifacts: Vec::new(),
            artifacts_dropped: 0,
        }
    }

    /// Reads the output into memory.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the outcome is lost.
    pub async fn collect(self) -> Outcome {
        Outcome {
            output: Output::of(&self.record, self.output).await,
            termination: self.termination,
            artifacts: self.artifacts,
            artifacts_dropped: self.artifacts_dropped,
        }
    }
}

/// What a run wrote.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Output {
    /// stdout and stderr together.
    pub merged: Captured,
    /// stdout and stderr apart, for [`OutputMode::Split`].
    pub split: Option<[Captured; 2]>,
}

/// Why a run has no outcome.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Nothing was started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It was started, and the system did not let it be watched; it was ended.
    #[error("the run was lost")]
    Lost(#[source] io::Error),
}

impl Output {
    /// What a record holds up to the end of its command, within [`OUTPUT_BYTES`] for each output.
    pub(crate) async fn of(record: &Record, mode: OutputMode) -> Self {
        let mut merged = Capture::new(OUTPUT_BYTES);
        let mut channels = [Capture::new(OUTPUT_BYTES), Capture::new(OUTPUT_BYTES)];
        let mut has_gap = false;
        let mut cursor = record.of_the_command();
        while let Some(piece) = cursor.next().await {
            match piece {
                Piece::Data { channel, bytes, .. } => {
                    merged.push(&bytes);
                    if mode == OutputMode::Split {
                        channels[usize::from(channel == Channel::Stderr)].push(&bytes);
                    }
                }
                Piece::Gap { length, .. } => {
                    merged.skip(length);
                    has_gap = true;
                    for capture in &mut channels {
                        capture.skip(0);
                    }
                }
            }
        }
        if has_gap {
            // Whose the bytes in the gap were is known from the sums.
            for (capture, channel) in channels.iter_mut().zip([Channel::Stdout, Channel::Stderr]) {
                capture.skip(
                    record
                        .channel_length(channel)
                        .saturating_sub(capture.total()),
                );
            }
        }
        Self {
            merged: merged.finish(),
            split: (mode == OutputMode::Split).then(|| channels.map(Capture::finish)),
        }
    }
}
