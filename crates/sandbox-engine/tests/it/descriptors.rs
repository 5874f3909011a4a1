//! The descriptors of children that are started one by one and at a time.

use std::fs::File;
use std::io::Read;

use sandbox_engine::spawner::{ChildFd, Direct, ProcessGroup, SpawnLimits, SpawnSpec};
use sandbox_engine::{Environment, Spawner, Termination};

/// Starts a child with `count` descriptors, and checks that it has these and no others, and that its output is its own.
async fn check(direct: Direct, number: usize, count: usize) {
    let script = "echo $0; exec ls /proc/self/fd";
    let mut fds = vec![ChildFd::Null, ChildFd::Output, ChildFd::SameAs(1)];
    fds.resize(count, ChildFd::Null);
    let spec = SpawnSpec {
        program: "/bin/sh".into(),
        argv: ["sh", "-c", script, &number.to_string()]
            .map(Into::into)
            .into(),
        env: Environment::of_this_process(),
        cwd: "/".into(),
        fds,
        group: ProcessGroup::Own,
        limits: SpawnLimits::default(),
    };
    let mut child = direct.spawn(spec).await.unwrap();
    let mut output = File::from(child.fds[1].take().unwrap());
    let read = move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    };
    let text = tokio::task::spawn_blocking(read).await.unwrap().unwrap();
    // One more, by which it reads the directory.
    let expected = (0..=count).map(|fd| format!("{fd}\n"));
    let expected: String = std::iter::once(format!("{number}\n"))
        .chain(expected)
        .collect();
    assert_eq!(text, expected);
    assert_eq!(
        child.exit.await.unwrap().termination,
        Termination::Exited { code: 0 }
    );
}

// With few descriptors and few other starts a child shares this process's table at first; otherwise it has a copy.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_child_has_its_own_descriptors_and_no_others() {
    let direct = Direct::new();
    for count in 3..9 {
        check(direct.clone(), count, count).await;
    }
    let starts: Vec<_> = (100..140)
        .map(|number| tokio::spawn(check(direct.clone(), number, 3 + number % 6)))
        .collect();
    for start in starts {
        start.await.unwrap();
    }
}
