//! What an isolated process sees.

use std::os::unix::fs::PermissionsExt;

use sandbox_engine::isolation::{Access, Isolation, IsolationError, Network, Step};
use sandbox_engine::{ExecError, RunError, SpawnError};

use super::Machine;
use crate::guard::text;

#[tokio::test]
async fn the_view_is_a_working_system() {
    let machine = Machine::new();
    machine
        .check("ls /tmp /var/tmp /run /root | grep -v :", "\n\n\n")
        .await;
    machine.check("echo a > /tmp/a && cat /tmp/a", "a\n").await;
    machine.check("ls /tmp | grep -vx a", "").await;
    machine
        .check("echo b > /dev/shm/b && cat /dev/shm/b", "b\n")
        .await;
    machine
        .check("echo c > /dev/null; head -c 2 /dev/zero | wc -c", "2\n")
        .await;
    machine.check("head -c 3 /dev/urandom | wc -c", "3\n").await;
    machine
        .check("echo d > /dev/stdout; echo e | cat /dev/stdin", "d\ne\n")
        .await;
    machine.check("cat <(echo f)", "f\n").await;
    machine
        .check("touch /dev/file || echo no", &no("touch", "/dev/file"))
        .await;
    machine
        .check("ls -d /proc/[0-9]*", "/proc/1\n/proc/2\n")
        .await;
    machine.check("cat /proc/net/dev | grep -c :", "1\n").await;
}

fn no(program: &str, path: &str) -> String {
    format!("{program}: cannot touch '{path}': Read-only file system\nno\n")
}

#[tokio::test]
async fn paths_are_as_they_were_asked_for() {
    let machine = Machine::new();
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("file"), "of the machine\n").unwrap();
    std::fs::create_dir(machine.path("inner")).unwrap();
    std::fs::write(machine.path("inner/secret"), "secret\n").unwrap();
    std::os::unix::fs::symlink(machine.path("inner/secret"), machine.path("link")).unwrap();
    let third = tempfile::tempdir().unwrap();
    let isolation = Isolation::builder()
        .bind_at(other.path(), "/tmp/deep/other", Access::Read)
        .bind(third.path(), Access::Write)
        .bind_at(other.path().join("file"), "/tmp/one", Access::Read)
        .hide(machine.path("link"))
        .scratch("/opt")
        .scratch_bytes(8192)
        .build()
        .unwrap();
    let check = async |command: &str, expect: &str| {
        let outcome = machine.run(&isolation, command).await;
        assert_eq!(text(&outcome), expect, "{command}");
    };
    check(
        "cat /tmp/deep/other/file /tmp/one",
        "of the machine\nof the machine\n",
    )
    .await;
    check(
        "(echo x > /tmp/deep/other/file) 2>/dev/null || echo no",
        "no\n",
    )
    .await;
    check("(echo x > /tmp/one) 2>/dev/null || echo no", "no\n").await;
    // A link leads to what is hidden.
    check("cat inner/secret 2>/dev/null || echo no", "no\n").await;
    check("echo y > /opt/y && cat /opt/y", "y\n").await;
    check(
        "head -c 8193 /dev/zero 2>/dev/null > /opt/y || echo full",
        "full\n",
    )
    .await;
    let third = third.path();
    check(&format!("echo z > {}/z", third.display()), "").await;
    assert_eq!(std::fs::read(third.join("z")).unwrap(), b"z\n");
}

#[tokio::test]
async fn links_do_not_undo_what_is_hidden() {
    let machine = Machine::new();
    let secret = tempfile::tempdir().unwrap();
    let link = machine.path("link");
    std::os::unix::fs::symlink(secret.path(), &link).unwrap();
    // By their names these agree; where they lead they do not.
    let isolation = Isolation::builder()
        .hide(secret.path())
        .bind_at(&link, "/opt", Access::Read)
        .build()
        .unwrap();
    let refused = machine.try_run(&isolation, "ls /opt").await;
    match refused {
        Err(ExecError::Run(RunError::Spawn(SpawnError::Isolation(IsolationError::Step {
            step,
            path,
            ..
        })))) => assert_eq!((step, path), (Step::Paths, Some("/opt".into()))),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_network_is_the_machines_only_by_name() {
    let machine = Machine::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = format!("(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo yes || echo no");
    machine.check(&connect, "no\n").await;
    let host = Isolation::builder().network(Network::Host).build().unwrap();
    assert_eq!(text(&machine.run(&host, &connect).await), "yes\n");
}

#[tokio::test]
async fn another_user_has_its_own_rights() {
    if !rustix::process::geteuid().is_root() {
        let isolation = Isolation::builder().run_as(1, 1).build().unwrap();
        let refused = machine_refuses(&isolation).await;
        assert!(refused.help().unwrap().contains("root"), "{refused}");
        return;
    }
    let machine = Machine::new();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(machine.work_dir.path(), open).unwrap();
    let isolation = Isolation::builder().run_as(65534, 65534).build().unwrap();
    let outcome = machine
        .run(&isolation, "id -u; id -G; touch f 2>/dev/null || echo no")
        .await;
    assert_eq!(text(&outcome), "65534\n65534\nno\n");
}

async fn machine_refuses(isolation: &Isolation) -> IsolationError {
    let machine = Machine::new();
    machine.engine.probe_isolation(isolation).await.unwrap_err()
}

#[tokio::test]
async fn code_runs_are_refused_instead_of_run_as_they_are() {
    use sandbox_engine::RunOptions;
    use sandbox_engine::code::{CodeError, Language, Program};
    let machine = Machine::new();
    let options = RunOptions {
        isolation: Some(Isolation::strict()),
        ..RunOptions::default()
    };
    let program = Program {
        language: Language::Python,
        code: "print(1)".into(),
        argv: Vec::new(),
    };
    let refused = machine.engine.run_code(program, options).await;
    assert!(
        matches!(
            refused,
            Err(CodeError::Run(RunError::Spawn(SpawnError::Isolation(
                IsolationError::Unsupported { .. }
            ))))
        ),
        "{refused:?}"
    );
}
