//! Options and results of a run.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use sandbox_logcodec::Channel;
use thiserror::Error;

use crate::capture::Capture;
use crate::capture::Captured;
use crate::command::{Command, InputMode};
use crate::isolation::{Isolation, Level};
use crate::limits::OUTPUT_BYTES;
use crate::record::{Piece, Record};
use crate::resources::{Limits, Usage};
use crate::spawner::SpawnError;
use crate::terminal::PtySize;
use crate::termination::Termination;

/// Options of one run that differ from the engine's defaults.
#[derive(Debug, Clone, Default, Hash)]
pub struct RunOptions {
    /// The working directory; relative to the engine's, which is the default.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the engine's environment; later ones win.
    pub env: Vec<(String, String)>,
    /// The time limit, after which the run is ended with all its processes. None by default.
    pub timeout: Option<Duration>,
    /// Whether stdout and stderr share one pipe.
    pub output: OutputMode,
    /// The standard input; unless it is empty, it is written through the [`Command`](crate::Command) that
    /// [`Engine::start`](crate::Engine::start) returns.
    pub input: InputMode,
    /// The size of a new terminal to run on instead of pipes, as the leader of its own session. None by default.
    ///
    /// Its outputs are then merged, whatever [`output`](Self::output) says, and its input is typed: a character that interrupts
    /// (Ctrl-C) reaches the foreground job, even after input that no program reads. `TERM` is `xterm-256color` unless
    /// [`env`](Self::env) has another value, and `LANG` is `C.UTF-8` if no locale is chosen and the system has that one. When
    /// it ends the terminal is hung up: background processes are sent `HUP` as when a window is closed.
    pub terminal: Option<PtySize>,
    /// The isolation of the process. Default: the engine's, [none](crate::EngineBuilder::isolation) unless set: then the process
    /// has the rights of the engine.
    ///
    /// All its processes end with it, so that nothing remains in the background.
    pub isolation: Option<Isolation>,
    /// The limits of the run, besides the [engine's](crate::EngineBuilder::limits), which they may lower and not raise. None by
    /// default.
    pub limits: Limits,
}

impl RunOptions {
    /// Returns the effective output mode.
    pub fn output_mode(&self) -> OutputMode {
        match self.terminal {
            Some(_) => OutputMode::Merged,
            None => self.output,
        }
    }

    /// Returns how strongly a run with these options is isolated.
    pub fn level(&self) -> Level {
        Level::of(self.isolation.as_ref())
    }
}

/// How the two outputs of a run are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OutputMode {
    /// Through one pipe: the bytes are in the order in which they were written, and the outputs cannot be distinguished.
    #[default]
    Merged,
    /// Through one pipe each: the outputs are separate, and their relative order is the one in which they were read.
    Split,
}

/// The result of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// How the run's leader ended.
    pub termination: Termination,
    /// The output of the run.
    pub output: Output,
    /// How strongly the run was isolated.
    pub level: Level,
    /// What the run has used; `None` if that is not known.
    pub usage: Option<Usage>,
    /// The records of the run's artifact channel, in order; empty for commands.
    pub artifacts: Vec<Bytes>,
    /// The number of artifacts that exceeded [`ARTIFACT_BYTES`](crate::limits::ARTIFACT_BYTES).
    pub artifacts_dropped: usize,
}

/// The result of a run with its output in a record: for callers that forward it and need not hold all of it in memory.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// How the run's leader ended.
    pub termination: Termination,
    /// The output of the run. Complete: later output of its background children is dropped.
    pub record: Record,
    /// How the outputs were read.
    pub output: OutputMode,
    /// How strongly the run was isolated.
    pub level: Level,
    /// What the run has used, as [`Outcome::usage`].
    pub usage: Option<Usage>,
    /// The artifacts, as [`Outcome::artifacts`].
    pub artifacts: Vec<Bytes>,
    /// The number of dropped artifacts, as [`Outcome::artifacts_dropped`].
    pub artifacts_dropped: usize,
}

impl Recorded {
    /// Waits for the end of a command that was [started](crate::Engine::start) with this mode, and returns its result.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the command continues.
    pub async fn of(command: &Command, output: OutputMode) -> Self {
        Self {
            termination: command.ended().await,
            record: command.record().clone(),
            output,
            level: command.level(),
            usage: command.usage(),
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
            level: self.level,
            usage: self.usage,
            termination: self.termination,
            artifacts: self.artifacts,
            artifacts_dropped: self.artifacts_dropped,
        }
    }
}

/// The captured output of a run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Output {
    /// stdout and stderr merged.
    pub merged: Captured,
    /// stdout and stderr separately, for [`OutputMode::Split`].
    pub split: Option<[Captured; 2]>,
}

/// An error for a run without an outcome.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Nothing was started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The run was started, but the system did not allow it to be watched; it was ended.
    #[error("the run was lost")]
    Lost(#[source] io::Error),
}

impl Output {
    /// Reads a record up to the end of its command, within [`OUTPUT_BYTES`] for each output.
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
            // The totals show which channel the bytes in the gap belonged to.
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
