//! What an isolated process sees.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use sandbox_engine::isolation::{Access, Isolation, IsolationError, Network, Step};
use sandbox_engine::{Engine, RunOptions};

use super::{Machine, SELF, can_isolate};
use crate::guard::{repeat, text};

#[tokio::test]
async fn the_view_is_a_working_system() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    // The working directory may be below one of them.
    machine
        .check("find /tmp /var/tmp /run /root ! -type d", "")
        .await;
    machine
        .check("echo a > /tmp/a && cat /tmp/a && rm /tmp/a", "a\n")
        .await;
    machine
        .check("echo a > /tmp/a; find /tmp ! -type d", "/tmp/a\n")
        .await;
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
    machine
        .check("tail -n +2 /proc/net/route | wc -l", "0\n")
        .await;
    let none = "CapBnd:\t0000000000000000\n";
    machine.check("grep CapBnd /proc/self/status", none).await;
}

fn no(program: &str, path: &str) -> String {
    format!("{program}: cannot touch '{path}': Read-only file system\nno\n")
}

#[tokio::test]
async fn paths_are_as_they_were_asked_for() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("file"), "of the machine\n").unwrap();
    std::fs::create_dir(machine.path("inner")).unwrap();
    std::fs::write(machine.path("inner/secret"), "secret\n").unwrap();
    symlink(machine.path("inner/secret"), machine.path("link")).unwrap();
    let third = tempfile::tempdir().unwrap();
    let isolation = Isolation::builder()
        .bind_at(other.path(), "/tmp/deep/other", Access::Read)
        .bind_at(other.path(), "/tmp/again", Access::Read)
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
        "cat /tmp/deep/other/file /tmp/again/file /tmp/one | sort -u",
        "of the machine\n",
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
async fn binds_follow_no_links() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let secret = tempfile::tempdir().unwrap();
    let link = machine.path("link");
    // As an isolated process can make it in its working directory, for the next one.
    symlink(secret.path(), &link).unwrap();
    for path in [link.clone(), link.join("file")] {
        let isolation = Isolation::builder().bind(&path, Access::Read);
        let isolation = isolation.build().unwrap();
        refuses_link(&machine.engine, &isolation, &path).await;
        let isolation = Isolation::builder().root_dir(&path).build().unwrap();
        refuses_link(&machine.engine, &isolation, &path).await;
    }
}

async fn refuses_link(engine: &Engine, isolation: &Isolation, path: &Path) {
    let refused = engine.probe_isolation(isolation).await.unwrap_err();
    let IsolationError::Step { step, path: at, .. } = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!((*step, at.as_deref()), (Step::Paths, Some(path)));
    assert!(refused.help().unwrap().contains("links"));
}

#[tokio::test]
async fn a_working_directory_that_has_become_a_link_is_not_followed() {
    if !can_isolate().await {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [work_dir, other] = ["work", "other"].map(|name| directory.path().join(name));
    std::fs::create_dir(&work_dir).unwrap();
    let work_dir = std::fs::canonicalize(&work_dir).unwrap();
    let engine = Engine::builder().work_dir(&work_dir).build().unwrap();
    engine.probe_isolation(&Isolation::strict()).await.unwrap();
    std::fs::rename(&work_dir, &other).unwrap();
    symlink(&other, &work_dir).unwrap();
    refuses_link(&engine, &Isolation::strict(), &work_dir).await;
}

#[tokio::test]
async fn what_comes_with_a_bind_can_be_hidden() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let shown = tempfile::tempdir().unwrap();
    std::fs::write(shown.path().join("public"), "public\n").unwrap();
    std::fs::write(shown.path().join("secret"), "secret\n").unwrap();
    std::fs::create_dir(shown.path().join("closed")).unwrap();
    std::fs::write(shown.path().join("closed/file"), "secret\n").unwrap();
    symlink("public", shown.path().join("link")).unwrap();
    symlink("missing", shown.path().join("dangling")).unwrap();
    let isolation = || {
        Isolation::builder()
            .bind_at(shown.path(), "/opt", Access::Read)
            .hide("/opt/secret")
            .hide("/opt/closed")
            .hide("/opt/missing")
            .hide("/opt/dangling")
            .hide("/opt/public/below")
    };
    let command = "ls -A /opt/closed; cat /opt/secret /opt/closed/file 2>/dev/null; cat /opt/link";
    let outcome = machine.run(&isolation().build().unwrap(), command).await;
    assert_eq!(text(&outcome), "public\n");
    // Where the link leads is known when the bind is in place, too late to hide that everywhere.
    let isolation = isolation().hide("/opt/link").build().unwrap();
    refuses_link(&machine.engine, &isolation, Path::new("/opt/link")).await;
}

#[tokio::test]
async fn what_was_asked_for_decides_about_the_working_directory_through_links() {
    if !can_isolate().await {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [around, link] = ["around", "link"].map(|name| directory.path().join(name));
    std::fs::create_dir_all(around.join("work")).unwrap();
    symlink(&around, &link).unwrap();
    let isolation = Isolation::builder().bind_at(&around, &link, Access::Read);
    let options = RunOptions {
        isolation: Some(isolation.build().unwrap()),
        ..RunOptions::default()
    };
    let engine = Engine::builder().work_dir(around.join("work"));
    let engine = engine.build().unwrap();
    let command = "(echo x > file) 2>/dev/null || echo no";
    let outcome = engine.exec(command, options).await.unwrap();
    assert_eq!(text(&outcome), "no\n");
}

#[tokio::test]
async fn what_is_the_engines_own_is_out_of_reach() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let temporary = std::env::temp_dir();
    let isolation = Isolation::builder().bind_at(&temporary, "/opt", Access::Read);
    let refused = machine.refuses(&isolation.build().unwrap()).await;
    assert!(matches!(refused, IsolationError::Invalid(_)), "{refused:?}");

    let work_dir = tempfile::tempdir().unwrap();
    let state = work_dir.path().join("state");
    let engine = Engine::builder()
        .work_dir(work_dir.path())
        .state_dir(&state)
        .build()
        .unwrap();
    std::fs::write(state.join("secret"), "secret").unwrap();
    let options = RunOptions {
        isolation: Some(Isolation::strict()),
        ..Default::default()
    };
    let outcome = engine.exec("ls -A; ls -A state", options).await.unwrap();
    assert_eq!(text(&outcome), "state\n");
}

#[tokio::test]
async fn a_relative_directory_for_temporary_files_is_out_of_reach() {
    if !can_isolate().await {
        return;
    }
    let temporary = std::env::temp_dir();
    if temporary.is_absolute() {
        let directory = tempfile::tempdir().unwrap();
        let [around, work] = ["around", "work"].map(|name| directory.path().join(name));
        std::fs::create_dir_all(around.join("temporary")).unwrap();
        std::fs::create_dir(work).unwrap();
        let test = "isolation::view::a_relative_directory_for_temporary_files_is_out_of_reach";
        return repeat(test, &[SELF], |command| {
            command.current_dir(around).env("TMPDIR", "temporary")
        });
    }
    std::fs::write(temporary.join("file"), "secret\n").unwrap();
    let around = std::fs::canonicalize(".").unwrap();
    let engine = Engine::builder().work_dir("../work").build().unwrap();
    let options = RunOptions {
        isolation: Some(
            Isolation::builder()
                .bind(&around, Access::Read)
                .build()
                .unwrap(),
        ),
        ..RunOptions::default()
    };
    let around = around.display();
    let command = format!("ls {around}; cat {around}/temporary/file 2>/dev/null || echo no");
    let outcome = engine.exec(&command, options).await.unwrap();
    assert_eq!(text(&outcome), "temporary\nno\n");
}

#[tokio::test]
async fn a_network_is_the_machines_only_by_name() {
    if !can_isolate().await {
        return;
    }
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
    if !can_isolate().await {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        let isolation = Isolation::builder().run_as(1, 1).build().unwrap();
        let refused = Machine::new().refuses(&isolation).await;
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

#[tokio::test]
async fn what_is_the_host_programs_own_is_out_of_reach() {
    if !can_isolate().await {
        return;
    }
    let work_dir = tempfile::tempdir().unwrap();
    let private = work_dir.path().join("private");
    std::fs::create_dir(&private).unwrap();
    std::fs::write(private.join("key"), "secret\n").unwrap();
    std::fs::write(work_dir.path().join("token"), "secret\n").unwrap();
    let engine = Engine::builder()
        .work_dir(work_dir.path())
        .private(&private)
        .private(work_dir.path().join("token"))
        // Created after the engine.
        .private(work_dir.path().join("socket"))
        .build()
        .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(work_dir.path().join("socket")).unwrap();
    let options = || RunOptions {
        isolation: Some(Isolation::strict()),
        ..RunOptions::default()
    };
    let command = "ls; ls -A private; (cat token || echo no) 2>/dev/null; [ -S socket ] || echo no";
    let outcome = engine.exec(command, options()).await.unwrap();
    assert_eq!(text(&outcome), "private\nsocket\ntoken\nno\nno\n");
    // None of it can be replaced, for the daemon to read what a program has written.
    let command = "for f in private token socket; do mv $f x 2>/dev/null || echo no; done";
    let outcome = engine.exec(command, options()).await.unwrap();
    assert_eq!(text(&outcome), "no\nno\nno\n");
    for source in [private.clone(), private.join("key")] {
        let isolation = Isolation::builder().bind_at(source, "/opt", Access::Read);
        let refused = engine.probe_isolation(&isolation.build().unwrap()).await;
        let refused = refused.unwrap_err();
        assert!(matches!(refused, IsolationError::Invalid(_)), "{refused:?}");
    }
}
