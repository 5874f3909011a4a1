//! The view: a root of mounts that only this namespace has.
//!
//! Everything of the machine that is shown is opened before the root changes, by the paths of the machine; everything
//! that is put in place is put there after it, by the paths of the view. Nothing in between is resolved in both.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};

use super::names;
use super::verdict::{At, Failure};
use crate::isolation::check;
use crate::isolation::description::{Access, Kind, Layer, Rank, top};
use crate::isolation::{Isolation, Places, Plan, Step};
use crate::sys;

/// Builds the view and makes its root this process's. `opened` are binds that [`open_binds`] has opened.
pub(super) fn build(plan: &Plan, opened: Vec<(Kind, OwnedFd)>) -> Result<(), Failure> {
    let isolation = &plan.isolation;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).at(Step::Root)?;
    let mut host = Host::open(plan, opened)?;
    // Before the machine's own is out of sight: the kernel mounts another only where one is visible.
    let proc = file_system("proc", &[], READ_ONLY | MountAttrFlags::MOUNT_ATTR_NOEXEC);
    let proc = proc.at(Step::Proc)?;
    pivot(&host.root).at(Step::Pivot)?;
    put(&proc, "/proc").at_path(Step::Proc, "/proc")?;
    make_devices(plan, &host.devices)?;
    // All before the first is applied, which may hide what the path of another leads through.
    let layers = resolved(host.layers, plan.is_lasting)?;
    let layers = check::merged(layers, &isolation.root, Some(&host.places));
    let mut applied = Vec::new();
    let mut nothing = None;
    for layer in layers.map_err(|error| refused(&error))? {
        // A copy for each bind: before Linux 6.15 one that is not mounted yet cannot be copied again.
        let bind = host.binds.iter().position(|(of, _)| *of == layer.kind);
        let tree = bind.map(|number| host.binds.swap_remove(number).1);
        let is_applied = apply(&layer, tree.as_ref(), plan, (&host.devices, &mut nothing));
        if is_applied.at_path(Step::Layer, &layer.path)? {
            applied.push(layer);
        }
    }
    let show = |names: &String| names::show(plan, names, &host.to_hide, &applied);
    let shown = host.names.as_ref().map(show).transpose();
    let shown = shown.at_path(Step::Layer, names::FILE)?.flatten();
    check_hidden(&host.to_hide, &applied, shown.as_deref())?;
    if let Some(home) = &plan.places.home {
        // In a scratch directory; elsewhere it exists, or cannot.
        let _ = make_directories(home);
    }
    Ok(())
}

/// What is opened by the paths of the machine.
struct Host {
    /// A read-only copy of what is to be the root.
    root: OwnedFd,
    /// The engine's, as the machine resolves them.
    places: Places,
    layers: Vec<Layer>,
    to_hide: Vec<PathBuf>,
    /// What is to be mounted: one for each bind among the layers.
    binds: Vec<(Kind, OwnedFd)>,
    devices: Vec<(&'static str, OwnedFd)>,
    /// Where names are resolved in the network of the view, if it has one and that is not to be hidden.
    names: Option<String>,
}

impl Host {
    fn open(plan: &Plan, mut opened: Vec<(Kind, OwnedFd)>) -> Result<Self, Failure> {
        let isolation = &plan.isolation;
        // No path has links: an isolated process that may write to a directory on the way could make one, and choose what
        // the next process sees. The engine has resolved its own when it was built.
        let mut tree = |source: &PathBuf, access: Access, step| {
            let kind = bind_of(source, access);
            if let Some(number) = opened.iter().position(|(of, _)| *of == kind) {
                return Ok(opened.swap_remove(number).1);
            }
            let opened = open(source).at_path(Step::Paths, source)?;
            copy_of(&opened, attributes(access)).at_path(step, source)
        };
        let root = tree(&isolation.root, Access::Read, Step::Root)?;
        let places = real_places(plan);
        let layers = isolation.all_layers(&places);
        let to_hide = paths(&layers, |layer| layer.kind == Kind::Hidden);
        let mut binds = Vec::new();
        for layer in &layers {
            if let Kind::Bind { source, access } = &layer.kind {
                let tree = tree(source, *access, Step::Layer)?;
                binds.push((layer.kind.clone(), tree));
            }
        }
        let devices = DEVICES.map(|name| {
            let path = Path::new("/dev").join(name);
            let tree = rustix::mount::open_tree(CWD, &path, CLONE).at_path(Step::Devices, &path);
            Ok::<_, Failure>((name, tree?))
        });
        Ok(Self {
            root,
            places,
            layers,
            binds,
            devices: devices.into_iter().collect::<Result<_, _>>()?,
            names: names::of(isolation, &to_hide),
            to_hide,
        })
    }
}

/// Returns the engine's places as the machine resolves them now.
pub(super) fn real_places(plan: &Plan) -> Places {
    let real = |path: &PathBuf| target(path).unwrap_or_else(|_| path.clone());
    Places {
        temporary: real(&plan.places.temporary),
        state: plan.places.state.as_ref().map(real),
        sealed: plan.places.sealed.iter().map(real).collect(),
        ..plan.places.clone()
    }
}

/// Opens what `isolation` binds, and its root, with the rights of this process, which may be more than those of the user inside: that one
/// need not be able to reach the directories above.
///
/// Returns nothing where this process may not: the binds are then opened later.
pub(super) fn open_binds(isolation: &Isolation) -> Result<Vec<(Kind, OwnedFd)>, Failure> {
    let mut binds = Vec::new();
    let layers = isolation.layers.iter().map(|layer| layer.kind.clone());
    for kind in layers.chain([bind_of(&isolation.root, Access::Read)]) {
        let Kind::Bind { source, access } = &kind else {
            continue;
        };
        let tree = open(source).map_err(io::Error::from).and_then(|opened| {
            let tree = copy_of(&opened, attributes(*access))?;
            // What is mounted in the view must not appear on the machine.
            sys::make_private(&tree)?;
            Ok(tree)
        });
        match tree {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Vec::new()),
            tree => {
                let tree = tree.at_path(Step::Paths, source)?;
                binds.push((kind, tree));
            }
        }
    }
    Ok(binds)
}

fn bind_of(source: &Path, access: Access) -> Kind {
    Kind::Bind {
        source: source.to_owned(),
        access,
    }
}

fn attributes(access: Access) -> MountAttrFlags {
    match access {
        Access::Read => READ_ONLY,
        Access::Write => HARMLESS,
    }
}

/// Returns the layers with the paths to which links in the view lead, without those that have nothing to do: they hide what
/// neither exists nor can come with a bind, or they are default ones at paths that do not exist. What was asked for decides
/// about the working directory at the end of links, too.
pub(super) fn resolved(layers: Vec<Layer>, is_lasting: bool) -> Result<Vec<Layer>, Failure> {
    let mut missing = Vec::new();
    let mut resolved = Vec::with_capacity(layers.len());
    for mut layer in layers {
        let exists = match layer.path.try_exists() {
            // Its user cannot reach what is to be hidden, and nothing that is bound leads there.
            Err(error)
                if is_lasting
                    && layer.rank == Rank::Private
                    && error.kind() == io::ErrorKind::PermissionDenied =>
            {
                continue;
            }
            exists => exists.at_path(Step::Paths, &layer.path)?,
        };
        layer.path = target(&layer.path).at_path(Step::Paths, &layer.path)?;
        if exists {
            resolved.push(layer);
        } else {
            missing.push(layer);
        }
    }
    let is_bind = |layer: &Layer| matches!(layer.kind, Kind::Bind { .. });
    let binds = [paths(&resolved, is_bind), paths(&missing, is_bind)].concat();
    let is_bound = |path: &Path| binds.iter().any(|bind| path.starts_with(bind));
    missing.retain(|layer| match layer.kind {
        Kind::Hidden => is_bound(&layer.path),
        Kind::Scratch => layer.rank == Rank::Asked,
        Kind::Bind { .. } => true,
    });
    resolved.append(&mut missing);
    let asked = paths(&resolved, |layer| layer.rank == Rank::Asked);
    resolved.retain(|layer| {
        let is_decided = || asked.iter().any(|path| layer.path.starts_with(path));
        layer.rank != Rank::WorkDir || !is_decided()
    });
    Ok(resolved)
}

/// Returns the paths of some layers.
fn paths(layers: &[Layer], which: impl Fn(&Layer) -> bool) -> Vec<PathBuf> {
    let layers = layers.iter().filter(|layer| which(layer));
    layers.map(|layer| layer.path.clone()).collect()
}

/// Checks in the finished view that nothing is at the paths that were to be hidden, wherever the links of binds lead. `shown` is what
/// no layer has shown.
fn check_hidden(paths: &[PathBuf], applied: &[Layer], shown: Option<&Path>) -> Result<(), Failure> {
    for path in paths {
        let real = fs::canonicalize(path);
        let kind = real.as_ref().map_err(io::Error::kind);
        if let Err(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) = kind {
            continue;
        }
        let real = real.at_path(Step::Paths, path)?;
        let seen = top(applied.iter().map(Layer::placed), &real);
        let is_nothing =
            seen.is_some_and(|layer| matches!(layer.kind, Kind::Hidden | Kind::Scratch));
        if !is_nothing || shown.is_some_and(|shown| shown.starts_with(&real)) {
            return Err(io::Error::from(Errno::LOOP)).at_path(Step::Paths, path);
        }
    }
    Ok(())
}

/// Resolves the part of `path` that exists.
pub(super) fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(error);
            };
            Ok(target(parent)?.join(name))
        }
        canonical => canonical,
    }
}

pub(super) fn refused(error: &check::InvalidIsolation) -> Failure {
    use check::InvalidIsolation as Invalid;
    let path = match error {
        Invalid::NotPlain { path }
        | Invalid::Reserved { path }
        | Invalid::Conflict { path }
        | Invalid::Exposed { path, .. } => Some(path.clone()),
        Invalid::TooMany
        | Invalid::NoScratch
        | Invalid::Impossible { .. }
        | Invalid::NotAnId { .. } => None,
    };
    Failure {
        step: Step::Paths,
        path,
        source: io::Error::from_raw_os_error(libc::EINVAL),
    }
}

/// Makes a mounted tree the root of this process, and unmounts the former one.
fn pivot(root: &OwnedFd) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let former = rustix::fs::open("/", flags, Mode::empty())?;
    put(root, "/")?;
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    // The former root is now mounted on the new one.
    rustix::process::fchdir(&former)?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}

fn make_devices(plan: &Plan, devices: &[(&str, OwnedFd)]) -> Result<(), Failure> {
    let at = Step::Devices;
    let size = plan.isolation.scratch_bytes.to_string();
    let own = file_system("tmpfs", &[("mode", "0755"), ("size", "64k")], HARMLESS).at(at)?;
    put(&own, "/dev").at_path(at, "/dev")?;
    for (name, device) in devices {
        let path = Path::new("/dev").join(name);
        File::create(&path).at_path(at, &path)?;
        put(device, &path).at_path(at, &path)?;
    }
    for (name, options) in [
        ("pts", &[("mode", "0620"), ("ptmxmode", "0666")][..]),
        ("shm", &[("mode", "1777"), ("size", &size)]),
    ] {
        let path = Path::new("/dev").join(name);
        fs::create_dir(&path).at_path(at, &path)?;
        let (kind, attributes) = match name {
            // Terminals are devices.
            "pts" => ("devpts", MountAttrFlags::MOUNT_ATTR_NOSUID),
            _ => ("tmpfs", HARMLESS),
        };
        let own = file_system(kind, options, attributes).at_path(at, &path)?;
        put(&own, &path).at_path(at, &path)?;
    }
    for (name, to) in LINKS {
        symlink(to, Path::new("/dev").join(name)).at_path(at, name)?;
    }
    sys::set_mount_attributes(&own, READ_ONLY, sys::Below::Excluded).at(at)
}

/// Puts a layer in place; returns whether there was something to do.
fn apply(
    layer: &Layer,
    tree: Option<&OwnedFd>,
    plan: &Plan,
    (devices, nothing): (&[(&str, OwnedFd)], &mut Option<OwnedFd>),
) -> io::Result<bool> {
    let path = &layer.path;
    match &layer.kind {
        Kind::Scratch => {
            make_directories(path)?;
            let size = plan.isolation.scratch_bytes.to_string();
            put(
                &file_system(
                    "tmpfs",
                    &[("mode", scratch_mode(path)), ("size", &size)],
                    HARMLESS,
                )?,
                path,
            )?;
        }
        Kind::Hidden => {
            let place = match open(path) {
                // Nothing is there, or a link that has come with a bind: `check_hidden` sees where that leads.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
                place => place?,
            };
            put_at(&nothing_instead_of(&place, devices, nothing)?, &place)?;
        }
        Kind::Bind { .. } => {
            let tree = tree.ok_or(io::ErrorKind::NotFound)?;
            if is_directory(tree)? {
                make_directories(path)?;
            } else if !path.try_exists()? {
                make_directories(path.parent().unwrap_or(path))?;
                File::create(path)?;
            }
            put(tree, path)?;
        }
    }
    Ok(true)
}

/// Returns the mode of a scratch directory, which is that of the directories that these replace: all users may write to some, one
/// user to the others.
pub(super) fn scratch_mode(path: &Path) -> &'static str {
    if path.ends_with("tmp") {
        "1777"
    } else {
        "0755"
    }
}

/// Returns what hides a file or directory. `nothing` is the empty directory that hides another, of which copies are made: to create
/// and to remove a file system costs several times as much.
fn nothing_instead_of(
    place: &OwnedFd,
    devices: &[(&str, OwnedFd)],
    nothing: &mut Option<OwnedFd>,
) -> io::Result<OwnedFd> {
    if is_directory(place)? {
        if let Some(mounted) = nothing {
            return Ok(rustix::mount::open_tree(
                &*mounted,
                "",
                CLONE | OpenTreeFlags::AT_EMPTY_PATH,
            )?);
        }
        let options = [("mode", "0555"), ("size", "4k")];
        let empty = file_system("tmpfs", &options, READ_ONLY)?;
        *nothing = Some(empty.try_clone()?);
        return Ok(empty);
    }
    let null = devices.iter().find(|(name, _)| *name == "null");
    let (_, null) = null.ok_or(io::ErrorKind::NotFound)?;
    let null = rustix::mount::open_tree(null, "", CLONE | OpenTreeFlags::AT_EMPTY_PATH)?;
    // A device file that cannot be opened.
    sys::set_mount_attributes(&null, READ_ONLY, sys::Below::Included)?;
    Ok(null)
}

fn is_directory(file: &OwnedFd) -> io::Result<bool> {
    let mode = rustix::fs::fstat(file)?.st_mode;
    Ok(rustix::fs::FileType::from_raw_mode(mode).is_dir())
}

/// Makes the directory at which something is mounted, if that is not there: possible in a scratch directory.
pub(super) fn make_directories(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
}

/// Returns a copy of the mounts at and below a file, none of which has more than `attributes` allow.
fn copy_of(file: &OwnedFd, attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::AT_EMPTY_PATH | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(file, "", CLONE | flags)?;
    sys::set_mount_attributes(&tree, attributes, sys::Below::Included)?;
    Ok(tree)
}

/// Creates a new file system.
pub(super) fn file_system(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> io::Result<OwnedFd> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        rustix::mount::fsconfig_set_string(&context, *name, *value)?;
    }
    rustix::mount::fsconfig_create(&context)?;
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    Ok(rustix::mount::fsmount(&context, flags, attributes)?)
}

/// Mounts a tree at a path.
pub(super) fn put(tree: &OwnedFd, path: impl AsRef<Path>) -> io::Result<()> {
    put_at(tree, &open(path)?)
}

fn put_at(tree: &OwnedFd, place: &OwnedFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(tree, "", place, "", flags)?)
}

/// Opens a file or directory, without its contents, by a path that has no links.
pub(super) fn open(path: impl AsRef<Path>) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let no_links = ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(CWD, path.as_ref(), flags, Mode::empty(), no_links)
}

pub(super) const CLONE: OpenTreeFlags =
    OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC);

/// Without setuid programs and devices.
pub(super) const HARMLESS: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);

pub(super) const READ_ONLY: MountAttrFlags = HARMLESS.union(MountAttrFlags::MOUNT_ATTR_RDONLY);

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const LINKS: [(&str, &str); 5] = [
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];
