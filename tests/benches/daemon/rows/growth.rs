//! What is beside many others: whether it is slower, and the memory that each of them takes in the daemon.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use sandbox_process::transport::{LogOptions, LogSource, LogStream, SessionExecuteRequest};
use sandbox_process::{Process, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::terminals::User;
use super::{FEW, ROUNDS, exec, id};
use crate::measure::{Goal, LONGEST, Row, Samples, Unit, time};
use crate::serve::Daemon;

/// What one idle thing may take in the daemon.
const EACH: Goal = Goal::Within(32.0 * 1024.0);
/// What may be used after a load, more than before.
const RETAINED: Goal = Goal::Within(10e6);
/// How many are created at a time.
const TOGETHER: usize = 8;
const CONNECTIONS: usize = 1000;

/// Many of something.
trait Crowd {
    const NAME: &'static str;
    /// The most that a daemon has.
    const MOST: usize = 1000;
    type Member;

    async fn join(&self) -> Self::Member;
    async fn leave(member: Self::Member);
}

struct Sessions(Process);

impl Crowd for Sessions {
    const NAME: &'static str = "session";
    type Member = Session;

    async fn join(&self) -> Session {
        self.0.create_session(id()).await.expect("a session")
    }

    async fn leave(session: Session) {
        session.delete().await.expect("its end");
    }
}

struct Terminals(Process);

impl Crowd for Terminals {
    const NAME: &'static str = "terminal";
    const MOST: usize = 500;
    type Member = User;

    async fn join(&self) -> User {
        User::open(&self.0).await
    }

    async fn leave(user: User) {
        user.delete().await;
    }
}

/// Followers of a command that writes nothing.
struct Followers(Process, LogSource);

impl Crowd for Followers {
    const NAME: &'static str = "follower";
    type Member = LogStream;

    async fn join(&self) -> LogStream {
        let log = self.0.api().follow_log(self.1.clone(), LogOptions::new());
        log.await.expect("a log")
    }

    async fn leave(log: LogStream) {
        drop(log);
    }
}

pub(crate) async fn rows() -> Vec<Row> {
    let mut rows = beside(&Daemon::tcp(), async |process| Sessions(process)).await;
    rows.extend(beside(&Daemon::tcp(), async |process| Terminals(process)).await);
    let followers = async |process: Process| {
        let session = process.create_session(id()).await.expect("a session");
        let request = SessionExecuteRequest {
            run_async: true,
            ..SessionExecuteRequest::new("sleep 1000")
        };
        let command = process.api().session_execute(session.id(), request).await;
        let source = LogSource::command(session.id(), command.expect("a command").command_id);
        Followers(process, source)
    };
    rows.extend(beside(&Daemon::tcp(), followers).await);
    rows.push(connections(&Daemon::tcp()).await);
    rows
}

/// Measures a few operations beside 1, 10, 100 and more others, and the memory of these.
async fn beside<C: Crowd>(daemon: &Daemon, crowd: impl AsyncFnOnce(Process) -> C) -> Vec<Row> {
    let process = daemon.client();
    let crowd = crowd(process.clone()).await;
    let mut subjects = Subjects::new(&process).await;
    subjects.measure().await;
    let alone = subjects.measure().await;
    // What the first of a kind allocates for all.
    C::leave(crowd.join().await).await;
    let before = daemon.resident();
    let mut rows = Vec::new();
    let mut members = Vec::new();
    for wanted in [1, 10, 100, C::MOST] {
        let more = (members.len()..wanted).map(|_| crowd.join());
        let more = stream::iter(more).buffer_unordered(TOGETHER);
        members.extend(more.collect::<Vec<_>>().await);
        let now = subjects.measure().await;
        let name = C::NAME;
        for ((what, now), alone) in SUBJECTS.iter().zip(now).zip(&alone) {
            let name = format!("{what}, beside {wanted} {name}s");
            let row = Row::new(name, Unit::Time, now).limit("the same alone", alone.clone());
            rows.push(row.goal(Goal::Ratio(1.2)));
        }
    }
    let name = C::NAME;
    #[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
    let each = (daemon.resident() - before) / members.len() as f64;
    rows.push(Row::new(format!("resident for each idle {name}"), Unit::Memory, each).goal(EACH));
    let leaving = stream::iter(members.into_iter().map(C::leave));
    leaving.buffer_unordered(TOGETHER).collect::<Vec<_>>().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = daemon.resident() - before;
    let name = format!("resident 1 s after {} {name}s, over idle", C::MOST);
    rows.push(Row::new(name, Unit::Memory, after).goal(RETAINED));
    rows
}

const SUBJECTS: [&str; 3] = ["exec", "session command", "echo of a line"];

/// What is measured beside others.
struct Subjects {
    process: Process,
    session: Session,
    user: User,
}

impl Subjects {
    async fn new(process: &Process) -> Self {
        let mut user = User::open(process).await;
        user.cat().await;
        Self {
            process: process.clone(),
            session: process.create_session(id()).await.expect("a session"),
            user,
        }
    }

    /// Measures each, in turns.
    async fn measure(&mut self) -> [Samples; 3] {
        let mut samples: [Samples; 3] = Default::default();
        let started = Instant::now();
        for round in 0..ROUNDS / 2 {
            if round >= FEW && started.elapsed() > LONGEST {
                break;
            }
            samples[0].add(exec(&self.process).await);
            let run = self.session.run(":");
            let run = async { drop(run.await.expect("an outcome")) };
            samples[1].add(time(run).await);
            samples[2].add(self.user.echo().await);
        }
        samples
    }
}

/// Connections of clients that are let in and ask nothing more.
async fn connections(daemon: &Daemon) -> Row {
    let address = daemon.url.strip_prefix("http://").expect("TCP");
    let connect = async || {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request).await.expect("a request");
        let count = stream.read(&mut [0; 4096]).await.expect("a response");
        assert!(count > 0, "the connection has ended");
        stream
    };
    connect().await;
    let before = daemon.resident();
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(connect().await);
    }
    #[expect(clippy::cast_precision_loss, reason = "a thousand")]
    let each = (daemon.resident() - before) / CONNECTIONS as f64;
    drop(open);
    Row::new("resident for each idle connection", Unit::Memory, each).goal(EACH)
}
