//! What a terminal costs beside a bare one, in the same run: to its prompt, for a keystroke, and in bulk.
//!
//! `cargo xtask bench terminals`. Not a test: no number of it is asserted.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(
    clippy::disallowed_methods,
    reason = "the bare process is the other contestant"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::pty::OpenptFlags;
use sandbox_engine::record::Piece;
use sandbox_engine::{Engine, Environment, Pty, PtyInput, PtyOptions, PtyOutput};

const ROUNDS: usize = 60;
const KEYSTROKES: usize = 2000;
const BYTES: usize = 200_000_000;

/// Says when it has begun, in other letters than those that were typed.
const CAT: &[u8] = b"stty -echo; echo go'ne'; exec cat\n";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let home = tempfile::tempdir().expect("a directory");
    // No user's profile, and a prompt to wait for.
    std::fs::write(home.path().join(".bash_profile"), "PS1='ready> '\n").expect("a profile");
    let mut environment = Environment::of_this_process();
    environment.set("HOME", home.path());
    let engine = Engine::builder()
        .shell("/bin/bash")
        .environment(environment)
        .build()
        .expect("an engine");
    let home = home.path().to_str().expect("a path of text");
    println!("medians                bare     ours");
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let mut terminal = Bare::open(home);
        terminal.until(b"ready> ");
        bare.push(begin.elapsed());
        let begin = Instant::now();
        let mut user = runtime.block_on(User::open(&engine));
        runtime.block_on(user.until(b"ready> "));
        ours.push(begin.elapsed());
        runtime.block_on(engine.ptys().delete("bench"));
    }
    row("to the prompt", bare, ours);

    let mut terminal = Bare::open(home);
    terminal.until(b"ready> ");
    terminal.types(CAT);
    terminal.until(b"gone\r\n");
    let mut user = runtime.block_on(User::open(&engine));
    runtime.block_on(async {
        user.until(b"ready> ").await;
        user.types(CAT).await;
        user.until(b"gone\r\n").await;
    });
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..KEYSTROKES {
        let begin = Instant::now();
        terminal.types(b"x\n");
        terminal.until(b"x\r\n");
        bare.push(begin.elapsed());
        let begin = Instant::now();
        runtime.block_on(async {
            user.types(b"x\n").await;
            user.until(b"x\r\n").await;
        });
        ours.push(begin.elapsed());
    }
    row("a line through cat", bare, ours);
    drop(terminal);
    runtime.block_on(engine.ptys().delete("bench"));

    let bulk = format!("stty -echo -opost; PS1=; head -c {BYTES} /dev/zero; exit\n");
    let mut terminal = Bare::open(home);
    terminal.until(b"ready> ");
    let begin = Instant::now();
    terminal.types(bulk.as_bytes());
    let bare = rate(terminal.read_to_end(), begin);
    let ours = runtime.block_on(async {
        let mut user = User::open(&engine).await;
        user.until(b"ready> ").await;
        let begin = Instant::now();
        user.types(bulk.as_bytes()).await;
        let mut count = 0;
        while let Some(piece) = user.output.next().await {
            if let Piece::Data { bytes, .. } = piece {
                count += bytes.len();
            }
        }
        rate(count, begin)
    });
    println!("in bulk           {bare:>4.0} MB/s {ours:>4.0} MB/s");
}

/// A user at a terminal.
struct User {
    _pty: Pty,
    output: PtyOutput,
    input: PtyInput,
}

impl User {
    async fn open(engine: &Engine) -> Self {
        let pty = engine.ptys().create("bench", PtyOptions::default()).await;
        let pty = pty.expect("a terminal");
        Self {
            output: pty.output(None).expect("the beginning"),
            input: pty.input(),
            _pty: pty,
        }
    }

    async fn types(&self, text: &[u8]) {
        self.input
            .write(text.to_vec().into())
            .await
            .expect("a shell");
    }

    async fn until(&mut self, text: &[u8]) {
        let mut shown = Vec::new();
        while !shown.windows(text.len()).any(|window| window == text) {
            if let Piece::Data { bytes, .. } = self.output.next().await.expect("more") {
                shown.extend_from_slice(&bytes);
            }
        }
    }
}

/// A terminal without anything around it.
struct Bare {
    near: File,
    child: Child,
}

impl Bare {
    /// By posix_spawn, of a program that makes the terminal its own and becomes the shell.
    fn open(home: &str) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let near = rustix::pty::openpt(flags).expect("a terminal");
        rustix::pty::unlockpt(&near).expect("a terminal");
        let copy = |far: &OwnedFd| far.try_clone().expect("a descriptor");
        let far = rustix::pty::ioctl_tiocgptpeer(&near, flags).expect("its far end");
        let child = Command::new("setsid")
            .args(["--ctty", "/bin/bash", "-i", "-l"])
            .env("HOME", home)
            .env("TERM", "xterm-256color")
            .stdin(copy(&far))
            .stdout(copy(&far))
            .stderr(far)
            .spawn();
        Self {
            near: near.into(),
            child: child.expect("setsid of util-linux"),
        }
    }

    fn types(&mut self, text: &[u8]) {
        self.near.write_all(text).expect("room");
    }

    fn until(&mut self, text: &[u8]) {
        let mut shown = Vec::new();
        let mut buffer = [0; 4096];
        while !shown.windows(text.len()).any(|window| window == text) {
            let count = self.near.read(&mut buffer).expect("more");
            shown.extend_from_slice(&buffer[..count]);
        }
    }

    /// How many bytes come up to the end.
    fn read_to_end(&mut self) -> usize {
        let mut buffer = vec![0; 64 * 1024];
        let mut count = 0;
        while let Ok(read @ 1..) = self.near.read(&mut buffer) {
            count += read;
        }
        count
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn row(what: &str, bare: Vec<Duration>, ours: Vec<Duration>) {
    let (bare, ours) = (median(bare), median(ours));
    println!("{what:18} {bare:>8.2?} {ours:>8.2?}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn rate(bytes: usize, begin: Instant) -> f64 {
    bytes as f64 / 1e6 / begin.elapsed().as_secs_f64()
}
