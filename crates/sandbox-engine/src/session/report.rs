//! The reports of a session's shell, and the terminal over which it sends them.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::unix::pipe;
use uuid::Uuid;

use super::channels::Directory;
use crate::limits::SESSION_REPORT_BYTES;
use crate::sys::{Terminal, Transfer, transfer};

/// The progress of a shell with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The shell could not open the command's descriptors.
    Broken,
    /// The shell evaluates the text.
    Begun,
    /// The shell has reached the end of the text.
    Within,
    /// The shell has left the evaluation, at the end of the text or before it.
    Ended,
    /// The `DEBUG` trap is a function, and has been set aside (zsh).
    Function,
    /// Nothing of the command is left in the shell.
    Idle,
    /// The shell executes what it reads.
    Alive,
}

/// One report of a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) stage: Stage,
    /// The state of the shell, as far as the stage reports it.
    pub(crate) ended: Ended,
}

/// What a command left in the shell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) status: u8,
    /// Whether the shell traces (`set -x`), according to `$-`.
    pub(crate) traces: bool,
    /// Whether the shell echoes what it reads (`set -v`).
    pub(crate) echoes: bool,
    /// Whether a failure ends the shell (`set -e`).
    pub(crate) exits: bool,
    /// The statuses of the last pipeline's parts; empty where the shell has no array of them.
    pub(crate) statuses: Vec<u8>,
    /// The last argument of the last command (`$_`), in bash; cut after 1,024 characters.
    pub(crate) last_argument: Option<String>,
    /// The command that sets the `DEBUG` trap.
    pub(crate) debug_trap: Option<String>,
    /// Whether the shell did not reach the end of the text.
    pub(crate) is_cut: bool,
}

impl Stage {
    const ALL: [Self; 7] = [
        Self::Broken,
        Self::Begun,
        Self::Within,
        Self::Ended,
        Self::Function,
        Self::Idle,
        Self::Alive,
    ];

    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Begun => "begun",
            Self::Within => "within",
            Self::Ended => "ended",
            Self::Function => "function",
            Self::Idle => "idle",
            Self::Alive => "alive",
        }
    }
}

impl Ended {
    /// Returns the statuses of the last pipeline's parts.
    pub(crate) fn pipeline(&self) -> Vec<u8> {
        match &*self.statuses {
            [] => vec![self.status],
            statuses => statuses.to_vec(),
        }
    }
}

impl Report {
    /// Parses `STAGE,STATUS,FLAGS`, optionally followed by `,STATUSES` or `,STATUSES,:,ARGUMENT`.
    fn parse(frame: &[u8]) -> Option<Self> {
        let frame = String::from_utf8_lossy(frame);
        let mut fields = frame.splitn(4, ',');
        let name = fields.next()?;
        let stage = Stage::ALL
            .into_iter()
            .find(|stage| stage.letter() == name)?;
        let status = fields.next()?.parse().ok()?;
        let flags = fields.next()?;
        let rest = fields.next().unwrap_or_default();
        let (statuses, argument) = match rest.split_once(",:,") {
            Some((statuses, argument)) => (statuses, Some(argument.to_owned())),
            None => (rest, None),
        };
        // The separator is the first character of IFS.
        let statuses = statuses
            .split(|character: char| !character.is_ascii_digit())
            .filter_map(|status| status.parse().ok())
            .collect();
        Some(Self {
            stage,
            ended: Ended {
                status,
                traces: flags.contains('x'),
                echoes: flags.contains('v'),
                exits: flags.contains('e'),
                statuses,
                last_argument: argument,
                ..Ended::default()
            },
        })
    }
}

/// The near end of the terminal over which a shell reports.
///
/// A terminal is used because no command removes its name by clearing a directory, and no reader or writer has to wait
/// to open it. Where there are no terminals, a named pipe is used.
#[derive(Debug)]
pub(crate) struct Control {
    end: End,
    path: PathBuf,
    frames: Frames,
}

#[derive(Debug)]
enum End {
    Terminal(Terminal),
    Pipe(pipe::Receiver),
}

impl Control {
    pub(crate) fn open(directory: &mut Directory) -> io::Result<Self> {
        let (end, path) = match Terminal::open(80, 24).and_then(Terminal::into_raw) {
            Ok(terminal) => {
                let path = terminal.path();
                (End::Terminal(terminal), path)
            }
            Err(error) => {
                tracing::warn!(%error, "no terminal for a session's reports; using a named pipe");
                return Self::named(directory);
            }
        };
        Ok(Self::of(end, path))
    }

    /// Opens a named pipe in the place of a terminal.
    pub(crate) fn named(directory: &mut Directory) -> io::Result<Self> {
        let path = directory.make("control".as_ref())?;
        // With a writing end here as well, there is no end of file each time the shell closes its
        // own after a report.
        let pipe = pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(&path)?;
        Ok(Self::of(End::Pipe(pipe), path))
    }

    fn of(end: End, path: PathBuf) -> Self {
        Self {
            end,
            path,
            frames: Frames::default(),
        }
    }

    /// Returns the path at which the shell opens the far end.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Accepts only reports with a new nonce from now on.
    pub(crate) fn renew(&mut self) {
        // A shell reads each byte of its script by a system call of its own, and the nonce is there ten times.
        let drawn = Uuid::new_v4().simple().to_string();
        self.frames = Frames::with_nonce(&drawn[NONCE_BEGIN..]);
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.frames.nonce
    }

    /// Waits for the next report. Cancel safe.
    pub(crate) async fn next(&mut self) -> io::Result<Report> {
        loop {
            if let Some(report) = self.frames.next() {
                return Ok(report);
            }
            let mut chunk = [0; CHUNK_BYTES];
            let transfer = match &self.end {
                End::Terminal(terminal) => {
                    terminal.readable().await?;
                    terminal.read(&mut chunk)?
                }
                End::Pipe(pipe) => {
                    pipe.readable().await?;
                    transfer(pipe.try_read(&mut chunk))?
                }
            };
            self.take(&chunk, transfer)?;
        }
    }

    /// Returns a report that has already arrived. Asks the kernel, since the runtime may not have been notified yet.
    pub(crate) fn ready(&mut self) -> io::Result<Option<Report>> {
        loop {
            if let Some(report) = self.frames.next() {
                return Ok(Some(report));
            }
            let mut chunk = [0; CHUNK_BYTES];
            let transfer = match &self.end {
                End::Terminal(terminal) => terminal.read_now(&mut chunk)?,
                End::Pipe(pipe) => {
                    transfer(rustix::io::read(pipe, &mut chunk).map_err(Into::into))?
                }
            };
            if !self.take(&chunk, transfer)? {
                return Ok(None);
            }
        }
    }

    /// Adds what was read to the buffer; returns whether it was anything.
    fn take(&mut self, chunk: &[u8], transfer: Transfer) -> io::Result<bool> {
        match transfer {
            Transfer::Bytes(count) => self.frames.push(&chunk[..count]),
            Transfer::NotNow => return Ok(false),
            Transfer::Closed => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(true)
    }
}

const CHUNK_BYTES: usize = 4096;

/// Finds reports, `NONCE,…,NONCE`, in the output around them.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    nonce: String,
    buffer: Vec<u8>,
    /// The place before which no nonce begins.
    searched: usize,
    /// The place at which an unfinished report begins.
    begun: Option<usize>,
    trap: Option<String>,
}

impl Frames {
    /// Creates a parser of reports with this nonce.
    pub(crate) fn with_nonce(nonce: &str) -> Self {
        Self {
            nonce: nonce.to_owned(),
            ..Self::default()
        }
    }

    /// Returns how many bytes of an unfinished report are buffered.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(crate) fn next(&mut self) -> Option<Report> {
        loop {
            let Some(at) = self.find_nonce() else {
                self.forget();
                return None;
            };
            let Some(begun) = self.begun else {
                // The bytes before the nonce are words of an error message, and a printed trap.
                if let Some(trap) = debug_trap(&self.buffer[..at]) {
                    self.trap = Some(trap);
                }
                self.begun = Some(at + self.nonce.len() + 1);
                self.searched = at + self.nonce.len();
                continue;
            };
            // No report is between two nonces that follow each other immediately: `get` returns
            // `None` for a range whose start is after its end.
            let report = self
                .buffer
                .get(begun..at.saturating_sub(1))
                .and_then(Report::parse);
            let Some(mut report) = report else {
                // Text with the nonce that is not a report of the shell; this may be the beginning of one.
                self.buffer.drain(..at);
                self.begun = Some(self.nonce.len() + 1);
                self.searched = self.nonce.len();
                continue;
            };
            self.buffer.drain(..at + self.nonce.len());
            self.searched = 0;
            self.begun = None;
            // The shell prints the trap between `Ended` and `Idle`.
            if report.stage == Stage::Idle {
                report.ended.debug_trap = self.trap.take();
            }
            return Some(report);
        }
    }

    fn find_nonce(&mut self) -> Option<usize> {
        let length = self.nonce.len();
        // Before the first nonce was drawn; `windows` panics at 0.
        if length == 0 {
            return None;
        }
        let found = self.buffer[self.searched..]
            .windows(length)
            .position(|window| window == self.nonce.as_bytes());
        match found {
            Some(at) => Some(self.searched + at),
            None => {
                self.searched = self
                    .searched
                    .max((self.buffer.len() + 1).saturating_sub(length));
                None
            }
        }
    }

    /// Limits the buffer: what is too long cannot be a report.
    fn forget(&mut self) {
        if self.buffer.len() > SESSION_REPORT_BYTES {
            self.buffer.drain(..self.searched);
            self.searched = 0;
            self.begun = None;
        }
    }
}

/// Returns the command that a shell printed for its `DEBUG` trap: one quoted word, and nothing that could be another
/// command. zsh prints its other traps before it, whose texts may look like one.
fn debug_trap(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let end = text.rfind(" DEBUG\n")?;
    let mut begins = text[..end].match_indices(TRAP);
    let (begin, _) = begins.find(|(at, _)| is_word(&text[at + TRAP.len()..end]))?;
    text.get(begin + 1..end + " DEBUG".len()).map(str::to_owned)
}

/// Returns whether `text` is one word as shells print it: quoted where necessary.
fn is_word(text: &str) -> bool {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = if let Some(quoted) = rest.strip_prefix("$'") {
            end_of_escapes(quoted)
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            quoted.split_once('\'').map(|(_, after)| after)
        } else if let Some(escaped) = rest.strip_prefix('\\') {
            let mut characters = escaped.chars();
            characters.next().map(|_| characters.as_str())
        } else if first.is_whitespace() || "\"$`&|;<>()#".contains(first) {
            None
        } else {
            Some(&rest[first.len_utf8()..])
        };
        match after {
            Some(after) => rest = after,
            None => return false,
        }
    }
    !text.is_empty()
}

/// Returns what comes after the quote that ends a `$'…'`.
fn end_of_escapes(quoted: &str) -> Option<&str> {
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '\'' => return Some(characters.as_str()),
            '\\' => {
                characters.next()?;
            }
            _ => {}
        }
    }
}

const TRAP: &str = "\ntrap -- ";

/// Where the nonce begins in the hexadecimal digits of a random UUID: 62 of its bits are random after that.
const NONCE_BEGIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(nonce: &str) -> Frames {
        Frames::with_nonce(nonce)
    }

    #[test]
    fn reports_are_found_in_any_noise_and_in_any_pieces() {
        let text = b"noise bash: line 3: /dev/null/nonce,begun,0,hB,nonce: Not a directory\n\
            nonsense nonce,x,nonce /dev/null/nonce,within,7,hxvB,1,0,7,:,a,b\nc,nonce: no\n\
            /dev/null/nonce,ended,0,,nonce: x\ntrap -- 'echo a\n' DEBUG\nbash: /dev/null/nonce,idle,0,,nonce: x\n";
        for size in [1, 3, 7, 1000] {
            let mut frames = frames("nonce");
            let mut reports = Vec::new();
            for piece in text.chunks(size) {
                frames.push(piece);
                while let Some(report) = frames.next() {
                    reports.push(report);
                }
            }
            let stages: Vec<_> = reports.iter().map(|report| report.stage).collect();
            assert_eq!(
                stages,
                [Stage::Begun, Stage::Within, Stage::Ended, Stage::Idle],
                "{size}"
            );
            let expect = Ended {
                status: 7,
                traces: true,
                echoes: true,
                statuses: vec![1, 0, 7],
                last_argument: Some("a,b\nc".to_owned()),
                ..Ended::default()
            };
            assert_eq!(reports[1].ended, expect);
            let trap = reports[3].ended.debug_trap.as_deref();
            assert_eq!(trap, Some("trap -- 'echo a\n' DEBUG"));
        }
    }

    #[test]
    fn bad_reports_are_none() {
        for bad in [
            "",
            "begun",
            "begun,0",
            "begun,256,h",
            "begun,-1,h",
            "gone,0,h",
        ] {
            assert_eq!(Report::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_debug_trap_is_found_among_others() {
        for (text, expect) in [
            ("\ntrap -- 'a b' DEBUG\n", Some("trap -- 'a b' DEBUG")),
            ("\ntrap -- true DEBUG\n", Some("trap -- true DEBUG")),
            ("\ntrap -- '' DEBUG\n", Some("trap -- '' DEBUG")),
            (
                "noise\ntrap -- $'it\\'s\\n' USR1\ntrap -- $'\\'a\\'\\n' DEBUG\n",
                Some("trap -- $'\\'a\\'\\n' DEBUG"),
            ),
            (
                "\ntrap -- 'x\ntrap -- y' ZERR\nf () {\n\t:\n}\ntrap -- 'z' DEBUG\n",
                Some("trap -- 'z' DEBUG"),
            ),
            ("\ntrap -- 'a' USR1\n", None),
            ("\ntrap -- a; b DEBUG\n", None),
            ("\ntrap -- $(a) DEBUG\n", None),
            ("\ntrap --  DEBUG\n", None),
            ("\ntrap -- 'a DEBUG\n", None),
            ("\ntrap -- a\\ DEBUG\n", None),
        ] {
            assert_eq!(debug_trap(text.as_bytes()).as_deref(), expect, "{text}");
        }
    }

    /// A gigabyte of noise would be retained, and searched from its start for every piece of it.
    #[test]
    fn noise_is_searched_once_and_forgotten() {
        let mut frames = frames("nonce");
        let mut most = 0;
        for _ in 0..64 * 1024 {
            frames.push(&[b'n'; 512]);
            assert_eq!(frames.next(), None);
            most = most.max(frames.buffer.capacity());
        }
        assert!(most <= 4 * SESSION_REPORT_BYTES, "{most}");
        let left = frames.buffer.len() - frames.searched;
        assert!(left < "nonce".len(), "{left} bytes are searched again");
        frames.push(b"nonce,begun,0,,nonce");
        assert_eq!(frames.next().map(|report| report.stage), Some(Stage::Begun));
    }

    #[test]
    fn a_report_that_never_ends_is_forgotten() {
        let mut frames = frames("nonce");
        frames.push(b"nonce,begun,0,");
        for _ in 0..1024 {
            frames.push(&[b'x'; 512]);
            assert_eq!(frames.next(), None);
        }
        assert!(frames.buffer.len() <= 2 * SESSION_REPORT_BYTES);
        frames.push(b"nonce,begun,0,,nonce");
        assert_eq!(frames.next().map(|report| report.stage), Some(Stage::Begun));
    }
}
