//! What a sandbox may use of the machine, and that its control groups end with it.

use sandbox_provider::{Change, Error, Local, Provider, Resources, Sandbox, Spec, State, Stop};

use crate::machine::{Machine, execute, groups, members, skip};

/// Returns a sandbox with this memory, in MiB, or says why there is none.
async fn with_memory(machine: &Machine, mebibytes: u64) -> Option<Sandbox> {
    let mut spec = Spec::default();
    spec.resources.memory = Some(mebibytes << 20);
    spec.resources.cpus = Some(1);
    match machine.local.create(spec).await {
        Ok(sandbox) => Some(sandbox),
        Err(Error::Unsupported { what }) => {
            skip(&what);
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// A program that wants more memory than it gets: `tail` retains the last line, and there is one.
const HOG: &str = "head -c 1G /dev/zero | tail -n 1 | wc -c";

#[tokio::test]
async fn a_memory_hog_is_killed_and_that_is_reported() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let Some(small) = with_memory(&machine, 96).await else {
        return machine.clear().await;
    };
    assert_eq!(small.spec.resources.memory, Some(96 << 20));
    assert_eq!(small.spec.resources.cpus, Some(1));
    let ended = execute(&machine.local, &small, "exec tail -n 1 /dev/zero").await;
    assert_eq!(ended["exitCode"], 137, "{ended}");
    assert_eq!(ended["termination"]["kind"], "out_of_memory", "{ended}");
    // A kill by something else is none of it.
    let ended = execute(&machine.local, &small, "kill -KILL $$").await;
    assert_eq!(ended["termination"]["kind"], "signaled", "{ended}");
    // The sandbox goes on.
    let printed = machine.run(&small, &format!("{HOG}; echo goes on")).await;
    assert!(printed.ends_with("goes on"), "{printed}");
    assert!(!printed.contains("1073741824"), "{printed}");

    // With more it gets more, and after a restart as well.
    let mut change = Change::default();
    change.resources.memory = Some(128 << 20);
    let larger = machine.local.change(&small.id, change).await.unwrap();
    assert_eq!(larger.spec.resources.memory, Some(128 << 20));
    assert_eq!(larger.spec.resources.cpus, Some(1));
    assert_eq!(limit_of(&small, "memory"), Some(128 << 20));
    machine
        .local
        .stop(&small.id, Stop::Terminate)
        .await
        .unwrap();
    assert!(groups(&small).is_empty());
    machine.local.start(&small.id).await.unwrap();
    assert_eq!(limit_of(&small, "memory"), Some(128 << 20));
    // A copy has what the original has.
    let fork = { machine.local.fork(&small.id, Spec::default()).await }.unwrap();
    assert_eq!(fork.spec.resources, larger.spec.resources);
    machine.clear().await;
}

/// Returns the value of a limit of memory or processes, as the kernel has it.
fn limit_of(sandbox: &Sandbox, what: &str) -> Option<u64> {
    let files: &[&str] = match what {
        "memory" => &["memory.limit_in_bytes", "memory.max"],
        _ => &["pids.max"],
    };
    let groups = groups(sandbox);
    let mut texts = groups.iter().flat_map(|group| {
        let texts = files.iter().map(|file| group.join(file));
        texts.filter_map(|path| std::fs::read_to_string(path).ok())
    });
    texts.find_map(|text| text.trim().parse().ok())
}

#[tokio::test]
async fn a_fork_bomb_has_only_its_own_processes() {
    let directory = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let state = directory.path().join("state");
    let builder = Local::builder(&state).processes(48);
    let Some(machine) = Machine::with(builder, state, directory).await else {
        return;
    };
    let (bomb, other) = (machine.create().await, machine.create().await);
    assert_eq!(limit_of(&bomb, "pids"), Some(48));
    let forks = "touch begun; for i in $(seq 100); do sleep 4321 & done";
    machine
        .post(&bomb, &format!(r#"{{"command":"{forks}"}}"#))
        .await;
    // While it is at its limit the others are as they were, and it can be ended.
    machine.until_file(&bomb, "begun").await;
    let many = "for i in $(seq 20); do sleep 0.01 & done; wait; echo all";
    assert_eq!(machine.run(&other, many).await, "all");
    let counted = async {
        loop {
            let files = groups(&bomb)
                .into_iter()
                .map(|group| group.join("pids.events"));
            let events = files.map(std::fs::read_to_string).find_map(Result::ok);
            if events.is_some_and(|events| !events.contains("max 0\n")) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::machine::PATIENCE, counted)
        .await
        .unwrap();
    let stopped = machine.local.stop(&bomb.id, Stop::Terminate).await.unwrap();
    assert_eq!(stopped.state, State::Stopped);
    assert!(groups(&bomb).is_empty());
    machine.clear().await;
}

#[tokio::test]
async fn a_sandbox_that_its_limit_kills_says_so() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let Some(sandbox) = with_memory(&machine, 64).await else {
        return machine.clear().await;
    };
    // What it has in memory stays when the process that wrote it is killed, so that the daemon is next.
    let fill = r#"{"command":"while :; do head -c 200M /dev/zero > /dev/shm/x; done"}"#;
    machine.post(&sandbox, fill).await;
    let ended = machine.until(&sandbox, State::Error).await;
    let reason = ended.reason.unwrap();
    assert!(reason.contains("its memory limit has killed"), "{reason}");
    let gone = async {
        while !groups(&sandbox).is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::machine::PATIENCE, gone)
        .await
        .unwrap();
    machine.local.start(&sandbox.id).await.unwrap();
    assert_eq!(machine.run(&sandbox, "echo again").await, "again");
    machine.clear().await;
}

#[tokio::test]
async fn a_sandbox_cannot_change_its_limits() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let Some(sandbox) = with_memory(&machine, 96).await else {
        return machine.clear().await;
    };
    for group in groups(&sandbox) {
        let group = group.display();
        let attempt = format!(
            "for f in {group}/*.max {group}/*.limit_in_bytes {group}/cpu.cfs_quota_us; do echo -1 > $f; done; \
             for f in {group}/../cgroup.procs {group}/../tasks; do echo $$ > $f; done; mkdir {group}/x"
        );
        machine
            .run(&sandbox, &format!("({attempt}) 2>/dev/null; true"))
            .await;
        assert!(!std::path::Path::new(&format!("{group}/x")).exists());
        // The daemon, its launcher, and its way out, if it has one.
        let listed = std::fs::read_to_string(format!("{group}/cgroup.procs")).unwrap();
        let all = members(&sandbox);
        assert!(all.len() > 2, "{all:?}");
        for pid in all {
            assert!(
                listed.lines().any(|line| line == pid.to_string()),
                "{pid}: {listed}"
            );
        }
    }
    assert_eq!(limit_of(&sandbox, "memory"), Some(96 << 20));
    machine.clear().await;
}

#[tokio::test]
async fn a_default_is_that_of_the_provider() {
    let directory = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let state = directory.path().join("state");
    let builder = Local::builder(&state).memory(200 << 20);
    let Some(machine) = Machine::with(builder, state, directory).await else {
        return;
    };
    let sandbox = machine.create().await;
    assert_eq!(sandbox.spec.resources.memory, Some(200 << 20));
    assert_eq!(limit_of(&sandbox, "memory"), Some(200 << 20));
    assert_eq!(limit_of(&sandbox, "pids"), Some(2048));
    assert!(machine.local.warnings().is_empty());
    machine.clear().await;
    let none = Local::builder("/nonexistent").memory(1).open().await;
    assert!(matches!(none, Err(Error::Invalid { .. })), "{none:?}");
}

/// As an ordinary user, without a delegated control group.
#[tokio::test]
async fn what_cannot_be_limited_is_refused_and_said() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let Some(machine) = Machine::new().await else {
        return;
    };
    let sandbox = machine.create().await;
    assert_eq!(sandbox.spec.resources, Resources::default());
    let warnings = machine.local.warnings().join("\n");
    assert!(warnings.contains("memory"), "{warnings}");
    let mut spec = Spec::default();
    spec.resources.memory = Some(1 << 30);
    let refused = machine.local.create(spec).await.unwrap_err();
    let Error::Unsupported { what } = refused else {
        panic!("{refused:?}");
    };
    assert!(what.contains("help: "), "{what}");
    let mut change = Change::default();
    change.resources.cpus = Some(1);
    let refused = machine.local.change(&sandbox.id, change).await;
    assert!(
        matches!(refused, Err(Error::Unsupported { .. })),
        "{refused:?}"
    );
    machine.clear().await;
}
