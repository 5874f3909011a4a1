//! Signals for a session's commands.

use std::time::{Duration, Instant};

use sandbox_engine::limits::SIGNAL_WAIT;
use sandbox_engine::{CommandOptions, CommandState, Signal, SignalError};

use super::{Fixture, UNTIL_GO, exited};
use crate::guard::{eventually, pid_of, unique_sleep};

/// A command that is between two processes has none, and a signal must not be lost there.
async fn a_signal_waits_for_a_process(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let sleep = unique_sleep();
    // It runs builtins alone until the file is there.
    let text = format!("while ! [ -e go ]; do :; done; sleep {sleep}");
    let command = f.session.execute(&text, CommandOptions::default()).unwrap();
    eventually("it runs", || command.state() == CommandState::Running).await;
    let signal = command.signal(Signal::TERM);
    tokio::pin!(signal);
    tokio::select! {
        biased;
        sent = &mut signal => panic!("{shell}: {sent:?} without a process"),
        () = tokio::time::sleep(Duration::from_millis(50)) => f.go(),
    }
    assert_eq!(signal.await, Ok(()), "{shell}");
    let did = f.see(&command, &text).await;
    assert_eq!(did.termination, exited(143), "{shell}");
    assert_eq!(f.ok("echo ok").await, "ok\n", "{shell}");
    f.end().await;
}
in_every_shell!(a_signal_waits_for_a_process);

/// Between `fork` and `exec` a process has the shell's handlers, or here one of its own: what they note is lost with the shell's
/// memory.
async fn a_signal_before_a_program_is_executed_reaches_the_program(shell: &'static str) {
    let f = Fixture::new(shell).await;
    loop {
        let sleep = unique_sleep();
        let text = format!(
            "(trap got=1 TERM; echo >ready; until [ \"$got\" ]; do :; done; exec sleep {sleep})"
        );
        let began = Instant::now();
        let command = f.session.execute(&text, CommandOptions::default()).unwrap();
        eventually("it waits", || f.path("ready").exists()).await;
        command.signal(Signal::TERM).await.unwrap();
        std::fs::remove_file(f.path("ready")).unwrap();
        // A process that is older has a life of its own.
        if began.elapsed() < SIGNAL_WAIT / 2 {
            let did = f.see(&command, &text).await;
            assert_eq!(did.termination, exited(143), "{shell}");
            break;
        }
        command.signal(Signal::KILL).await.unwrap();
        f.see(&command, &text).await;
    }
    f.end().await;
}
in_every_shell!(a_signal_before_a_program_is_executed_reaches_the_program);

/// The commands of a trap are started by the signal, and are not what it is for.
#[tokio::test]
async fn a_signal_spares_what_is_started_because_of_it() {
    let f = Fixture::new("/bin/dash").await;
    // Whether the trap's commands are found depends on the order of many steps.
    for _ in 0..30 {
        let sleep = unique_sleep();
        let text = format!(
            "sh -c 'trap \"sleep 0.1 || echo interrupted; exit 7\" TERM; while :; do sleep {sleep}; done'"
        );
        let command = f.session.execute(&text, CommandOptions::default()).unwrap();
        // Before that the shell may start it after the signal, and runs the trap when it has ended.
        eventually("it runs", || pid_of(&sleep).is_some()).await;
        command.signal(Signal::TERM).await.unwrap();
        let did = f.see(&command, &text).await;
        assert_eq!((&*did.stdout, did.termination), ("", exited(7)));
    }
    f.end().await;
}

#[tokio::test]
async fn a_signal_without_a_process_is_refused() {
    let f = Fixture::new("/bin/bash").await;
    let command = f
        .session
        .execute("while :; do :; done", CommandOptions::default())
        .unwrap();
    eventually("it runs", || command.state() == CommandState::Running).await;
    let both = tokio::join!(command.signal(Signal::TERM), command.signal(Signal::INT));
    let refused = Err(SignalError::NoProcess);
    assert_eq!(both, (refused, refused));
    command.signal(Signal::KILL).await.unwrap();
    eventually("ended", || f.session.ended().is_some()).await;
    f.end().await;
}

async fn signals_reach_the_commands_processes(shell: &'static str) {
    let f = Fixture::new(shell).await;
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::KILL, 137)] {
        let sleep = unique_sleep();
        let command = f
            .session
            .execute(
                &format!("sh -c 'sleep {sleep}; :'"),
                CommandOptions::default(),
            )
            .unwrap();
        eventually("it runs", || pid_of(&sleep).is_some()).await;
        command.signal(signal).await.unwrap();
        let did = f.see(&command, "sleep").await;
        assert_eq!(did.termination, exited(code), "{shell}: {signal:?}");
        assert_eq!(command.signal(signal).await, Err(SignalError::Ended));
    }
    assert_eq!(f.ok("echo ok").await, "ok\n", "{shell}");
    let busy = f
        .session
        .execute(UNTIL_GO, CommandOptions::default())
        .unwrap();
    let queued = f
        .session
        .execute("true", CommandOptions::default())
        .unwrap();
    assert_eq!(
        queued.signal(Signal::INT).await,
        Err(SignalError::Queued),
        "{shell}"
    );
    f.go();
    f.see(&busy, UNTIL_GO).await;
    f.end().await;
}
in_every_shell!(signals_reach_the_commands_processes);
