//! Sandboxes of this machine, through the control plane.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sandbox_control::Embedded;
use sandbox_process::{Sandbox, Sandboxes};
use sandbox_provider::Local;

use super::{ROUNDS, exec};
use crate::bare;
use crate::measure::{Goal, Row, Samples, Unit, repeat, time};

const IDLE: usize = 50;
const TOGETHER: usize = 100;

pub(crate) async fn rows() -> Vec<Row> {
    let directory = tempfile::tempdir().expect("a directory");
    let local = Local::builder(directory.path().join("state")).open().await;
    let provider = Arc::new(local.expect("a provider"));
    let control = Embedded::start(provider).await.expect("a control plane");
    let sandboxes = control.sandboxes();
    let (mut idle, mut created, mut deleted) = (Vec::new(), Samples::default(), Samples::default());
    for _ in 0..IDLE {
        let started = Instant::now();
        idle.push(create(sandboxes).await);
        created.add(started.elapsed().as_secs_f64());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory: Samples = idle.iter().map(|sandbox| memory(sandbox.id())).collect();
    let process = idle[0].process();
    let ran = repeat(ROUNDS, async || exec(&process).await).await;
    for sandbox in idle {
        deleted.add(time(async { sandbox.delete().await.expect("its end") }).await);
    }
    let together = join_all((0..TOGETHER).map(|_| create(sandboxes)));
    let started = Instant::now();
    let together = together.await;
    let took = started.elapsed().as_secs_f64();
    for some in together.chunks(8) {
        join_all(some.iter().map(Sandbox::delete)).await;
    }
    control.shutdown().await;
    vec![
        Row::new("sandbox, create", Unit::Time, created).goal(Goal::Within(10e-3)),
        Row::new("sandbox, exec of `true`", Unit::Time, ran),
        Row::new("sandbox, delete", Unit::Time, deleted),
        Row::new("100 sandboxes created in parallel, all", Unit::Time, took),
        Row::new("idle sandbox, proportional size", Unit::Memory, memory).goal(Goal::Within(16e6)),
    ]
}

async fn create(sandboxes: &Sandboxes) -> Sandbox {
    sandboxes.create().await.expect("a sandbox")
}

/// Returns the memory of a sandbox's processes: those that have its id in their arguments, and all below. What processes share counts for
/// each in part.
fn memory(id: &str) -> f64 {
    let read = |pid: u32, name| {
        let file = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        String::from_utf8_lossy(&file).into_owned()
    };
    let entries = fs::read_dir("/proc").expect("processes");
    let pids: Vec<u32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let mut members: BTreeSet<u32> = pids
        .iter()
        .copied()
        .filter(|&pid| {
            *"sandbox-lasting" == *read(pid, "comm").trim() && read(pid, "cmdline").contains(id)
        })
        .collect();
    assert!(!members.is_empty(), "the sandbox's processes");
    loop {
        let before = members.len();
        for &pid in &pids {
            let status = read(pid, "status");
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
            let parent = parent.and_then(|parent| parent.trim().parse().ok());
            if parent.is_some_and(|parent| members.contains(&parent)) {
                members.insert(pid);
            }
        }
        if members.len() == before {
            break;
        }
    }
    let sizes = members
        .iter()
        .map(|&pid| bare::kilobytes(&read(pid, "smaps_rollup"), "Pss:"));
    sizes.sum()
}
