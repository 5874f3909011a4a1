//! A program of a client: a shell, a command, or the server of files, on pipes or a terminal.

use std::collections::BTreeMap;

use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use sandbox_provider::Provider;
use sandbox_wire::rest::{PtyResizeRequest, SignalSpec, Termination, TerminationKind};

use super::command::Command;
use super::handler::Place;
use crate::limits::{SSH_VARIABLE_BYTES, SSH_VARIABLES};

/// The subsystem that serves files.
pub(super) const SFTP: &str = "sftp";

/// What a client asks for on a channel before its program starts, and the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) command: String,
    pub(super) variables: BTreeMap<String, Option<String>>,
    pub(super) tty: Option<PtyResizeRequest>,
}

/// How a program has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Code(u32),
    /// The name of the signal, as the protocol has it.
    Signal(&'static str),
}

/// Serves a channel until its program ends, or the client closes it.
pub(super) async fn serve<P: Provider>(place: Place<P>, channel: Channel<Msg>, handle: Handle) {
    let (read, write) = channel.split();
    let end = tokio::select! {
        end = run(&place, read, &write) => end,
        () = place.closed() => return,
    };
    // Errors mean that the connection has ended.
    if let Some(end) = end {
        let _ = write.eof().await;
        let _ = match end {
            End::Code(code) => write.exit_status(code).await.map_err(drop),
            End::Signal(signal) => {
                let (message, language) = (String::new(), String::new());
                let id = write.id();
                handle
                    .exit_signal_request(
                        id,
                        Sig::Custom(signal.to_owned()),
                        false,
                        message,
                        language,
                    )
                    .await
            }
        };
    }
    let _ = write.close().await;
}

/// Runs the program of a channel. The messages of the client end with the returned future, so that none is waited for any more.
async fn run<P: Provider>(
    place: &Place<P>,
    mut read: ChannelReadHalf,
    write: &ChannelWriteHalf<Msg>,
) -> Option<End> {
    let program = Program::read(&mut read).await?;
    let started = async {
        // In use as long as the program runs.
        let using = place.shared.enter(&place.id)?;
        let command = Command::start(&place.shared, &place.id, program).await?;
        Ok::<_, crate::error::ApiError>((using, command))
    };
    let (_using, command) = match started.await {
        Ok(started) => started,
        Err(error) => {
            let line = format!("{}\r\n", error.message());
            let _ = write.extended_data_bytes(STDERR, line).await;
            return Some(End::Code(FAILED));
        }
    };
    let (input, output) = command.split();
    tokio::select! {
        end = output.pass(write) => Some(end),
        // The connection to the daemon ends, and with it the command.
        () = input.pass(&mut read) => None,
    }
}

impl Program {
    /// Reads the requests of a client until one starts a program; `None` if the client closes the channel before.
    async fn read(read: &mut ChannelReadHalf) -> Option<Self> {
        let mut program = Self::default();
        loop {
            match read.wait().await? {
                ChannelMsg::Close => return None,
                ChannelMsg::RequestSubsystem { name, .. } if name != SFTP => {}
                message => {
                    if program.add(message) {
                        return Some(program);
                    }
                }
            }
        }
    }

    /// Adds what a message asks for; returns whether it starts the program.
    fn add(&mut self, message: ChannelMsg) -> bool {
        match message {
            ChannelMsg::RequestPty {
                term,
                col_width,
                row_height,
                ..
            } => {
                self.tty = Some(size(col_width, row_height));
                self.set("TERM".to_owned(), term);
            }
            ChannelMsg::WindowChange {
                col_width,
                row_height,
                ..
            } if self.tty.is_some() => self.tty = Some(size(col_width, row_height)),
            ChannelMsg::SetEnv {
                variable_name,
                variable_value,
                ..
            } => self.set(variable_name, variable_value),
            ChannelMsg::Exec { command, .. } => {
                // What is no text is no command that the daemon could run; the shell reports what it does not find.
                let command = String::from_utf8_lossy(&command).into_owned();
                self.command = if command.trim().is_empty() {
                    SHELL.to_owned()
                } else {
                    command
                };
                return true;
            }
            ChannelMsg::RequestShell { .. } => {
                SHELL.clone_into(&mut self.command);
                return true;
            }
            ChannelMsg::RequestSubsystem { .. } => {
                SFTP_SERVER.clone_into(&mut self.command);
                return true;
            }
            _ => {}
        }
        false
    }

    /// Sets a variable, unless its name is none or there are too many.
    fn set(&mut self, name: String, value: String) {
        let is_name = name.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic())
            && name
                .chars()
                .all(|one| one == '_' || one.is_ascii_alphanumeric());
        let fits = self.variables.len() < SSH_VARIABLES
            && name.len() + value.len() <= SSH_VARIABLE_BYTES
            && !value.contains('\0');
        if is_name && fits {
            self.variables.insert(name, Some(value));
        }
    }
}

impl End {
    /// Returns how a program has ended, and what its exit status does not say.
    pub(super) fn of(
        exit_code: Option<i32>,
        termination: &Termination,
    ) -> (Self, Option<&'static str>) {
        let code = exit_code.or(termination.exit_code);
        let code = code.and_then(|code| u32::try_from(code).ok());
        let code = Self::Code(code.unwrap_or(FAILED));
        match termination.kind {
            TerminationKind::Exited => (code, None),
            TerminationKind::Signaled => {
                let signal = termination.signal.and_then(signal);
                (signal.map_or(code, Self::Signal), None)
            }
            TerminationKind::TimedOut => (code, Some("the command was ended by its time limit")),
            TerminationKind::OutOfMemory => (code, Some("the command was out of memory")),
            TerminationKind::SpawnFailed => (code, Some("the command could not be started")),
            _ => (code, Some("how the command ended is unknown")),
        }
    }
}

/// Returns a size that the daemon takes, for clients without a terminal as well.
pub(super) fn size(cols: u32, rows: u32) -> PtyResizeRequest {
    let side = |given: u32, default: u16| match u16::try_from(given) {
        Ok(0) => default,
        Ok(given) => given.min(MAX_SIDE),
        Err(_) => MAX_SIDE,
    };
    PtyResizeRequest {
        cols: side(cols, 80),
        rows: side(rows, 24),
    }
}

/// Returns the name of a signal in the protocol (RFC 4254, section 6.10), which knows only some.
fn signal(number: i32) -> Option<&'static str> {
    let is_it = |name: &&str| SignalSpec::Name((*name).to_owned()).number() == Some(number);
    SIGNALS.into_iter().find(is_it)
}

const SIGNALS: [&str; 13] = [
    "HUP", "INT", "QUIT", "ILL", "ABRT", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM",
];

/// The type of extended data that is standard error (RFC 4254, section 5.2).
pub(super) const STDERR: u32 = 1;

/// The exit status if there is no other: what OpenSSH's client exits with after an error of its own.
pub(super) const FAILED: u32 = 255;

/// The longest side of a terminal that the daemon takes.
const MAX_SIDE: u16 = 1000;

/// A login shell, as SSH clients expect one.
const SHELL: &str = r#"exec "$(command -v bash || echo /bin/sh)" -l"#;

/// The sandbox's own server of files: it sees what every program there sees.
const SFTP_SERVER: &str = "for server in sftp-server /usr/lib/openssh/sftp-server \
/usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server /usr/libexec/sftp-server; do \
command -v $server >/dev/null && exec $server; done; \
echo 'the sandbox has no sftp-server (Debian: openssh-sftp-server); scp -O works without' >&2; exit 127";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_before_the_program_are_its_terminal_and_variables() {
        let mut program = Program::default();
        let set = |name: &str, value: &str| ChannelMsg::SetEnv {
            want_reply: false,
            variable_name: name.to_owned(),
            variable_value: value.to_owned(),
        };
        for (name, value) in [
            ("LANG", "C"),
            ("A=B", "x"),
            ("1A", "x"),
            ("", "x"),
            ("N", "\0"),
        ] {
            assert!(!program.add(set(name, value)));
        }
        let change = |col_width, row_height| ChannelMsg::WindowChange {
            col_width,
            row_height,
            pix_width: 0,
            pix_height: 0,
        };
        assert!(!program.add(change(1, 1)) && program.tty.is_none());
        assert!(!program.add(ChannelMsg::RequestPty {
            want_reply: true,
            term: "vt100".to_owned(),
            col_width: 0,
            row_height: 0,
            pix_width: 0,
            pix_height: 0,
            terminal_modes: Vec::new(),
        }));
        assert_eq!(program.tty, Some(PtyResizeRequest { cols: 80, rows: 24 }));
        assert!(!program.add(change(100, 5000)));
        let (cols, rows) = (100, MAX_SIDE);
        assert_eq!(program.tty, Some(PtyResizeRequest { cols, rows }));
        let names: Vec<_> = program.variables.keys().map(String::as_str).collect();
        assert_eq!(names, ["LANG", "TERM"]);
        let command = b"echo a".to_vec();
        assert!(program.add(ChannelMsg::Exec {
            want_reply: true,
            command
        }));
        assert_eq!(program.command, "echo a");
    }

    #[test]
    fn variables_are_bounded() {
        let mut program = Program::default();
        program.set("LONG".to_owned(), "x".repeat(SSH_VARIABLE_BYTES));
        assert!(program.variables.is_empty());
        for number in 0..=SSH_VARIABLES {
            program.set(format!("A{number}"), String::new());
        }
        assert_eq!(program.variables.len(), SSH_VARIABLES);
    }

    #[test]
    fn ends_are_exit_codes_or_signals() {
        let check = |kind, code: Option<i32>, signal: Option<i32>, expect: End, is_silent: bool| {
            let termination: Termination = serde_json::from_value(serde_json::json!({
                "kind": kind, "exitCode": code, "signal": signal,
            }))
            .unwrap();
            let (end, says) = End::of(code, &termination);
            assert_eq!((end, says.is_none()), (expect, is_silent), "{kind}");
        };
        check("exited", Some(3), None, End::Code(3), true);
        check("signaled", Some(137), Some(9), End::Signal("KILL"), true);
        // A signal that the protocol has no name for.
        check("signaled", Some(148), Some(20), End::Code(148), true);
        check("out_of_memory", Some(137), None, End::Code(137), false);
        check("lost", None, None, End::Code(FAILED), false);
        check("spawn_failed", Some(-1), None, End::Code(FAILED), false);
    }
}
