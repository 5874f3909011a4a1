//! Terminals.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sandbox_process::Process;
use sandbox_process::transport::{PtyConnection, PtyEvent, PtyRequest};

use super::{FEW, ROUNDS, id};
use crate::measure::{Goal, Row, Unit, rate, time};
use crate::terminal::{Bare, CAT, HOME, shows};

const BULK_BYTES: u64 = 32 << 20;
/// The ends of prompts.
const PROMPTS: [&[u8]; 2] = [b"# ", b"$ "];

pub(crate) async fn rows(process: &Process) -> Vec<Row> {
    let prompt = Row::in_turns(
        ("terminal, to its prompt", Unit::Time, ROUNDS / 4),
        "the same shell on a bare terminal behind a socket",
        async || {
            let started = Instant::now();
            let mut bare = Bare::open();
            bare.until(&PROMPTS);
            started.elapsed().as_secs_f64()
        },
        async || {
            let open = async {
                let mut user = User::open(process).await;
                user.until(&PROMPTS).await;
                user
            };
            let started = Instant::now();
            let user = open.await;
            let took = started.elapsed().as_secs_f64();
            user.delete().await;
            took
        },
    );
    let (mut bare, mut user) = (Bare::open(), User::open(process).await);
    bare.until(&PROMPTS);
    bare.types(CAT);
    bare.until(&[b"gone\r\n"]);
    user.cat().await;
    let prompt = prompt.await.goal(Goal::Ratio(1.1));
    let echo = Row::in_turns(
        ("terminal, a line echoed by `cat`", Unit::Time, 2 * ROUNDS),
        "the same on a bare terminal behind a socket",
        async || {
            let started = Instant::now();
            bare.types(b"x\n");
            bare.until(&[b"x\r\n"]);
            started.elapsed().as_secs_f64()
        },
        async || user.echo().await,
    );
    let echo = echo.await.goal(Goal::Ratio(1.4));
    user.delete().await;
    drop(bare);
    vec![prompt, echo, bulk(process).await]
}

async fn bulk(process: &Process) -> Row {
    let text = format!("stty -echo -opost; PS1=; head -c {BULK_BYTES} /dev/zero; exit\n");
    // What is shown before and after is little.
    let row = Row::in_turns(
        ("terminal, 32 MiB", Unit::Rate, FEW),
        "the same on a bare terminal behind a socket",
        async || {
            let mut bare = Bare::open();
            bare.until(&PROMPTS);
            let started = Instant::now();
            bare.types(text.as_bytes());
            assert!(bare.read_to_end() >= BULK_BYTES);
            rate(BULK_BYTES, started)
        },
        async || {
            let mut user = User::open(process).await;
            user.until(&PROMPTS).await;
            let started = Instant::now();
            user.types(text.clone().into()).await;
            assert!(user.read_to_end().await >= BULK_BYTES);
            let rate = rate(BULK_BYTES, started);
            user.delete().await;
            rate
        },
    );
    row.await.goal(Goal::Ratio(0.95))
}

/// A client of a terminal of the daemon.
pub(super) struct User {
    process: Process,
    terminal: PtyConnection,
    seen: Vec<u8>,
}

impl User {
    pub(super) async fn open(process: &Process) -> Self {
        let request = PtyRequest {
            id: id(),
            env: [("HOME".to_owned(), HOME.to_owned())].into(),
            ..PtyRequest::default()
        };
        let terminal = process.api().open_pty(request).await;
        Self {
            process: process.clone(),
            terminal: terminal.expect("a terminal"),
            seen: Vec::new(),
        }
    }

    /// Has `cat` echo lines, and nothing else.
    pub(super) async fn cat(&mut self) {
        self.until(&PROMPTS).await;
        self.types(Bytes::from_static(CAT)).await;
        self.until(&[b"gone\r\n"]).await;
    }

    /// Takes the time from a line to its echo.
    pub(super) async fn echo(&mut self) -> f64 {
        time(async {
            self.types(Bytes::from_static(b"x\n")).await;
            self.until(&[b"x\r\n"]).await;
        })
        .await
    }

    async fn types(&self, text: Bytes) {
        let control = Arc::clone(&self.terminal.control);
        control.write(text).await.expect("room");
    }

    async fn until(&mut self, texts: &[&[u8]]) {
        while !shows(&self.seen, texts) {
            let bytes = self.next().await.expect("more");
            self.seen.extend_from_slice(&bytes);
        }
        self.seen.clear();
    }

    /// Returns how many bytes come up to the end.
    async fn read_to_end(&mut self) -> u64 {
        let mut length = 0;
        while let Some(bytes) = self.next().await {
            length += bytes.len() as u64;
        }
        length
    }

    async fn next(&mut self) -> Option<Bytes> {
        match self.terminal.events.next().await?.expect("an event") {
            PtyEvent::Output { bytes } => Some(bytes),
            PtyEvent::Exited { .. } => None,
            event => panic!("{event:?}"),
        }
    }

    pub(super) async fn delete(self) {
        let deleted = self.process.api().delete_pty(&self.terminal.id).await;
        // One that has ended may be forgotten.
        drop(deleted);
    }
}
