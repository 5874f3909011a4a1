//! A session's shell that the test plays: it reads the script that the session writes, and reports what the test has it
//! report.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::termios::QueueSelector;

use super::{Stage, settle};

/// The far ends of a session.
#[derive(Debug)]
pub(super) struct Shell {
    script: File,
    /// What the script has said since the newest command began.
    text: String,
    /// The shell reads its script no more: it was closed.
    is_at_end: bool,
    /// Where it reports: a terminal whose other end the session has.
    reports: File,
    outputs: Vec<File>,
}

impl Shell {
    /// Plays the newest process, which is a session's shell. To be called when it waits for its shell to begin.
    pub(super) fn begin(stage: &Stage) -> Self {
        let (directory, arguments) = stage.arguments();
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let mut script = open(&directory.join(&arguments[1]), flags);
        let (text, is_at_end) = read(&mut script);
        let control = word_after(text.rsplit_once("/dev/null/").unwrap().1, "2>|");
        let mut shell = Self {
            script,
            text,
            is_at_end,
            // Held, so that no other terminal gets its number.
            reports: open(Path::new(&control), OFlags::RDWR | OFlags::NOCTTY),
            outputs: Vec::new(),
        };
        shell.report(&[("ended", 0)]);
        shell
    }

    /// Whether there is something in its script that it has not read.
    pub(super) fn has_unread(&self) -> bool {
        rustix::io::ioctl_fionread(&self.script).unwrap() > 0
    }

    /// Reads all that its script holds, and executes nothing.
    pub(super) fn read(&mut self) {
        let (text, is_at_end) = read(&mut self.script);
        // The lines of a command, and no others, say what is to be reported if its descriptors cannot be opened.
        if text.contains(",broken,") {
            self.text = text
        } else {
            self.text += &text
        }
        self.is_at_end |= is_at_end;
    }

    /// Whether its script has come to an end.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Whether what it has read since the newest command began has this.
    pub(super) fn has_read(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// Opens the outputs of the command that it has read.
    pub(super) fn open_outputs(&mut self) {
        let open = |operator| {
            let path = PathBuf::from(word_after(&self.text, operator));
            // The names are removed when the session goes on without the command.
            let flags = OFlags::WRONLY | OFlags::NONBLOCK;
            rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).ok()
        };
        let outputs = [" 1>|", " 2>|"].into_iter().filter_map(open);
        self.outputs = outputs.map(File::from).collect();
    }

    pub(super) fn close_outputs(&mut self) {
        self.outputs.clear();
    }

    /// Whether the session had the outputs to be opened.
    pub(super) fn has_outputs(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// Writes to the standard output of its command; returns whether the session still has the other end.
    pub(super) fn write(&mut self, bytes: &[u8]) -> bool {
        let written = self.outputs[0].write_all(bytes);
        written.is_ok()
    }

    /// Reports these stages and statuses, as the lines say that it has read.
    pub(super) fn report(&mut self, stages: &[(&str, u8)]) {
        let nonce = self.text.rsplit_once("/dev/null/").unwrap().1;
        let nonce = nonce.split_once(',').unwrap().0;
        let lines = stages.iter().map(|(stage, status)| {
            format!("sh: cannot open /dev/null/{nonce},{stage},{status},h,{nonce}: no\n")
        });
        let text: String = lines.collect();
        // Refused when the session has closed the other end.
        let _ = self.reports.write_all(text.as_bytes());
        self.pass_on();
    }

    /// Lets every task go on until it waits, and has seen what the shell has reported.
    pub(super) async fn settle(&self) {
        // Twice: what is reported while a report waits to be read is passed on after it.
        for _ in 0..2 {
            self.pass_on();
            settle().await;
        }
    }

    /// Whether the session has closed its ends, but for those of the outputs: what a shell leaves running may write on.
    pub(super) fn is_released(&mut self) -> bool {
        self.read();
        self.is_at_end && self.reports.write_all(b"x").is_err()
    }

    /// Has the kernel pass on what was reported, which it otherwise does on a thread of its own at some later time: an input
    /// that is discarded makes room, and the waiter at the other end is woken and asks what there is.
    fn pass_on(&self) {
        // Refused when the session has closed the other end.
        let _ = rustix::termios::tcflush(&self.reports, QueueSelector::IFlush);
    }
}

fn open(path: &Path, flags: OFlags) -> File {
    let opened = rustix::fs::open(path, flags | OFlags::CLOEXEC, rustix::fs::Mode::empty());
    opened
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .into()
}

/// Returns what is there, and whether that is the end.
fn read(script: &mut File) -> (String, bool) {
    let mut bytes = Vec::new();
    let is_at_end = match script.read_to_end(&mut bytes) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    };
    (String::from_utf8(bytes).unwrap(), is_at_end)
}

/// Returns the quoted word after the first `operator`.
fn word_after(text: &str, operator: &str) -> String {
    let (_, rest) = text.split_once(&format!("{operator}'")).unwrap();
    rest.split_once('\'').unwrap().0.to_owned()
}
