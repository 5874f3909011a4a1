//! Attempts to get out: SECURITY.md has a table of them, and the last word on what each comes to at which level.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::Path;

use sandbox_engine::RunOptions;
use sandbox_engine::isolation::{Access, Isolation, Level, Network};

use super::{Machine, SELF, can_have, can_isolate};
use crate::guard::{repeat, text};
use crate::helper;

#[tokio::test]
async fn attempts_come_to_what_the_table_says() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let helper = std::env::var_os(HELPER).map_or_else(|| helper::program().into(), Into::into);
    let targets = Targets::new(&machine, helper);
    let table = table();
    let [none, landlock, bwrap, strict, host] =
        [0, 1, 2, 3, 4].map(|column| -> BTreeMap<&str, &str> {
            let cell = |(name, cells): (&'static str, [&'static str; 5])| (name, cells[column]);
            table.clone().into_iter().map(cell).collect()
        });
    let isolation = || {
        Isolation::builder()
            .bind(targets.outside.path(), Access::Read)
            .bind(&targets.helper, Access::Read)
    };
    let run =
        async |isolation: Isolation| text(&machine.run(&isolation, &targets.script(&[])).await);
    for (network, expect) in [(Network::None, strict), (Network::Host, host)] {
        let isolation = isolation().network(network).build().unwrap();
        let observed = run(isolation.clone()).await;
        assert_eq!(parse(&observed), expect, "{network:?}: {observed}");
        // In a launcher that was started ahead, too.
        machine.warm(&isolation).await;
        let observed = run(isolation).await;
        assert_eq!(parse(&observed), expect, "{network:?}, warm: {observed}");
    }

    for (level, expect) in [(Level::Landlock, landlock), (Level::Bwrap, bwrap)] {
        let isolation = isolation().level(level).build().unwrap();
        if can_have(&machine, &isolation).await {
            let observed = run(isolation).await;
            assert_eq!(parse(&observed), expect, "{level}: {observed}");
        }
    }

    // That they are no empty attempts: without isolation they succeed. Those that would harm the machine are left out.
    let harmful: Vec<_> = none.iter().filter(|(_, cell)| **cell == UNTRIED).collect();
    let harmful: Vec<_> = harmful.into_iter().map(|(name, _)| *name).collect();
    let script = targets.script(&harmful);
    let observed = machine
        .engine
        .exec(&script, RunOptions::default())
        .await
        .unwrap();
    let tried = none.into_iter().filter(|(_, cell)| *cell != UNTRIED);
    let observed = text(&observed);
    assert_eq!(parse(&observed), tried.collect(), "{observed}");
}

/// The same in an engine that an ordinary user runs.
#[test]
fn attempts_of_an_ordinary_user_come_to_the_same() {
    if !rustix::process::geteuid().is_root() {
        // Then the other test was just that.
        return;
    }
    // Where that user may go, which need not be true of $TMPDIR.
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let open = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    open(directory.path());
    let helper = directory.path().join("helper");
    std::fs::copy(helper::program(), &helper).unwrap();
    open(&helper);
    let test = "isolation::escape::attempts_come_to_what_the_table_says";
    repeat(test, &[SELF], |command| {
        command
            .env(HELPER, &helper)
            .env("HOME", "/nonexistent")
            .env("TMPDIR", "/tmp")
            .current_dir("/")
            .uid(NOBODY)
            .gid(NOBODY)
    });
}

/// What the attempts aim at.
struct Targets {
    helper: std::path::PathBuf,
    outside: tempfile::TempDir,
    hidden: tempfile::TempDir,
    tcp: TcpListener,
    name: String,
    /// Open for as long as the attempts last.
    _sockets: [UnixListener; 2],
    python: &'static str,
}

impl Targets {
    fn new(machine: &Machine, helper: std::path::PathBuf) -> Self {
        let [outside, hidden] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        std::fs::write(hidden.path().join("file"), "secret").unwrap();
        let name = machine.work_dir.path().display().to_string();
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        std::fs::write(machine.path("calls.py"), include_str!("calls.py")).unwrap();
        Self {
            _sockets: [
                UnixListener::bind(hidden.path().join("socket")).unwrap(),
                UnixListener::bind_addr(&address).unwrap(),
            ],
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            python: "/usr/bin/python3",
            helper,
            outside,
            hidden,
            name,
        }
    }

    /// Returns a script that makes the attempts, except for those that are left out.
    fn script(&self, left_out: &[&str]) -> String {
        let mut script = format!(
            "OUT={} HIDDEN={} H={} PORT={} NAME={} PID={}\n",
            self.outside.path().display(),
            self.hidden.path().display(),
            self.helper.display(),
            self.tcp.local_addr().unwrap().port(),
            self.name,
            std::process::id(),
        );
        for (name, attempt) in ATTEMPTS {
            if !left_out.contains(&name) {
                let line = format!(
                    "if ( {attempt} ) >/dev/null 2>&1; then echo '{name}: succeeds'; \
                     else echo '{name}: fails'; fi\n"
                );
                script.push_str(&line);
            }
        }
        if !HAS_NUMBERS {
            return script;
        }
        let calls = calls().filter(|name| !left_out.contains(name));
        let calls: Vec<_> = calls.map(|name| format!("'{name}'")).collect();
        script + &format!("{} calls.py {}\n", self.python, calls.join(" "))
    }
}

/// Returns the names of the attempts by system calls, which `calls.py` names as the table does.
fn calls() -> impl Iterator<Item = &'static str> {
    let lines = include_str!("calls.py").lines();
    let calls = lines.filter_map(|line| line.strip_prefix("    \"")?.split_once("\": "));
    calls.map(|(name, _)| name)
}

/// Whether `calls.py` has the numbers of this machine's system calls.
const HAS_NUMBERS: bool = cfg!(target_arch = "x86_64");

/// Attempts by ordinary means; each is a command that succeeds if it does. `calls.py` makes those by system calls.
const ATTEMPTS: [(&str, &str); 25] = [
    ("signal a process of the machine", "kill -0 $PID"),
    ("write to what is bound read-only", "echo x > $OUT/file"),
    (
        "write through a link",
        "ln -sf $OUT/file link && echo x > link",
    ),
    (
        "write to files of the system",
        "touch /etc/escaped /usr/escaped",
    ),
    ("change the mode of a file outside", "chmod 0755 $OUT"),
    ("change the times of a file outside", "touch -d @1 $OUT"),
    (
        "set an attribute of a file outside",
        "/usr/bin/python3 -c \"import os; os.setxattr('$OUT', 'user.a', b'1')\"",
    ),
    ("read what is hidden", "cat $HIDDEN/file"),
    ("connect to a TCP port", "$H tcp $PORT"),
    (
        "connect to a Unix socket that is hidden",
        "$H unix $HIDDEN/socket",
    ),
    ("connect to an abstract Unix socket", "$H abstract $NAME"),
    ("read the memory of process 1", "head -c 0 /proc/1/mem"),
    ("read the environment of process 1", "cat /proc/1/environ"),
    ("open the executable of process 1", "head -c 1 /proc/1/exe"),
    ("reach the root of process 1", "ls /proc/1/root/"),
    ("end process 1", "kill -9 1; kill -0 1 && false"),
    (
        "change a setting of the kernel",
        "f=/proc/sys/kernel/core_pattern; v=$(cat $f) && printf %s \"$v\" > $f",
    ),
    ("write to sysrq-trigger", "echo h > /proc/sysrq-trigger"),
    (
        "make a control group",
        "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/escaped && exit; done; false",
    ),
    (
        "use a capability",
        "grep -Eq '^Cap(Inh|Prm|Eff|Amb):.*[1-9a-f]' /proc/self/status",
    ),
    (
        "gain rights by a setuid program",
        "grep -q 'NoNewPrivs:.*0' /proc/self/status",
    ),
    (
        "open a device of the machine",
        "ls /dev | grep -E '^(kmsg|mem|kvm|fuse|[svx]d.*|loop.*)$'",
    ),
    ("make a setuid file", "touch file && chmod u+s file"),
    (
        "use a descriptor of the engine",
        "for fd in /proc/self/fd/*; do case ${fd##*/} in [0123]|255) ;; *) exit 0;; esac; done; false",
    ),
    ("see another process", "cat /proc/$PID/cmdline"),
];

/// The rows of SECURITY.md's table, of the attempts that can be made on this machine.
fn table() -> Vec<(&'static str, [&'static str; 5])> {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../SECURITY.md"));
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| attempt to escape"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let rows = rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let mut next = || cells.next().unwrap();
        (next(), [next(), next(), next(), next(), next()])
    });
    let is_made = |name: &str| HAS_NUMBERS || calls().all(|call| call != name);
    rows.filter(|(name, _)| is_made(name)).collect()
}

fn parse(observed: &str) -> BTreeMap<&str, &str> {
    let lines = observed.lines().filter_map(|line| line.split_once(": "));
    lines.collect()
}

/// The cell of an attempt that is not made without isolation, since it could succeed.
const UNTRIED: &str = "as the user may";

/// The variable with the path of the tests' helper, for another user.
const HELPER: &str = "SANDBOX_TEST_HELPER";

/// The user without rights, on every Linux system.
const NOBODY: u32 = 65534;
