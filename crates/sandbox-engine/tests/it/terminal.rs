//! Commands of their own on a terminal.

use bytes::Bytes;
use sandbox_engine::record::{Cursor, Piece};
use sandbox_engine::{
    Command, Engine, InputError, InputMode, PtySize, ResizeError, RunOptions, Signal, Termination,
};

use crate::guard::{PATIENCE, engine, eventually, pid_of, unique_sleep};

/// A command on a terminal of 100 columns and 30 rows, and what it shows.
struct Shown {
    /// Kills what it still runs.
    _engine: Engine,
    command: Command,
    output: Cursor,
    seen: String,
}

impl Shown {
    async fn start(text: &str, input: InputMode) -> Self {
        let engine = engine();
        let options = RunOptions {
            input,
            terminal: Some(PtySize::new(100, 30).unwrap()),
            ..RunOptions::default()
        };
        let command = engine.start(text, options).await.unwrap();
        Self {
            output: command.record().follow(0).unwrap(),
            _engine: engine,
            command,
            seen: String::new(),
        }
    }

    fn types(&self, text: &'static str) {
        self.command.write_input(text.into()).unwrap();
    }

    /// Reads until `text` is shown after what was waited for before, and returns all up to it.
    async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(self.read().await, "no {text:?} in {:?}", self.seen);
        }
    }

    /// Reads to the end, and returns what was shown and how it ended.
    async fn end(&mut self) -> (String, Termination) {
        while self.read().await {}
        (std::mem::take(&mut self.seen), self.command.ended().await)
    }

    async fn read(&mut self) -> bool {
        let next = tokio::time::timeout(PATIENCE, self.output.next()).await;
        match next.expect("something comes or it ends") {
            Some(Piece::Data { bytes, .. }) => self.seen += &String::from_utf8_lossy(&bytes),
            Some(Piece::Gap { .. }) => panic!("something is missing"),
            None => return false,
        }
        true
    }
}

fn exited(code: i32) -> Termination {
    Termination::Exited { code }
}

fn signaled(signal: Signal) -> Termination {
    Termination::Signaled {
        signal: signal.as_raw(),
        core_dumped: false,
    }
}

#[tokio::test]
async fn it_is_a_terminal_of_the_asked_size() {
    let text = format!(
        "test -t 0 -a -t 1 -a -t 2 && echo all; echo $TERM $COLUMNS; stty size; \
         trap 'stty size' WINCH; echo ready; sleep {} & wait; wait",
        unique_sleep()
    );
    let mut shown = Shown::start(&text, InputMode::Silent).await;
    let first = shown.until("ready\r\n").await;
    assert_eq!(first, "all\r\nxterm-256color\r\n30 100\r\nready\r\n");
    assert_eq!(shown.command.size(), PtySize::new(100, 30).ok());
    let size = PtySize::new(90, 20).unwrap();
    shown.command.resize(size).await.unwrap();
    assert_eq!(shown.command.size(), Some(size));
    assert_eq!(shown.until("20 90\r\n").await, "20 90\r\n");
    shown.command.signal(Signal::KILL).await.unwrap();
    assert_eq!(shown.end().await.1, signaled(Signal::KILL));
    let late = shown.command.resize(size).await;
    assert!(matches!(late, Err(ResizeError::Ended)), "{late:?}");
}

#[tokio::test]
async fn only_a_terminal_has_a_size() {
    let engine = engine();
    let options = RunOptions {
        input: InputMode::Silent,
        ..RunOptions::default()
    };
    let command = engine.start("cat", options).await.unwrap();
    let resized = command.resize(PtySize::default()).await;
    assert!(
        matches!(resized, Err(ResizeError::NoTerminal)),
        "{resized:?}"
    );
    assert_eq!(command.size(), None);
    command.close_input().unwrap();
    assert_eq!(command.ended().await, exited(0));
}

#[tokio::test]
async fn an_interrupt_overtakes_what_no_program_reads() {
    let sleep = unique_sleep();
    // Of the foreground job alone: an interactive shell goes on.
    let mut shown = Shown::start("exec bash --norc -i", InputMode::Silent).await;
    shown.types("echo $((40 + 2))-ready\n");
    shown.until("42-ready\r\n").await;
    let line = format!("sleep {sleep}\n");
    shown.command.write_input(line.into()).unwrap();
    eventually("it sleeps", || pid_of(&sleep).is_some()).await;
    let much = Bytes::from(b"not read\n".repeat(1 << 20));
    shown.command.write_input(much).unwrap();
    let before = shown.command.input_taken();
    assert!(before < 9 << 20, "all of it was read");
    shown.types("\u{3}");
    shown.until("^C").await;
    // What was discarded has room again.
    let length = shown.command.input_length();
    let taken = shown.command.input_taken_up_to(length);
    tokio::time::timeout(PATIENCE, taken).await.unwrap();
    shown.types("echo code $?; exit 4\n");
    shown.until("code 130\r\n").await;
    assert_eq!(shown.end().await.1, exited(4));
    assert_eq!(
        shown.command.write_input("x".into()),
        Err(InputError::Ended)
    );
}

#[tokio::test]
async fn a_signal_overtakes_what_no_program_reads() {
    let sleep = unique_sleep();
    let text = format!("stty -echo; echo ready; sleep {sleep}; echo never");
    let mut shown = Shown::start(&text, InputMode::Silent).await;
    shown.until("ready\r\n").await;
    let much = Bytes::from(b"a line\n".repeat(1 << 20));
    shown.command.write_input(much).unwrap();
    shown.command.signal(Signal::TERM).await.unwrap();
    assert_eq!(shown.end().await.1, signaled(Signal::TERM));
}

#[tokio::test]
async fn the_end_of_the_input_is_typed() {
    for typed in ["", "a line\n", "no line"] {
        let text = "stty -echo; echo ready; cat; echo end; kill -STOP $$";
        let mut shown = Shown::start(text, InputMode::Silent).await;
        shown.until("ready\r\n").await;
        shown.types(typed);
        shown.command.close_input().unwrap();
        let expect = typed.replace('\n', "\r\n") + "end\r\n";
        assert_eq!(shown.until("end\r\n").await, expect, "{typed:?}");
        shown.command.signal(Signal::KILL).await.unwrap();
        shown.end().await;
    }
    let mut shown = Shown::start("cat; exit 5", InputMode::Empty).await;
    assert_eq!(shown.end().await.1, exited(5));
}

#[tokio::test]
async fn what_holds_the_terminal_delays_no_end_and_is_hung_up() {
    let (sleep, stays) = (unique_sleep(), unique_sleep());
    // The second is not notified: it ignores the signal, as `nohup` has it.
    let text = format!(
        "sleep {sleep} & (trap '' HUP; exec sleep {stays}) & \
         while ! grep -q {stays} /proc/$!/cmdline; do :; done; exit 6"
    );
    let mut shown = Shown::start(&text, InputMode::Silent).await;
    assert_eq!(shown.end().await.1, exited(6));
    eventually("the first ends", || pid_of(&sleep).is_none()).await;
    let stays = pid_of(&stays).expect("the second goes on");
    rustix::process::kill_process(stays, Signal::KILL).unwrap();
}

#[tokio::test]
async fn all_that_it_shows_comes_before_its_end() {
    let text = "stty -opost; $H flood | head -c 1048576; exit 3";
    let mut shown = Shown::start(text, InputMode::Empty).await;
    let (output, ended) = shown.end().await;
    assert_eq!((output.len(), ended), (1 << 20, exited(3)));
}

#[tokio::test]
async fn a_limit_ends_all_that_runs_on_it() {
    let sleep = unique_sleep();
    let engine = engine();
    let options = RunOptions {
        terminal: Some(PtySize::default()),
        timeout: Some(std::time::Duration::from_millis(300)),
        ..RunOptions::default()
    };
    let text = format!("setsid sleep {sleep} & sleep {sleep}");
    let outcome = engine.exec(&text, options).await.unwrap();
    assert!(matches!(outcome.termination, Termination::TimedOut { .. }));
    assert_eq!(pid_of(&sleep), None);
}

#[tokio::test]
async fn what_cannot_be_started_has_no_terminal() {
    let options = RunOptions {
        terminal: Some(PtySize::default()),
        cwd: Some("no/such".into()),
        ..RunOptions::default()
    };
    assert!(engine().start("true", options).await.is_err());
}

/// With nothing that holds the terminal any more, what waits to be typed must not keep its task busy.
#[tokio::test]
async fn what_was_not_typed_is_discarded_at_the_end() {
    for _ in 0..8 {
        let mut shown = Shown::start("stty -echo; echo ready; read x", InputMode::Silent).await;
        shown.until("ready\r\n").await;
        let much = Bytes::from(b"a line\n".repeat(1 << 20));
        shown.command.write_input(much).unwrap();
        assert_eq!(shown.end().await, (String::new(), exited(0)));
    }
}
