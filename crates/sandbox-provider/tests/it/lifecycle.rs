//! Sandboxes from their creation to their end.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox_provider::{Change, Error, Local, Provider, SandboxId, Spec, State, Stop};

use crate::machine::{Machine, skip};

#[tokio::test]
async fn a_sandbox_runs_commands_until_it_is_deleted() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let sandbox = machine.create().await;
    let places = machine.run(&sandbox, "echo hi; pwd; echo $HOME").await;
    assert_eq!(places, "hi\n/home/daytona\n/home/daytona");
    let user = machine.run(&sandbox, "id -un; id -gn; echo $USER").await;
    assert_eq!(user, "daytona\ndaytona\ndaytona");
    if std::path::Path::new("/bin/bash").exists() {
        // Where there is zsh as well: its terminals ask questions in a home without files.
        let shell = machine.run(&sandbox, "echo ${BASH_VERSION:+bash}").await;
        assert_eq!(shell, "bash");
    }
    assert_eq!(sandbox.spec.name.as_deref(), Some(sandbox.id.as_str()));
    assert_eq!(sandbox.spec.user.as_deref(), Some("daytona"));
    let list = machine.local.list().await.unwrap();
    assert_eq!(list, std::slice::from_ref(&sandbox));
    machine.local.delete(&sandbox.id).await.unwrap();
    let error = machine.local.get(&sandbox.id).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let error = machine.local.delete(&sandbox.id).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    machine.clear().await;
}

#[tokio::test]
async fn a_stop_ends_processes_and_leaves_files() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let local = &machine.local;
    let sandbox = machine.create().await;
    for how in [Stop::Terminate, Stop::Kill] {
        // In a session of its own, deaf to what asks it to end.
        let background = "(trap '' TERM; exec setsid sleep 4321 >/dev/null 2>&1) & echo x >> file";
        machine.run(&sandbox, background).await;
        let stopped = local.stop(&sandbox.id, how).await.unwrap();
        assert_eq!((stopped.state, stopped.reason), (State::Stopped, None));
        let again = local.stop(&sandbox.id, how).await.unwrap();
        assert_eq!(again.state, State::Stopped);
        let error = local.dial(&sandbox.id).await.unwrap_err();
        let is_stopped = matches!(
            error,
            Error::WrongState {
                state: State::Stopped
            }
        );
        assert!(is_stopped, "{error:?}");
        let started = local.start(&sandbox.id).await.unwrap();
        assert_eq!(started.state, State::Started);
        assert!(started.updated_at > sandbox.updated_at);
        assert_eq!(
            machine.run(&sandbox, "pgrep sleep || echo none").await,
            "none"
        );
    }
    assert_eq!(machine.run(&sandbox, "cat file").await, "x\nx");
    machine.clear().await;
}

#[tokio::test]
async fn a_daemon_that_does_not_end_is_killed() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let sandbox = machine.create().await;
    let body = r#"{"command":"kill -STOP $PPID; echo x > stopped"}"#;
    machine.post(&sandbox, body).await;
    machine.until_file(&sandbox, "stopped").await;
    let stopped = machine
        .local
        .stop(&sandbox.id, Stop::Terminate)
        .await
        .unwrap();
    assert_eq!(stopped.state, State::Stopped);
    machine.clear().await;
}

#[tokio::test]
async fn a_paused_sandbox_does_nothing_until_it_is_started() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let local = &machine.local;
    let sandbox = machine.create().await;
    let count =
        "(while :; do echo x >> file; done) >/dev/null 2>&1 & until test -s file; do :; done";
    machine.run(&sandbox, count).await;
    for _ in 0..2 {
        assert_eq!(local.pause(&sandbox.id).await.unwrap().state, State::Paused);
    }
    let file = machine.home(&sandbox, "file");
    let size = || std::fs::metadata(&file).unwrap().len();
    let before = size();
    // Other sandboxes go on.
    let other = machine.create().await;
    assert_eq!(machine.run(&other, "echo x").await, "x");
    assert_eq!(size(), before);
    let error = local.dial(&sandbox.id).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::WrongState {
                state: State::Paused
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        local.start(&sandbox.id).await.unwrap().state,
        State::Started
    );
    machine
        .run(
            &sandbox,
            &format!("until test $(stat -c %s file) -gt {before}; do :; done"),
        )
        .await;
    local.pause(&sandbox.id).await.unwrap();
    assert_eq!(
        local
            .stop(&sandbox.id, Stop::Terminate)
            .await
            .unwrap()
            .state,
        State::Stopped
    );
    let error = local.pause(&sandbox.id).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::WrongState {
                state: State::Stopped
            }
        ),
        "{error:?}"
    );
    machine.clear().await;
}

#[tokio::test]
async fn a_fork_has_a_copy_of_the_home() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let local = &machine.local;
    let sandbox = machine.create().await;
    machine
        .run(
            &sandbox,
            "mkdir d; echo one > d/file; chmod 640 d/file; ln -s d/file link",
        )
        .await;
    let mut spec = Spec::default();
    spec.name = Some("copy".to_owned());
    let copy = local.fork(&sandbox.id, spec).await.unwrap();
    assert_ne!(copy.id, sandbox.id);
    assert_eq!(
        machine.run(&copy, "cat link; stat -c '%a %U' d/file").await,
        "one\n640 daytona"
    );
    machine.run(&copy, "echo two > d/file").await;
    assert_eq!(machine.run(&sandbox, "cat link").await, "one");
    let unknown = SandboxId::new("x");
    let error = local.fork(&unknown, Spec::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    machine.clear().await;
}

#[tokio::test]
async fn an_end_of_its_own_is_noticed_with_its_reason() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let sandbox = machine.create().await;
    // The parent of the command is the daemon.
    machine
        .post(&sandbox, r#"{"command":"kill -KILL $PPID"}"#)
        .await;
    let ended = machine.until(&sandbox, State::Error).await;
    assert!(ended.reason.unwrap().contains("ended by itself"));
    let changed = machine.local.changed().await;
    assert_eq!(
        (changed.id, changed.state),
        (sandbox.id.clone(), State::Error)
    );
    let error = machine.local.dial(&sandbox.id).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::WrongState {
                state: State::Error
            }
        ),
        "{error:?}"
    );
    machine.local.start(&sandbox.id).await.unwrap();
    assert_eq!(machine.run(&sandbox, "echo again").await, "again");
    machine.clear().await;
}

#[tokio::test]
async fn a_description_is_applied_and_changed() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let local = &machine.local;
    let mut spec = Spec::default();
    spec.name = Some("web".to_owned());
    spec.user = Some("dev".to_owned());
    spec.env = BTreeMap::from([("A".to_owned(), "b c\nd".to_owned())]);
    spec.labels = BTreeMap::from([("team".to_owned(), "x".to_owned())]);
    spec.auto_stop = Some(Duration::from_secs(60));
    let sandbox = local.create(spec.clone()).await.unwrap();
    // With what the provider has chosen.
    let mut expect = spec.clone();
    expect.resources = sandbox.spec.resources;
    assert_eq!(sandbox.spec, expect);
    assert_eq!(
        machine.run(&sandbox, "echo \"$A\"; id -un").await,
        "b c\nd\ndev"
    );
    let error = local.create(spec).await.unwrap_err();
    assert!(
        matches!(&error, Error::NameTaken { name } if name == "web"),
        "{error:?}"
    );

    let mut change = Change::default();
    change.labels = Some(BTreeMap::new());
    change.auto_stop = Some(None);
    change.public = Some(true);
    let changed = local.change(&sandbox.id, change).await.unwrap();
    assert_eq!(changed.spec.labels, BTreeMap::new());
    assert_eq!((changed.spec.auto_stop, changed.spec.public), (None, true));
    assert_eq!(local.get(&sandbox.id).await.unwrap(), changed);

    let mut change = Change::default();
    change.block_network = Some(true);
    let error = local.change(&sandbox.id, change.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    local.stop(&sandbox.id, Stop::Kill).await.unwrap();
    local.change(&sandbox.id, change).await.unwrap();
    local.start(&sandbox.id).await.unwrap();
    assert_eq!(
        machine
            .run(&sandbox, "tail -n +3 /proc/net/dev | cut -d: -f1")
            .await
            .trim(),
        "lo"
    );
    machine.clear().await;
}

#[tokio::test]
async fn there_are_at_most_as_many_as_configured() {
    let directory = tempfile::tempdir().unwrap();
    let builder = || Local::builder(directory.path().join("state")).max_sandboxes(1);
    let local = match builder().open().await {
        Ok(local) => local,
        Err(Error::Unsupported { what }) => return skip(&what),
        Err(error) => panic!("{error:?}"),
    };
    let sandbox = local.create(Spec::default()).await.unwrap();
    let error = local.create(Spec::default()).await.unwrap_err();
    assert!(matches!(error, Error::Exhausted { .. }), "{error:?}");
    let error = builder().open().await.unwrap_err();
    assert!(error.to_string().contains("another provider"), "{error}");
    local.delete(&sandbox.id).await.unwrap();
    let again = local.create(Spec::default()).await.unwrap();
    local.delete(&again.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_created_side_by_side() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let created = (0..20).map(|number| {
        let local = machine.local.clone();
        tokio::spawn(async move {
            let mut spec = Spec::default();
            spec.name = Some(format!("s{}", number / 2));
            local.create(spec).await
        })
    });
    let created: Vec<_> = created.collect();
    let mut taken = 0;
    for created in created {
        match created.await.unwrap() {
            Ok(sandbox) => assert_eq!(machine.run(&sandbox, "echo x").await, "x"),
            Err(Error::NameTaken { .. }) => taken += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(taken, 10, "one of two with each name");
    assert_eq!(machine.local.list().await.unwrap().len(), 10);
    machine.clear().await;
}

#[tokio::test]
async fn a_change_is_completed_though_nothing_waits() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let creating = machine.local.create(Spec::default());
    // Polled until the change has begun.
    let begun = tokio::time::timeout(Duration::ZERO, creating).await;
    assert!(begun.is_err(), "it takes longer than that");
    let sandbox = loop {
        let list = machine.local.list().await.unwrap();
        if let Some(sandbox) = list.into_iter().next() {
            break sandbox;
        }
        tokio::task::yield_now().await;
    };
    machine.until(&sandbox, State::Started).await;
    assert_eq!(machine.run(&sandbox, "echo x").await, "x");
    machine.clear().await;
}
