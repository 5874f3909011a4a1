//! What a program in a sandbox reaches.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use sandbox_provider::{Local, Provider, Spec};

use crate::machine::Machine;

#[tokio::test]
async fn a_sandbox_reaches_neither_another_nor_the_provider() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let state = machine.state.canonicalize().unwrap();
    std::fs::write(state.join("key"), "secret").unwrap();
    let (own, other) = (machine.create().await, machine.create().await);
    machine
        .run(
            &other,
            "echo secret > file; (exec -a victim sleep 4321) >/dev/null 2>&1 &",
        )
        .await;
    let (state, id, pid) = (state.display(), &other.id, std::process::id());
    for attempt in [
        format!("cat {state}/key"),
        format!("ls {state}/run {state}/data {state}/records"),
        format!("test -S {state}/run/{id}"),
        format!("cat {state}/data/{id}/home/file"),
        format!(
            "find /etc /home /opt /root /run /srv /tmp /var -name '*{id}*' 2>/dev/null | grep ."
        ),
        "grep -rs secret /home /tmp /var/tmp /root".to_owned(),
        "pgrep -f 'victi[m]'".to_owned(),
        format!("test -d /proc/{pid}/cwd/ && kill -0 {pid}"),
        "touch /escaped /etc/escaped /usr/escaped /etc/passwd".to_owned(),
        "true >> /run/sandbox-program".to_owned(),
        "true >> /proc/1/exe".to_owned(),
        "cat /proc/$PPID/environ /proc/1/environ".to_owned(),
        "ls -l /proc/$PPID/fd/ | grep socket".to_owned(),
        "unshare -U true".to_owned(),
        "mount -t tmpfs none /tmp".to_owned(),
        "env | grep SANDBOX_ENGINE".to_owned(),
        "grep CapEff /proc/self/status | grep -v 0000000000000000".to_owned(),
    ] {
        let attempted =
            format!("if {attempt}; then echo SUCCEEDED; else echo failed; fi 2>/dev/null");
        let came_to = machine.run(&own, &attempted).await;
        assert!(came_to.ends_with("failed"), "{attempt}: {came_to}");
    }
    // The attempts that find nothing would find it.
    assert_eq!(
        machine.run(&other, "cat file; pgrep -cf '^victi[m]'").await,
        "secret\n1"
    );
    machine.clear().await;
}

/// A key beside the state directory, where no path is hidden by default and nothing but the view keeps a sandbox from it.
#[tokio::test]
async fn a_sandbox_does_not_see_what_its_provider_hides() {
    let place = Arc::new(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    let open = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(place.path(), open(0o755)).unwrap();
    for name in ["outer", "other"] {
        std::fs::create_dir(place.path().join(name)).unwrap();
        std::fs::set_permissions(place.path().join(name), open(0o755)).unwrap();
        std::fs::write(place.path().join(name).join("key"), "secret").unwrap();
    }
    let (outer, other) = (place.path().join("outer"), place.path().join("other/key"));
    let empty = ["/home", "/root", "/run", "/tmp", "/var/tmp"];
    let look = format!(
        "cat {0}/key {1}; cd {0} && ls -A; true",
        outer.display(),
        other.display()
    );
    for is_hidden in [false, true] {
        let state = outer.join("sandboxes");
        let mut builder = Local::builder(&state);
        if is_hidden {
            builder = builder.hide(&outer).hide(&other);
        }
        let Some(machine) = Machine::with(builder, state, Arc::clone(&place)).await else {
            return;
        };
        let sandbox = machine.create().await;
        let seen = machine.run(&sandbox, &look).await;
        // A checkout may be where sandboxes see nothing of the machine in any case.
        let is_shown = !is_hidden && !empty.iter().any(|path| outer.starts_with(path));
        assert_eq!(seen.contains("secret"), is_shown, "{seen}");
        assert_eq!(seen.contains("sandboxes"), !is_hidden, "{seen}");
        machine.clear().await;
    }
    let gone = place.path().join("none");
    assert!(
        Local::builder(outer.join("more"))
            .hide(gone)
            .open()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_sandbox_of_root_has_a_user_of_its_own() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(machine) = Machine::new().await else {
        return;
    };
    let (one, two) = (machine.create().await, machine.create().await);
    let owner = |sandbox| std::fs::metadata(machine.home(sandbox, "")).unwrap().uid();
    assert_ne!(owner(&one), owner(&two));
    for sandbox in [&one, &two] {
        assert!(owner(sandbox) > 65535);
        let inside = machine.run(sandbox, "id -u; stat -c %u ~").await;
        assert_eq!(inside, format!("{0}\n{0}", owner(sandbox)));
    }
    // A copy is its own, too.
    machine
        .run(&one, "mkdir d; touch d/file; ln -s x d/link")
        .await;
    let copy = machine.local.fork(&one.id, Spec::default()).await.unwrap();
    let owners = machine.run(&copy, "stat -c %U ~ d d/file d/link").await;
    assert_eq!(owners, ["daytona"; 4].join("\n"));
    machine.clear().await;
}

#[tokio::test]
async fn an_image_is_the_root_and_not_writable() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    // The machine's own root, where the sandbox's user could not go.
    let image = machine.directory.path().join("image");
    for name in [
        "proc",
        "dev",
        "run",
        "tmp",
        "var/tmp",
        "home",
        "etc",
        "only-here",
    ] {
        std::fs::create_dir_all(image.join(name)).unwrap();
    }
    for name in ["passwd", "group"] {
        std::fs::write(image.join("etc").join(name), "").unwrap();
    }
    for name in ["bin", "sbin", "lib", "lib64", "usr"] {
        let host = std::path::Path::new("/").join(name);
        match std::fs::read_link(&host) {
            Ok(link) => std::os::unix::fs::symlink(link, image.join(name)).unwrap(),
            Err(_) if host.is_dir() => std::fs::create_dir(image.join(name)).unwrap(),
            Err(_) => {}
        }
    }
    let state = machine.directory.path().join("other");
    let local = Local::builder(state)
        .image("empty", &image)
        .open()
        .await
        .unwrap();
    assert_eq!(local.images().await.unwrap(), ["empty"]);
    let mut spec = Spec::default();
    spec.image = Some("empty".to_owned());
    // It has no libraries for this program, or no shell, which an error says.
    let error = local.create(spec).await.unwrap_err();
    assert!(format!("{error:?}").contains("Program"), "{error:?}");
    assert!(local.list().await.unwrap().is_empty());
    let left = std::fs::read_dir(machine.directory.path().join("other/data")).unwrap();
    assert_eq!(left.count(), 0);
}

/// The same for a provider that an ordinary user runs.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "starts this program, not one of an engine"
)]
fn an_ordinary_user_has_sandboxes_too() {
    if !rustix::process::geteuid().is_root() {
        // Then the other tests were just that.
        return;
    }
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let program = directory.path().join("it");
    std::fs::copy("/proc/self/exe", &program).unwrap();
    for test in [
        "lifecycle::a_sandbox_runs_commands_until_it_is_deleted",
        "lifecycle::a_stop_ends_processes_and_leaves_files",
        "lifecycle::a_paused_sandbox_does_nothing_until_it_is_started",
        "lifecycle::a_fork_has_a_copy_of_the_home",
        "isolation::a_sandbox_reaches_neither_another_nor_the_provider",
        "network::a_sandbox_reaches_other_addresses_and_not_the_loopback_interface",
        "network::two_sandboxes_listen_on_one_port",
        "network::the_way_out_ends_with_the_sandbox",
        "limits::what_cannot_be_limited_is_refused_and_said",
    ] {
        let output = Command::new(&program)
            .args(["--exact", test])
            .env("HOME", "/nonexistent")
            .env("TMPDIR", directory.path())
            .current_dir("/")
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .unwrap();
        let printed =
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(
            output.status.success() && printed.contains("1 passed"),
            "{printed}"
        );
    }
}

const NOBODY: u32 = 65534;
