//! Files of the system.

use std::path::Path;

use crate::environment::Environment;
use crate::session::user::User;
use crate::{Shell, oom, procfs};

/// Checks that a user is read from any `/etc/passwd` only from a line of that name, whatever the other lines are.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn users(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for name in ["root", "nobody", "", "-c", "a:b"] {
        let found = User::find(&text, name);
        if let Some(user) = found {
            assert!(!name.starts_with('-') && !name.contains([':', '\n']));
            let (id, group, home) = (user.id.to_string(), user.group.to_string(), user.home);
            let is_it = |line: &str| {
                let mut fields = line.split(':');
                let number = |field: Option<&str>, number: &str| {
                    field.is_some_and(|field| {
                        let digits = field.strip_prefix('+').unwrap_or(field);
                        digits.trim_start_matches('0') == number.trim_start_matches('0')
                    })
                };
                fields.next() == Some(name)
                    && fields.next().is_some()
                    && number(fields.next(), &id)
                    && number(fields.next(), &group)
                    && fields.next().is_some()
                    && fields.next() == Some(home)
            };
            assert!(text.lines().any(is_it), "{name:?} {home:?}");
        }
    }
    // Lines before it cannot hide or change the last one.
    let others = text.lines().filter(|line| !line.starts_with("last:"));
    let others: Vec<_> = others.collect();
    let users = format!("{}\nlast:x:7:8::/home:/bin/sh\n", others.join("\n"));
    let last = User::find(&users, "last").map(|user| (user.id, user.group, user.home));
    assert_eq!(last, Some((7, 8, "/home")));
}

/// Checks that any `/etc/shells` yields one of the preferred shells that it lists and that can be executed, or the system's.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn shells(input: &[u8]) {
    let environment = Environment::empty();
    let shell = Shell::choose(input, &environment, |path| path != Path::new("/bin/zsh"));
    let name = shell.path().as_os_str().as_encoded_bytes();
    let is_listed = || {
        let mut lines = input.split(|byte| *byte == b'\n');
        lines.any(|line| line.trim_ascii() == name)
    };
    assert!(name == b"/bin/sh" || is_listed());
    assert_ne!(name, b"/bin/zsh");
}

/// Checks that any `/proc/self/cgroup` names counters below the control groups' file system only, and that any counter reads
/// as a number that it contains.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn control_groups(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let files = oom::candidates(&text);
    assert!(files.len() <= 2 * text.lines().count());
    for file in files {
        assert!(file.starts_with("/sys/fs/cgroup"), "{}", file.display());
    }
    if let Some(count) = oom::parse(&text) {
        assert!(text.contains(&count.to_string()));
    }
    let others = text.lines().filter(|line| !line.starts_with("oom_kill "));
    let others: Vec<_> = others.collect();
    let mine = format!("oom_kill_disable 1\n{}\noom_kill 3\n", others.join("\n"));
    assert_eq!(oom::parse(&mine), Some(3));
}

/// Checks that a program's name cannot change the values of its line of `/proc/PID/stat`, and that any file of `/proc` can be read.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn process_files(input: &[u8]) {
    let name = input;
    let rest = b") S 3 4 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9988 1 2\n";
    let line = [b"7 (", name, rest].concat();
    let stat = procfs::parse_stat(7, &line).expect("a line of the kernel's is read");
    assert_eq!(
        (
            stat.state,
            stat.parent,
            stat.group,
            stat.session,
            stat.start
        ),
        (b'S', 3, 4, 5, 9988)
    );
    // Damaged files need only not panic.
    let _ = procfs::parse_stat(7, input);
    let text = String::from_utf8_lossy(input);
    if let Some(limit) = procfs::parse_realtime_limit(&text) {
        assert!(text.contains("Max realtime timeout ") && !limit.to_string().is_empty());
    }
    #[cfg(feature = "typescript")]
    if let Some(path) = procfs::mapped_at(input, 0x1fff) {
        assert!(path.is_absolute());
    }
}
