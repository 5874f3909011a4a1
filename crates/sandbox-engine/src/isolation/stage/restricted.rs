//! The level `landlock`: the launcher restricts itself and becomes the program.
//!
//! There are no namespaces, hence no process 1 and no view. The rules of Landlock allow, and nothing in a directory that is
//! allowed can be excepted: where something below a directory is hidden, its other entries are allowed one by one.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};
use rustix::thread::CapabilitySet;

use super::verdict::{At, Failure, Verdict};
use super::{FAILED, init, outer, view};
use crate::isolation::description::{Access, Kind, Layer, Rank, top};
use crate::isolation::{Plan, Step, check};
use crate::sys;

/// Restricts this process and executes the program in it; returns if that fails, or if there is none.
pub(super) fn run(plan: &Plan, verdict: &Verdict) -> i32 {
    let ended = restrict(plan).and_then(|()| match &plan.program {
        Some(program) => Err(init::execute(program, verdict)),
        None => verdict.executes().at(Step::Init),
    });
    match ended {
        Ok(()) => 0,
        Err(failure) => {
            verdict.report(&failure);
            FAILED
        }
    }
}

fn restrict(plan: &Plan) -> Result<(), Failure> {
    outer::change_user(plan).at(Step::User)?;
    if !plan.has_terminal() {
        leave_terminal().at(Step::Terminal)?;
    }
    if let Some(program) = &plan.program {
        std::env::set_current_dir(&program.cwd).at(Step::WorkDir)?;
    }
    let rules = rules(plan)?;
    let can = rustix::thread::capabilities(None).at(Step::Capabilities)?;
    if can.effective.contains(CapabilitySet::SETPCAP) {
        init::give_up_capabilities().at(Step::Capabilities)?;
    } else {
        // There may be others, which no program that is executed retains.
        rustix::thread::set_no_new_privs(true).at(Step::Capabilities)?;
    }
    apply(rules)?;
    for filter in &plan.filters {
        sys::filter_system_calls(filter).at(Step::SystemCalls)?;
    }
    Ok(())
}

/// Gives up the terminal of the engine, which the process would otherwise write to and set as `/dev/tty`.
fn leave_terminal() -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::open("/dev/tty", flags, Mode::empty()) {
        Ok(terminal) => sys::give_up_terminal(terminal.as_fd()),
        // There is none.
        Err(rustix::io::Errno::NXIO | rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A file or directory, and what is allowed there and below.
type Rule = (PathBuf, BitFlags<AccessFs>);

fn apply(rules: Vec<Rule>) -> Result<(), Failure> {
    let at = Step::Restrictions;
    let ruleset = ruleset().map_err(refusal).at(at)?;
    let ruleset = rules
        .into_iter()
        .try_fold(ruleset, |ruleset, (path, access)| {
            // What has vanished since it was listed needs no rule, and gets none if a link is there now: another process, which may
            // write to a directory on the way, could choose where that leads.
            let Ok(file) = view::open(&path) else {
                return Ok(ruleset);
            };
            let rule = PathBeneath::new(file, access);
            ruleset.add_rule(rule).map_err(refusal).at_path(at, &path)
        })?;
    ruleset.restrict_self().map_err(refusal).at(at)?;
    Ok(())
}

/// Returns a ruleset that handles all that the oldest kernel with every part of this level knows: Linux 6.12.
fn ruleset() -> Result<RulesetCreated, landlock::RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(KERNEL))?
        .scope(Scope::from_all(KERNEL))?
        .create()
}

const KERNEL: ABI = ABI::V6;

fn refusal(error: landlock::RulesetError) -> io::Error {
    use std::error::Error;
    let mut source: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && let Some(errno) = error.raw_os_error()
        {
            return io::Error::from_raw_os_error(errno);
        }
        source = error.source();
    }
    // The kernel lacks a part.
    io::Error::from_raw_os_error(libc::EOPNOTSUPP)
}

/// Returns the rules of a plan, with the paths to which links lead now.
fn rules(plan: &Plan) -> Result<Vec<Rule>, Failure> {
    let places = view::real_places(plan);
    let mut layers = plan.isolation.all_layers(&places);
    // Every process has its own part of `/proc`, with a name that is not known yet.
    layers.retain(|layer| layer.rank != Rank::Default || !layer.path.starts_with("/proc"));
    layers.push(Layer {
        path: "/dev".into(),
        kind: Kind::Hidden,
        rank: Rank::Default,
    });
    let layers = view::resolved(layers, false)?;
    let layers = check::merged(layers, &plan.isolation.root, Some(&places));
    let layers = layers.map_err(|error| view::refused(&error))?;
    let mut rules = Vec::new();
    allow(Path::new("/"), &layers, &mut rules)?;
    let mut devices: Vec<PathBuf> = DEVICES.iter().map(PathBuf::from).collect();
    if plan.has_terminal() {
        let name = rustix::termios::ttyname(io::stdin().as_fd(), Vec::new()).at(Step::Terminal)?;
        devices.push(std::ffi::OsStr::from_bytes(name.as_bytes()).into());
    }
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    rules.extend(devices.into_iter().map(|path| (path, device)));
    Ok(rules)
}

const DEVICES: [&str; 6] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
];

/// Adds the rules for `path` and everything below it.
fn allow(path: &Path, layers: &[Layer], rules: &mut Vec<Rule>) -> Result<(), Failure> {
    let top = top(layers.iter().map(Layer::placed), path);
    let allowed = match top.map(|layer| (&layer.kind, layer.rank)) {
        None => Some(AccessFs::from_read(KERNEL)),
        Some((Kind::Hidden | Kind::Scratch, _)) => None,
        Some((Kind::Bind { access, .. }, rank)) => Some(access_of(*access, rank, path)),
    };
    let below = layers.iter().filter(|layer| layer.path != path);
    let below: Vec<_> = below.filter(|layer| layer.path.starts_with(path)).collect();
    match allowed {
        Some(access) if below.is_empty() => {
            let is_directory = path.is_dir();
            let possible = AccessFs::from_file(KERNEL);
            let access = if is_directory {
                access
            } else {
                access & possible
            };
            rules.push((path.to_owned(), access));
            Ok(())
        }
        Some(_) => {
            for entry in fs::read_dir(path).at_path(Step::Paths, path)? {
                let entry = entry.at_path(Step::Paths, path)?;
                // A link allows nothing: the rules are those of the path to which it leads.
                if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
                    allow(&entry.path(), layers, rules)?;
                }
            }
            Ok(())
        }
        None => {
            let mut names: Vec<_> = below
                .iter()
                .filter_map(|layer| layer.path.strip_prefix(path).ok()?.components().next())
                .collect();
            names.dedup();
            names
                .into_iter()
                .try_for_each(|name| allow(&path.join(name), layers, rules))
        }
    }
}

fn access_of(access: Access, rank: Rank, path: &Path) -> BitFlags<AccessFs> {
    let is_pipe = || fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo());
    match access {
        Access::Write => {
            AccessFs::from_all(KERNEL)
                & !(AccessFs::IoctlDev | AccessFs::MakeBlock | AccessFs::MakeChar)
        }
        // Through the pipes of a session its shell reports.
        Access::Read if rank == Rank::Own && (path.is_dir() || is_pipe()) => {
            AccessFs::from_read(KERNEL) | AccessFs::WriteFile
        }
        Access::Read => AccessFs::from_read(KERNEL),
    }
}
