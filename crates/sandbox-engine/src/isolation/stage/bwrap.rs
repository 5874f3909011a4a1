//! The level `bwrap`: the system's bubblewrap makes the namespaces and the view, and executes this program in it again, as process 1,
//! which checks the view and does the rest.
//!
//! Bubblewrap resolves paths by itself, following links. So what it has mounted is compared with what this process has opened before.

use std::ffi::{CString, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, StatVfsMountFlags};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};

use super::verdict::{At, Failure, Verdict};
use super::{FAILED, Role, init, outer, view};
use crate::isolation::description::{Access, Kind, Layer};
use crate::isolation::plan::Inside;
use crate::isolation::{Network, Plan, Step, check};
use crate::sys;

/// Starts bubblewrap, waits for it, and ends as the program has ended.
pub(super) fn run(plan: &Plan, verdict: Verdict) -> i32 {
    let started = start(plan, &verdict).and_then(|(child, status)| {
        match rustix::io::retry_on_intr(|| rustix::io::read(&status, &mut [0; 1])) {
            Ok(1) => Ok((child, status)),
            // It has said why on the program's standard error, which nothing reads.
            _ => Err(io::Error::from(Errno::CONNABORTED)).at(Step::Bwrap),
        }
    });
    match started {
        Ok((child, status)) => outer::end_with(child, &status, None, verdict),
        Err(failure) => {
            verdict.report(&failure);
            FAILED
        }
    }
}

fn start(plan: &Plan, verdict: &Verdict) -> Result<(rustix::process::Pid, OwnedFd), Failure> {
    let at = Step::Bwrap;
    sys::block_signals().at(Step::Launcher)?;
    outer::change_user(plan).at(Step::User)?;
    let layers = layers(plan)?;
    if plan.has_terminal() {
        // A terminal belongs to one session, and the program is to have one of its own.
        sys::give_up_terminal(io::stdin().as_fd()).at(Step::Terminal)?;
    }
    let mut binds = Vec::new();
    for layer in &layers {
        if let Kind::Bind { source, .. } = &layer.kind {
            binds.push(view::open(source).at_path(Step::Paths, source)?);
        }
    }
    let (read, status) = pipe_with(PipeFlags::CLOEXEC).at(at)?;
    let numbers: Vec<_> = binds.iter().map(AsRawFd::as_raw_fd).collect();
    let inside = Plan {
        isolation: crate::isolation::Isolation {
            layers: layers.clone(),
            ..plan.isolation.clone()
        },
        inside: Some(Inside {
            status: status.as_raw_fd().cast_unsigned(),
            binds: numbers.into_iter().map(RawFd::cast_unsigned).collect(),
        }),
        ..plan.clone()
    };
    let sealed = sys::sealed_memory("isolation", &[&inside.encode()]).at(at)?;
    let own = rustix::fs::open(
        "/proc/self/exe",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let own = own.at(at)?;
    let open = binds.iter().chain([&read, &status, &sealed, &own]);
    let highest = open.map(AsRawFd::as_raw_fd).max().unwrap_or_default();
    let (role, given) = numbered([&sealed, verdict.pipe(), &own], highest + 1).at(at)?;
    for fd in given.iter().chain(&binds).chain([&status]) {
        fcntl_setfd(fd, FdFlags::empty()).at(at)?;
    }
    let program = plan.helper.as_deref().ok_or(Errno::NOENT).at(at)?;
    let program = CString::new(program.as_os_str().as_bytes()).at(at)?;
    let argv = arguments(plan, &layers, role).into_iter();
    let argv = argv.map(|text| CString::new(text.into_encoded_bytes()));
    let argv = argv.collect::<Result<Vec<_>, _>>().at(at)?;
    let env = environment(role).at(at)?;
    match sys::fork_process().at(at)? {
        Some(child) => Ok((child, read)),
        None => {
            drop(read);
            let failed: Result<(), Failure> = Err(sys::execute(&program, &argv, &env)).at(at);
            if let Err(failure) = failed {
                verdict.report(&failure);
            }
            sys::exit_now(FAILED)
        }
    }
}

/// Returns the layers, with the paths to which links lead now.
fn layers(plan: &Plan) -> Result<Vec<Layer>, Failure> {
    let places = view::real_places(plan);
    let layers = view::resolved(plan.isolation.all_layers(&places), false)?;
    let layers = check::merged(layers, &plan.isolation.root, Some(&places));
    layers.map_err(|error| view::refused(&error))
}

/// Gives descriptors consecutive numbers from `first` on, as a launcher has them.
fn numbered(fds: [&OwnedFd; 3], first: RawFd) -> io::Result<(Role, Vec<OwnedFd>)> {
    let mut given: Vec<OwnedFd> = Vec::new();
    for fd in fds {
        let least = given.last().map_or(first, |last| last.as_raw_fd() + 1);
        let copy = fcntl_dupfd_cloexec(fd, least)?;
        if given
            .last()
            .is_some_and(|last| copy.as_raw_fd() != last.as_raw_fd() + 1)
        {
            return Err(Errno::MFILE.into());
        }
        given.push(copy);
    }
    let first = given.first().map_or(0, AsRawFd::as_raw_fd);
    let fds = usize::try_from(first).unwrap_or_default();
    Ok((Role { fds }, given))
}

fn environment(role: Role) -> io::Result<Vec<CString>> {
    let mut env = crate::host::environment();
    env.set(Role::VARIABLE, role.to_text());
    Ok(env.c_strings()?)
}

/// Returns the arguments of bubblewrap.
fn arguments(plan: &Plan, layers: &[Layer], role: Role) -> Vec<OsString> {
    let size = plan.isolation.scratch_bytes.to_string();
    let mut words = Words::default();
    words.push(&BEFORE);
    if plan.isolation.network() != Network::Host {
        words.push(&["--unshare-net"]);
    }
    words.push(&["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]);
    words.push(&["--perms", "1777", "--size", &size, "--tmpfs", "/dev/shm"]);
    for Layer { path, kind, .. } in layers {
        match kind {
            Kind::Scratch => {
                let mode = view::scratch_mode(path);
                words.push(&["--perms", mode, "--size", &size, "--tmpfs"]);
                words.path(path);
            }
            Kind::Hidden if path.is_dir() => {
                words.push(&["--perms", "0555", "--size", "4096", "--tmpfs"]);
                words.path(path);
                words.push(&["--remount-ro"]);
                words.path(path);
            }
            Kind::Hidden => {
                words.push(&["--ro-bind", "/dev/null"]);
                words.path(path);
            }
            Kind::Bind { source, access } => {
                words.push(&[match access {
                    Access::Read => "--ro-bind",
                    Access::Write => "--bind",
                }]);
                words.path(source);
                words.path(path);
            }
        }
    }
    words.push(&[
        "--remount-ro",
        "/dev",
        "--remount-ro",
        "/proc",
        "--chdir",
        "/",
        "--",
    ]);
    words.push(&[&format!("/proc/self/fd/{}", role.executable())]);
    words.0
}

/// Words of a command line.
#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn push(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn path(&mut self, path: &Path) {
        self.0.push(path.into());
    }
}

const BEFORE: [&str; 12] = [
    "bwrap",
    "--unshare-user",
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-uts",
    "--unshare-cgroup",
    "--hostname",
    "sandbox",
    "--as-pid-1",
    "--die-with-parent",
    "--cap-drop",
    "ALL",
];

/// Does the work of process 1 in the view that bubblewrap has made, and ends.
pub(super) fn inside(plan: &Plan, inside: &Inside, verdict: &Verdict) -> ! {
    let number = |number: u32| RawFd::try_from(number).unwrap_or(-1);
    let status = sys::given(number(inside.status));
    let binds: Vec<_> = { inside.binds.iter() }
        .map(|fd| sys::given(number(*fd)))
        .collect();
    // What is open in the program would look open to the engine.
    let closed =
        { binds.iter().chain([&status]) }.try_for_each(|fd| fcntl_setfd(fd, FdFlags::CLOEXEC));
    let begun = closed.and_then(|()| rustix::io::write(&status, &[0]));
    if begun.is_err() {
        sys::exit_now(FAILED)
    }
    let view = || {
        has_no_capability().at(Step::Capabilities)?;
        check_view(plan, &binds)?;
        if let Some(home) = &plan.places.home {
            // In a scratch directory; elsewhere it exists, or cannot.
            let _ = view::make_directories(home);
        }
        init::enter(plan)
    };
    init::run(plan, view, verdict, &status)
}

/// Checks that this process has no capability, and that no program can give it one.
fn has_no_capability() -> io::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    let sets = ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"];
    let is_empty = |name: &&str| {
        let line = status.lines().find_map(|line| line.strip_prefix(*name));
        line.is_some_and(|set| set.trim().bytes().all(|digit| digit == b'0'))
    };
    expect(sets.iter().all(is_empty))?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Compares the view with the description.
fn check_view(plan: &Plan, binds: &[OwnedFd]) -> Result<(), Failure> {
    let layers = &plan.isolation.layers;
    let mut binds = binds.iter();
    let root = Path::new("/");
    has(root, Some(Access::Read)).at_path(Step::Layer, root)?;
    for path in ["/proc", "/dev"] {
        has(Path::new(path), Some(Access::Read)).at_path(Step::Layer, path)?;
    }
    for layer in layers {
        let path = &layer.path;
        // No link has come between: what is somewhere else would have been checked.
        let is_plain = fs::canonicalize(path).map_or(true, |real| real == *path);
        expect(is_plain).at_path(Step::Layer, path)?;
        let checked = match &layer.kind {
            Kind::Bind { access, .. } => {
                let opened = binds.next().ok_or(Errno::BADF).at(Step::Bwrap)?;
                is_same(opened, path).and_then(|()| has(path, Some(*access)))
            }
            Kind::Scratch => is_empty(path, layers).and_then(|()| has(path, None)),
            Kind::Hidden => is_hidden(path, layers),
        };
        checked.at_path(Step::Layer, path)?;
    }
    Ok(())
}

fn is_same(opened: &OwnedFd, path: &Path) -> io::Result<()> {
    let (opened, there) = (rustix::fs::fstat(opened)?, rustix::fs::lstat(path)?);
    expect((opened.st_dev, opened.st_ino) == (there.st_dev, there.st_ino))
}

/// Checks that neither setuid programs nor devices have an effect at a path, and that what is to be read-only is.
fn has(path: &Path, access: Option<Access>) -> io::Result<()> {
    let flags = rustix::fs::statvfs(path)?.f_flag;
    let mut least = StatVfsMountFlags::NOSUID;
    if path != Path::new("/dev") {
        least |= StatVfsMountFlags::NODEV;
    }
    if access == Some(Access::Read) {
        least |= StatVfsMountFlags::RDONLY;
    }
    expect(flags.contains(least))
}

/// Checks that nothing is in a directory but the places of other layers.
fn is_empty(path: &Path, layers: &[Layer]) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        expect(layers.iter().any(|layer| layer.path.starts_with(&entry)))?;
    }
    Ok(())
}

fn is_hidden(path: &Path, layers: &[Layer]) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    if file.is_dir() {
        is_empty(path, layers)?;
        return has(path, Some(Access::Read));
    }
    // A device file that cannot be opened.
    expect(fs::File::open(path).is_err())
}

fn expect(is_so: bool) -> io::Result<()> {
    is_so.then_some(()).ok_or_else(|| Errno::INVAL.into())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::isolation::{Isolation, IsolationBuilder, Level};

    fn words(describe: impl FnOnce(IsolationBuilder) -> IsolationBuilder) -> String {
        let isolation = describe(Isolation::builder().level(Level::Bwrap)).build();
        let plan = Plan {
            isolation: isolation.unwrap(),
            places: crate::isolation::Places::default(),
            filters: Vec::new(),
            program: None,
            is_lasting: false,
            way_out: None,
            helper: None,
            inside: None,
            is_spare: false,
        };
        let words = arguments(&plan, &plan.isolation.layers, Role { fds: 5 });
        words.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn the_arguments_say_what_the_description_does() {
        let all = words(|it| {
            it.bind("/a", Access::Read)
                .bind("/b", Access::Write)
                .scratch("/x/tmp")
                .hide("/etc/passwd")
                .hide("/etc")
                .scratch_bytes(7)
        });
        for part in [
            " --unshare-net --ro-bind / / ",
            " --ro-bind /a /a --bind /b /b ",
            " --perms 1777 --size 7 --tmpfs /x/tmp ",
            " --ro-bind /dev/null /etc/passwd ",
            " --tmpfs /etc --remount-ro /etc ",
            " -- /proc/self/fd/7",
        ] {
            assert!(all.contains(part), "{part}: {all}");
        }
        assert!(!words(|it| it.network(Network::Host)).contains("--unshare-net"));
    }
}
