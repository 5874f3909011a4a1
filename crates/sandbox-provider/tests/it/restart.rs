//! The provider's process is killed, and the next one finds what it has left.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sandbox_provider::{Local, Provider, Sandbox, Spec, State, Stop};

use crate::machine::{Machine, PATIENCE, groups, helpers, run};

/// The state directory of the child of a test.
const STATE: &str = "SANDBOX_PROVIDER_TEST_STATE";

fn state_of_child() -> Option<PathBuf> {
    std::env::var_os(STATE).map(PathBuf::from)
}

/// A process that runs a test of this program as a child, and is killed when it is dropped.
struct Killed(Child);

impl Killed {
    #[expect(
        clippy::disallowed_methods,
        reason = "starts this program, not one of an engine"
    )]
    fn start(test: &str, state: &Path) -> Self {
        let mut command = Command::new("/proc/self/exe");
        command
            .args(["--exact", test, "--nocapture"])
            .env(STATE, state);
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Reads what the child prints, up to a line that begins so, and returns the rest of that.
    fn until(&mut self, begin: &str) -> String {
        let output = self.0.stdout.take().unwrap();
        let mut lines = BufReader::new(output).lines().map(Result::unwrap);
        // What it prints afterwards has no reader, and it does not mind.
        let found = lines.find_map(|line| line.strip_prefix(begin).map(str::to_owned));
        found.unwrap_or_else(|| panic!("the child ended before it printed {begin}"))
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn say(text: &str) {
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes()).unwrap();
    stdout.flush().unwrap();
}

async fn named(local: &Local, name: &str) -> Sandbox {
    let list = local.list().await.unwrap();
    let named = |sandbox: &Sandbox| sandbox.spec.name.as_deref() == Some(name);
    list.into_iter().find(named).unwrap()
}

#[tokio::test]
async fn sandboxes_outlive_a_provider_that_is_killed() {
    if let Some(state) = state_of_child() {
        let local = Local::builder(state).open().await.unwrap();
        for name in ["runs", "stopped", "paused", "ended"] {
            let mut spec = Spec::default();
            spec.name = Some(name.to_owned());
            let sandbox = local.create(spec).await.unwrap();
            run(
                &local,
                &sandbox,
                "(sleep 4321 >/dev/null 2>&1 & echo $! > pid)",
            )
            .await;
            match name {
                "stopped" => drop(local.stop(&sandbox.id, Stop::Terminate).await.unwrap()),
                "paused" => drop(local.pause(&sandbox.id).await.unwrap()),
                _ => {}
            }
        }
        say("\nready\n");
        return std::future::pending().await;
    }
    let Some(machine) = Machine::new().await else {
        return;
    };
    let state = machine.directory.path().join("other");
    let mut child = Killed::start(
        "restart::sandboxes_outlive_a_provider_that_is_killed",
        &state,
    );
    child.until("ready");
    drop(child);

    let machine = machine.beside("other").await;
    let local = machine.local.clone();
    let runs = named(&local, "runs").await;
    assert_eq!(runs.state, State::Started);
    assert_eq!(
        run(&local, &runs, "kill -0 $(cat pid) && echo lives").await,
        "lives"
    );
    // Its way out, if it has one, is as it was.
    let is_out = !local.warnings().iter().any(|one| one.contains("network"));
    assert_eq!(helpers(&runs).len(), usize::from(is_out));
    assert_eq!(named(&local, "stopped").await.state, State::Stopped);
    let paused = named(&local, "paused").await;
    assert_eq!(paused.state, State::Paused);
    local.start(&paused.id).await.unwrap();
    assert_eq!(
        run(&local, &paused, "kill -0 $(cat pid) && echo lives").await,
        "lives"
    );
    // It ends while a provider runs that has not started it.
    let ended = named(&local, "ended").await;
    assert!(groups(&named(&local, "stopped").await).is_empty());
    machine
        .post(&ended, r#"{"command":"kill -KILL $PPID"}"#)
        .await;
    machine.until(&ended, State::Error).await;
    local.stop(&runs.id, Stop::Terminate).await.unwrap();
    machine.clear().await;
}

/// A sandbox that is being created or deleted when the provider is killed is there as a whole, or not at all.
#[tokio::test]
async fn nothing_half_made_is_left() {
    if let Some(state) = state_of_child() {
        let local = Local::builder(state).open().await.unwrap();
        loop {
            let sandbox = local.create(Spec::default()).await.unwrap();
            local.delete(&sandbox.id).await.unwrap();
        }
    }
    let Some(machine) = Machine::new().await else {
        return;
    };
    let test = "restart::nothing_half_made_is_left";
    let directory = machine.directory.path();
    for (number, (what, is_reached)) in POINTS.into_iter().enumerate() {
        let state = directory.join(number.to_string());
        let child = Killed::start(test, &state);
        let begun = std::time::Instant::now();
        let reached = reached(&state, what, is_reached);
        drop(child);
        let found = machine.beside(&number.to_string()).await;
        let left = found.local.list().await.unwrap();
        let ids: Vec<_> = left.iter().map(|sandbox| sandbox.id.to_string()).collect();
        for directory in ["records", "data", "run"] {
            let entries = std::fs::read_dir(state.join(directory)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            assert_eq!(names.collect::<Vec<_>>(), ids, "{what}: {directory}");
        }
        if !ids.contains(&reached) {
            let id = sandbox_provider::SandboxId::new(&*reached);
            let time = std::time::SystemTime::UNIX_EPOCH;
            let gone = Sandbox::new(id, Spec::default(), State::Deleting, time);
            assert_eq!(groups(&gone), Vec::<PathBuf>::new(), "{what}");
        }
        // A launcher that was not ready when the provider was killed ends when it reports that it is.
        while !ids.contains(&reached) && is_running(&reached) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {reached} still runs");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for sandbox in left {
            assert_eq!(sandbox.state, State::Started, "{what}");
            assert_eq!(found.run(&sandbox, "echo whole").await, "whole");
        }
        found.clear().await;
    }
}

/// A point in the life of a sandbox that its files show, given the state directory and an id.
type Point = fn(&Path, &str) -> bool;

const POINTS: [(&str, Point); 7] = [
    ("has a record", |state, id| {
        state.join("records").join(id).exists()
    }),
    ("has a home", |state, id| {
        state.join("data").join(id).join("home").exists()
    }),
    ("has a socket", |state, id| {
        state.join("run").join(id).exists()
    }),
    ("has a log", |state, id| {
        state.join("data").join(id).join("log").exists()
    }),
    ("has the record of its start", |state, id| {
        let (records, data) = (state.join("records"), state.join("data").join(id));
        let inside = std::fs::read_dir(data.join("state"));
        inside.is_ok_and(|mut inside| inside.next().is_none())
            && records.join(id).exists()
            && records.join(format!("{id}.new")).exists()
    }),
    ("runs", |state, id| {
        let inside = std::fs::read_dir(state.join("data").join(id).join("state"));
        inside.is_ok_and(|mut inside| inside.next().is_some())
    }),
    ("loses its socket", |state, id| {
        let data = state.join("data").join(id);
        data.join("home").exists()
            && data.join("log").exists()
            && !state.join("run").join(id).exists()
    }),
];

/// Returns the id of the first sandbox that reaches a point.
fn reached(state: &Path, what: &str, is_reached: Point) -> String {
    let begun = std::time::Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "none {what}");
        let records = std::fs::read_dir(state.join("records"));
        let records = records.into_iter().flatten();
        let mut ids = records.filter_map(|record| record.ok()?.file_name().into_string().ok());
        let reached = |id: &String| is_reached(state, id.trim_end_matches(".new"));
        if let Some(id) = ids.find(reached) {
            return id;
        }
    }
}

/// A sandbox that is being stopped or started when the provider is killed is stopped or started, and can be used again.
#[tokio::test]
async fn a_change_that_is_interrupted_is_no_error() {
    if let Some(state) = state_of_child() {
        let local = Local::builder(state).open().await.unwrap();
        let sandbox = match local.list().await.unwrap().pop() {
            Some(sandbox) => sandbox,
            None => local.create(Spec::default()).await.unwrap(),
        };
        // The machine of the round before has ended it.
        local.start(&sandbox.id).await.unwrap();
        say("\nready\n");
        loop {
            local.stop(&sandbox.id, Stop::Kill).await.unwrap();
            local.start(&sandbox.id).await.unwrap();
        }
    }
    let Some(machine) = Machine::new().await else {
        return;
    };
    let state = machine.directory.path().join("other");
    for round in 0..10 {
        let test = "restart::a_change_that_is_interrupted_is_no_error";
        let mut child = Killed::start(test, &state);
        child.until("ready");
        // At points that differ, whatever the machine's speed.
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        drop(child);
        let found = machine.beside("other").await;
        let sandbox = found.local.list().await.unwrap().pop().unwrap();
        let is_settled = [State::Started, State::Stopped].contains(&sandbox.state);
        assert!(is_settled, "{round}: {sandbox:?}");
        found.local.start(&sandbox.id).await.unwrap();
        assert_eq!(found.run(&sandbox, "echo whole").await, "whole");
        if round == 9 {
            found.clear().await;
        }
    }
}

/// Returns whether a sandbox with this id runs on this machine.
fn is_running(id: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap();
    let mut arguments = processes.filter_map(|process| {
        let path = process.ok()?.path().join("cmdline");
        std::fs::read(path).ok()
    });
    arguments.any(|arguments| arguments == format!("sandbox-isolation\0{id}\0").as_bytes())
}
