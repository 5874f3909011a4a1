//! The time that sandboxes of this machine take, and their memory when they are idle.
//!
//! `cargo bench -p sandbox-provider`. Not a test: no number of it is asserted.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::time::{Duration, Instant};

use sandbox_provider::{Local, Provider, Sandbox, Spec};

/// Sandboxes that are created one after another, and then side by side.
const SANDBOXES: usize = 100;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let local = Local::builder(directory.path().join("state"))
        .open()
        .await?;
    let mut created = Vec::new();
    let mut times = Vec::new();
    for _ in 0..SANDBOXES {
        let begun = Instant::now();
        created.push(local.create(Spec::default()).await?);
        times.push(begun.elapsed());
    }
    print("create", &mut times);
    tokio::time::sleep(Duration::from_secs(1)).await;
    memory(&created)?;
    let mut times = Vec::new();
    for sandbox in created {
        let begun = Instant::now();
        local.delete(&sandbox.id).await?;
        times.push(begun.elapsed());
    }
    print("delete", &mut times);
    let begun = Instant::now();
    let tasks: Vec<_> = (0..SANDBOXES)
        .map(|_| {
            let local = local.clone();
            tokio::spawn(async move { local.create(Spec::default()).await })
        })
        .collect();
    let mut failed = 0;
    for task in tasks {
        failed += usize::from(task.await?.is_err());
    }
    let elapsed = begun.elapsed();
    println!("{SANDBOXES} side by side       {elapsed:>10.1?}, {failed} failed");
    for sandbox in local.list().await? {
        local.delete(&sandbox.id).await?;
    }
    Ok(())
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{what:<20} p50 {:>10.1?}   p95 {:>10.1?}   least {:>10.1?}",
        at(50),
        at(95),
        at(0)
    );
}

/// Prints what the processes of each sandbox use: all of them are named after the launcher, which has the id.
fn memory(sandboxes: &[Sandbox]) -> Result<(), Failure> {
    let mut processes = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Ok(status) = std::fs::read_to_string(path.join("status")) else {
            continue;
        };
        let field = |name: &str| {
            let mut lines = status.lines().filter_map(|line| line.strip_prefix(name));
            lines
                .next()
                .unwrap_or_default()
                .trim()
                .trim_end_matches(" kB")
                .to_owned()
        };
        let pss = std::fs::read_to_string(path.join("smaps_rollup")).unwrap_or_default();
        let pss = pss.lines().find_map(|line| line.strip_prefix("Pss:"));
        let pss = pss
            .unwrap_or_default()
            .trim()
            .trim_end_matches(" kB")
            .parse::<u64>();
        let arguments = std::fs::read(path.join("cmdline")).unwrap_or_default();
        processes.push((
            field("Pid:"),
            field("PPid:"),
            field("Name:"),
            field("VmRSS:").parse::<u64>().unwrap_or_default(),
            field("RssAnon:").parse::<u64>().unwrap_or_default(),
            pss.unwrap_or_default(),
            String::from_utf8_lossy(&arguments).into_owned(),
        ));
    }
    let mut sums: std::collections::BTreeMap<String, [u64; 4]> = std::collections::BTreeMap::new();
    for sandbox in sandboxes {
        let is_launcher = |name: &str| name == "sandbox-lasting";
        let mut members: Vec<_> = processes
            .iter()
            .filter(|process| is_launcher(&process.2) && process.6.contains(sandbox.id.as_str()))
            .collect();
        let mut next = 0;
        while let Some(parent) = members.get(next).map(|process| process.0.clone()) {
            members.extend(processes.iter().filter(|process| process.1 == parent));
            next += 1;
        }
        for (_, _, name, resident, anonymous, shared, _) in members {
            let sum = sums.entry(name.clone()).or_default();
            sum[0] += 1;
            sum[1] += resident;
            sum[2] += anonymous;
            sum[3] += shared;
        }
    }
    for (name, [count, resident, anonymous, shared]) in sums {
        println!(
            "{name:<20} {count:>4} processes, each {} kB resident, {} kB anonymous, {} kB by share",
            resident / count,
            anonymous / count,
            shared / count,
        );
    }
    Ok(())
}
