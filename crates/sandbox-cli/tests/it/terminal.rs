//! Commands on a terminal, from a terminal: the one on which `sandbox` runs is a sandbox's, too.

use std::io::Write;

use sandbox_process::blocking::{Process, Running, Streaming};
use sandbox_process::{ExecEvent, InputWriter, PtySize, Termination};

use crate::{check, fails, sandbox};

/// `sandbox` on a terminal, with a user that types.
struct Typist {
    running: Running,
    keys: Streaming<InputWriter>,
    shown: String,
    end: Option<Termination>,
    process: Process,
}

impl Typist {
    /// Evaluates a text in which `$sandbox` is the command.
    fn at(text: &str) -> Self {
        let process = Process::local().unwrap();
        let command = process
            .exec(text)
            .env("sandbox", env!("CARGO_BIN_EXE_sandbox"));
        let size = PtySize {
            rows: 30,
            cols: 100,
        };
        let mut running = command.spawn().tty(size).piped_stdin().start().unwrap();
        let keys = running.stdin().unwrap();
        Self {
            running,
            keys,
            shown: String::new(),
            end: None,
            process,
        }
    }

    /// Reads until `text` was shown.
    #[track_caller]
    fn sees(&mut self, text: &str) {
        while !self.shown.contains(text) {
            assert!(self.read(), "{:?} without {text:?}", self.shown);
        }
    }

    /// Reads what is shown next; returns whether there was anything.
    fn read(&mut self) -> bool {
        match self.running.next().transpose().unwrap() {
            Some(ExecEvent::Output { bytes, .. }) => {
                self.shown.push_str(&String::from_utf8_lossy(&bytes));
            }
            Some(ExecEvent::Ended { termination, .. }) => self.end = Some(termination),
            Some(other) => panic!("{other:?}"),
            None => return false,
        }
        true
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Reads to the end, and checks the exit code.
    #[track_caller]
    fn ends(mut self, code: i32) {
        while self.read() {}
        let end = self.end.expect("it has ended");
        assert_eq!(end.exit_code(), Some(code), "{:?}", self.shown);
        self.process.shutdown();
    }
}

/// What the shell beside it does when `sandbox` has ended: the terminal is as it was.
const AND_RESTORED: &str =
    "; code=$?; stty -a | grep -q ' icanon' && echo RESTORED $code; read end; exit $code";

#[test]
fn keys_sizes_and_the_exit_code_are_passed_on() {
    // In single quotes.
    let inner = "stty size; read x; echo got:$x; \
        while test \"$(stty size)\" != \"40 120\"; do sleep 0.05; done; echo resized; read y; exit 3";
    let mut typist = Typist::at(&format!("$sandbox exec -it '{inner}'{AND_RESTORED}"));
    typist.sees("30 100\r\n");
    typist.types("hi\r");
    typist.sees("got:hi");
    typist
        .running
        .resize(PtySize {
            rows: 40,
            cols: 120,
        })
        .unwrap();
    typist.sees("resized");
    typist.types("\r");
    typist.sees("RESTORED 3");
    typist.types("\r");
    typist.ends(3);
}

#[test]
fn control_c_is_a_key() {
    let mut typist = Typist::at(&format!(
        "$sandbox exec --tty -i 'echo begun; sleep 1000'{AND_RESTORED}"
    ));
    typist.sees("begun");
    typist.types("\x03");
    typist.sees("RESTORED 130");
    typist.types("\r");
    typist.ends(130);
}

#[test]
fn the_keys_that_detach_leave() {
    let mut typist = Typist::at(&format!(
        "$sandbox exec -it --detach-keys ctrl-p,q 'echo begun; cat'{AND_RESTORED}"
    ));
    typist.sees("begun");
    typist.types("typed\r");
    typist.sees("typed\r\ntyped");
    typist.types("\x10q");
    typist.sees("RESTORED 0");
    assert!(typist.shown.contains("detached"), "{:?}", typist.shown);
    typist.types("\r");
    typist.ends(0);
}

#[test]
fn a_signal_restores_the_terminal() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    // The shell becomes `sandbox`, which has its number then.
    let own = "sh -c 'echo $$ >pid; exec $sandbox exec -it \"echo begun; cat\"'";
    let mut typist = Typist::at(&format!(
        "cd {}; {own}{AND_RESTORED}",
        place.path().to_str().unwrap()
    ));
    typist.sees("begun");
    let pid = std::fs::read_to_string(path("pid")).unwrap();
    let outcome = typist
        .process
        .exec(format!("kill -TERM {pid}"))
        .run()
        .unwrap();
    assert!(outcome.success(), "{outcome:?}");
    typist.sees("RESTORED 143");
    typist.types("\r");
    typist.ends(143);
}

#[test]
fn a_terminal_needs_none_without_input() {
    let text = "test -t 0 && test -t 1 && stty size; sleep 0.1";
    check(&["exec", "-t", text], 0, "24 80\r\n", "");
    fails(
        &["exec", "-it", "true"],
        125,
        &["the input device is not a terminal", "leave out -i or -t"],
    );
    let json = sandbox(&["exec", "-t", "--json", "true"]).output().unwrap();
    assert_eq!(json.status.code(), Some(2));
}
