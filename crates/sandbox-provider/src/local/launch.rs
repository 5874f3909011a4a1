//! Starts the daemon of a sandbox.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandbox_engine::isolation::{Access, Detached, DetachedProcess, Isolation, Network};
use sandbox_engine::resources::LastingGroup;
use sandbox_engine::{Environment, SpawnError};

use super::Inner;
use super::daemon::{ROLE, STATE_DIR};
use super::network::Outside;
use super::remove::remove_tree;
use super::store::Store;
use crate::error::Error;
use crate::sandbox::{Sandbox, SandboxId, Spec};

/// The home directory of every sandbox.
const HOME: &str = "/home/daytona";

/// The user of a sandbox whose description has none.
pub(super) const USER: &str = "daytona";

/// The ids of the sandboxes' users on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Users {
    /// The first of those that sandboxes have of their own. Only root can give them some.
    first: Option<u32>,
}

impl Users {
    /// Returns those of this process for at most `most` sandboxes: the same ones whatever `most` is, because files belong to them.
    pub(super) fn of_this_process(most: usize) -> io::Result<Self> {
        let first = if rustix::process::geteuid().is_root() {
            Some(first_user(
                &fs::read_to_string("/proc/self/uid_map")?,
                most,
            )?)
        } else {
            None
        };
        Ok(Self { first })
    }

    /// Returns the user and group of the sandbox in a slot, if they are its own.
    pub(super) fn own(self, slot: u32) -> Option<(u32, u32)> {
        let id = self.first?.checked_add(slot)?;
        Some((id, id))
    }

    fn ids(self, slot: u32) -> (u32, u32) {
        self.own(slot).unwrap_or_else(|| {
            let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
            (user.as_raw(), group.as_raw())
        })
    }
}

/// Returns the first of [`USERS`] ids that no system assigns, in the user namespace that `map` describes.
fn first_user(map: &str, most: usize) -> io::Result<u32> {
    if most > USERS as usize {
        let what =
            format!("{most} sandboxes are more than there are users for; help: at most {USERS}");
        return Err(io::Error::other(what));
    }
    let ends = map.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().map(str::parse::<u32>);
        let (first, _, count) = (fields.next()?.ok()?, fields.next(), fields.next()?.ok()?);
        Some((first, first.saturating_add(count)))
    });
    let mut ranges = ends.map(|(first, end)| (first.max(LEAST_USER), end.min(LAST_USER)));
    let range = ranges.find(|(first, end)| end.saturating_sub(*first) >= USERS);
    let (_, end) = range.ok_or_else(|| {
        io::Error::other("this user namespace has too few users; help: run as an ordinary user")
    })?;
    Ok(end - USERS)
}

/// Ids for sandboxes, as many as a user namespace of a container engine has beside those of its system.
const USERS: u32 = 50_000;

/// Ids below are of users that a system knows.
const LEAST_USER: u32 = 10_000;

/// Below the ids that are negative as 32-bit numbers, and beside those that container engines and systemd assign.
const LAST_USER: u32 = 0x7000_0000;

/// What no sandbox sees.
#[derive(Debug)]
pub(super) struct Hidden {
    /// The state directory, or one above it.
    private: PathBuf,
    others: Vec<PathBuf>,
}

impl Hidden {
    /// Returns what hides the state directory at `state` and all of `paths`.
    pub(super) fn new(state: &Path, paths: Vec<PathBuf>) -> Result<Self, Error> {
        let mut hidden = Self {
            private: state.to_owned(),
            others: Vec::new(),
        };
        for path in paths {
            let real = fs::canonicalize(&path)
                .map_err(|error| Error::failed(format!("cannot hide {}", path.display()), error))?;
            if hidden.private.starts_with(&real) {
                hidden.private = real;
            } else if !real.starts_with(&hidden.private) {
                hidden.others.push(real);
            }
        }
        Ok(hidden)
    }
}

/// Creates the files of a new sandbox that its first start does not create.
pub(super) fn create_files(
    store: &Store,
    id: &SandboxId,
    owner: Option<(u32, u32)>,
) -> io::Result<()> {
    let data = store.data(id);
    directory(&data, 0o700, None)?;
    directory(&data.join("home"), 0o700, owner)
}

/// Renews the files that each start needs, and returns the log.
pub(super) fn renew_files(inner: &Inner, sandbox: &Sandbox, slot: u32) -> Result<File, Error> {
    let root = root(inner, &sandbox.spec)?;
    renew(&inner.store, sandbox, root, inner.users, slot)
        .map_err(|error| Error::of_files("cannot prepare the files of the sandbox", error))
}

fn renew(
    store: &Store,
    sandbox: &Sandbox,
    root: Option<&Path>,
    users: Users,
    slot: u32,
) -> io::Result<File> {
    let (data, owner) = (store.data(&sandbox.id), users.own(slot));
    for name in ["tmp", "var-tmp"] {
        match directory(&data.join(name), 0o1777, owner) {
            // What programs have there stays.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    match remove_tree(&data, "state") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => directory(&data.join("state"), 0o700, owner)?,
    }
    let root = root.unwrap_or_else(|| Path::new("/"));
    let (uid, gid) = users.ids(slot);
    let name = sandbox.spec.user.as_deref().unwrap_or(USER);
    let lines = [
        (
            "passwd",
            format!("{name}:x:{uid}:{gid}:{name}:{HOME}:{SHELL}\n"),
        ),
        ("group", format!("{name}:x:{gid}:\n")),
    ];
    for (file, own) in lines {
        let id = if file == "passwd" { uid } else { gid };
        let host = fs::read_to_string(root.join("etc").join(file)).unwrap_or_default();
        write_public(&data.join(file), &(accounts(&host, name, id) + &own))?;
    }
    File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(data.join("log"))
}

/// Writes a file that the sandbox's user can read, whatever the umask is.
fn write_public(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    Ok(rustix::fs::chmod(path, mode)?)
}

/// Returns the lines of `passwd` or `group` that neither have this name nor this id.
fn accounts(text: &str, name: &str, id: u32) -> String {
    let id = id.to_string();
    let others = text.lines().filter(|line| {
        let mut fields = line.split(':');
        fields.next() != Some(name) && fields.nth(1) != Some(&id)
    });
    others.flat_map(|line| [line, "\n"]).collect()
}

fn directory(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)?;
    if let Some((uid, gid)) = owner {
        chown(path, Some(uid), Some(gid))?;
    }
    // Whatever the umask is.
    rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(mode))?;
    Ok(())
}

/// Starts the daemon of a sandbox, with the socket on which it is to listen.
pub(super) async fn start(
    inner: &Inner,
    sandbox: &Sandbox,
    slot: u32,
    socket: UnixListener,
    log: File,
    group: Option<Arc<LastingGroup>>,
) -> Result<DetachedProcess, Error> {
    let Inner {
        store,
        hidden,
        users,
        outside,
        ..
    } = inner;
    let spec = &sandbox.spec;
    let data = store.data(&sandbox.id);
    let memory_events = group.as_ref().and_then(|group| group.memory_events());
    let fds = [Some(socket.into()), memory_events.map(Into::into)];
    let detached = Detached {
        role: ROLE,
        label: sandbox.id.to_string(),
        isolation: isolation(&data, spec, root(inner, spec)?, users.own(slot), outside)?,
        private: hidden.private.clone(),
        hidden: hidden.others.clone(),
        env: environment(sandbox),
        work_dir: HOME.into(),
        output: log,
        fds: fds.into_iter().flatten().collect(),
        group,
    };
    detached.start().await.map_err(|error| match error {
        SpawnError::Exhausted(_) => Error::Exhausted {
            what: format!("{error}; help: stop sandboxes"),
        },
        SpawnError::TooLarge => Error::invalid(error.to_string()),
        error => Error::failed("cannot start the sandbox", error),
    })
}

/// Returns the root directory of a sandbox's image, if it has one.
fn root<'a>(inner: &'a Inner, spec: &Spec) -> Result<Option<&'a Path>, Error> {
    let Some(name) = &spec.image else {
        return Ok(None);
    };
    let root = inner.images.get(name).ok_or_else(|| {
        Error::unsupported(format!("the image {name} is not registered any more"))
    })?;
    Ok(Some(root))
}

fn isolation(
    data: &Path,
    spec: &Spec,
    image: Option<&Path>,
    user: Option<(u32, u32)>,
    outside: &Outside,
) -> Result<Isolation, Error> {
    let mut view = Isolation::builder()
        .bind_at(data.join("home"), HOME, Access::Write)
        .bind_at(data.join("tmp"), "/tmp", Access::Write)
        .bind_at(data.join("var-tmp"), "/var/tmp", Access::Write)
        .bind_at(data.join("state"), STATE_DIR, Access::Write)
        .bind_at(data.join("passwd"), "/etc/passwd", Access::Read)
        .bind_at(data.join("group"), "/etc/group", Access::Read);
    if let Some(root) = image {
        view = view.root_dir(root);
    }
    if let Some((uid, gid)) = user {
        view = view.run_as(uid, gid);
    }
    if !spec.block_network {
        view = match outside {
            Outside::User => view.network(Network::User),
            Outside::Host => view.network(Network::Host),
            Outside::None => view,
        };
    }
    let described = view.build();
    described.map_err(|error| Error::failed("cannot describe the sandbox", error))
}

fn environment(sandbox: &Sandbox) -> Environment {
    let spec = &sandbox.spec;
    let user = spec.user.as_deref().unwrap_or(USER);
    let mut env = Environment::empty();
    for (name, value) in [
        ("HOME", HOME),
        ("USER", user),
        ("LOGNAME", user),
        ("PATH", PATH),
        ("LANG", "C.UTF-8"),
        ("DAYTONA_SANDBOX_ID", sandbox.id.as_str()),
    ] {
        env.set(name, value);
    }
    for (name, value) in &spec.env {
        env.set(name, value);
    }
    env
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const SHELL: &str = "/bin/sh";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_no_system() {
        let check = |map, most, expect: Option<u32>| {
            assert_eq!(first_user(map, most).ok(), expect, "{map}");
        };
        check("0 0 4294967295\n", 1000, Some(LAST_USER - USERS));
        check("0 100000 65536\n", 1000, Some(65536 - USERS));
        check("0 100000 65536\n", 1, Some(65536 - USERS));
        check("0 1000 1\n1 100000 65536\n", 1000, Some(65537 - USERS));
        check("0 0 4294967295\n", 50_001, None);
        check("0 1000 1\n", 1000, None);
        check("", 1, None);
    }

    #[test]
    fn an_account_replaces_those_of_its_name_and_id() {
        let text = "root:x:0:0::/root:/bin/sh\ndaytona:x:7:7::/:/x\nme:x:1000:1000::/:/x\n";
        assert_eq!(
            accounts(text, "daytona", 1000),
            "root:x:0:0::/root:/bin/sh\n"
        );
        assert_eq!(accounts("", "daytona", 1), "");
    }
}
