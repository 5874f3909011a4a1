//! The file in the view that says where names are resolved.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::UnmountFlags;

use super::view;
use crate::isolation::description::{Layer, Rank, top};
use crate::isolation::way_out::resolver;
use crate::isolation::{Isolation, Network, Plan};
use crate::sys;

/// Returns what programs in this view are to read of where names are resolved; nothing if that is to be hidden. Called while the
/// machine's own is in sight: a path that leads there on the machine may lead nowhere in the view.
pub(super) fn of(isolation: &Isolation, to_hide: &[PathBuf]) -> Option<String> {
    // The paths are those of another root.
    if !isolation.has_root_dir() && is_hidden(Path::new(FILE), to_hide) {
        return None;
    }
    let machine = || fs::read_to_string(FILE);
    match isolation.network() {
        Network::None => None,
        Network::User => Some(resolver(&machine().unwrap_or_default())),
        Network::Host => machine().ok(),
    }
}

/// Shows where names are resolved, unless something at that path was asked for, or another root has no such file. That of the machine
/// is shown where it is a link into a directory that the view has its own of, as with systemd. Returns the path if it was shown.
pub(super) fn show(
    plan: &Plan,
    names: &str,
    to_hide: &[PathBuf],
    applied: &[Layer],
) -> io::Result<Option<PathBuf>> {
    let place = end_of(Path::new(FILE))?;
    let decided = top(applied.iter().map(Layer::placed), &place);
    if decided.is_some_and(|layer| layer.rank == Rank::Asked) {
        return Ok(None);
    }
    let exists = fs::metadata(&place).is_ok_and(|file| file.is_file());
    let is_shown = exists && plan.isolation.network() == Network::Host;
    let is_absent = !exists && plan.isolation.has_root_dir();
    if is_shown || is_absent || is_hidden(Path::new(FILE), to_hide) {
        return Ok(None);
    }
    if !exists {
        // In a scratch directory; elsewhere the machine has none.
        let made = view::make_directories(place.parent().unwrap_or(&place));
        return match made.and_then(|()| fs::write(&place, names)) {
            Err(error) if error.raw_os_error() == Some(libc::EROFS) => Ok(None),
            made => made.map(|()| Some(place)),
        };
    }
    // A mount of a file is that of one that is mounted already.
    let own = view::file_system(
        "tmpfs",
        &[("mode", "0755"), ("size", "64k")],
        view::HARMLESS,
    )?;
    view::put(&own, BETWEEN)?;
    let file = Path::new(BETWEEN).join("names");
    fs::write(&file, names)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    let tree = rustix::mount::open_tree(CWD, &file, view::CLONE)?;
    sys::set_mount_attributes(&tree, view::READ_ONLY, sys::Below::Included)?;
    view::put(&tree, &place)?;
    rustix::mount::unmount(BETWEEN, UnmountFlags::DETACH)?;
    Ok(Some(place))
}

/// Returns whether one of these paths, or what it leads to, is at or above `file` or a path to which that leads.
pub(in crate::isolation) fn is_hidden(file: &Path, to_hide: &[PathBuf]) -> bool {
    let mut ways = vec![file.to_owned()];
    // A file at the end of too many links has no reader.
    let _ = follow(file, |way| ways.push(way.to_owned()));
    to_hide.iter().any(|path| {
        let end = end_of(path).unwrap_or_else(|_| path.clone());
        let is_above = |way: &PathBuf| way.starts_with(path) || way.starts_with(&end);
        ways.iter().any(is_above)
    })
}

/// Returns the path to which links lead, also if nothing is there: a directory of the view's own is empty where the machine's has the
/// file.
fn end_of(path: &Path) -> io::Result<PathBuf> {
    follow(path, |_| {})
}

/// Follows links, and calls `on_way` with the path of each and the path at the end, which is returned.
fn follow(path: &Path, mut on_way: impl FnMut(&Path)) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let parent = view::target(parent)?;
        let real = parent.join(name);
        on_way(&real);
        path = match fs::read_link(&real) {
            Ok(to) => parent.join(to),
            Err(_) => return Ok(real),
        };
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// The file that says where names are resolved.
pub(in crate::isolation) const FILE: &str = "/etc/resolv.conf";

/// A directory that every view has its own of, and that is empty until the program starts.
const BETWEEN: &str = "/dev/shm";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// As with systemd, whose link leads into `/run`, of which a view has one of its own.
    #[test]
    fn a_link_is_followed_to_what_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        for made in ["etc", "run"] {
            fs::create_dir(root.join(made)).unwrap();
        }
        let absolute = root.join("run/systemd/names");
        let links = [
            ("relative", Path::new("../run/systemd/names")),
            ("absolute", &absolute),
            ("chain", Path::new("relative")),
        ];
        for (name, to) in links {
            symlink(to, root.join("etc").join(name)).unwrap();
        }
        for there in [false, true] {
            if there {
                fs::create_dir(root.join("run/systemd")).unwrap();
                fs::write(&absolute, "").unwrap();
            }
            for (name, _) in links {
                let end = end_of(&root.join("etc").join(name)).unwrap();
                assert_eq!(end, absolute, "{name}, {there}");
            }
        }
        let plain = root.join("etc/plain");
        assert_eq!(end_of(&plain).unwrap(), plain);
        symlink("loop", root.join("etc/loop")).unwrap();
        let error = end_of(&root.join("etc/loop")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        assert!(end_of(Path::new("/")).is_err());
    }

    #[test]
    fn what_is_hidden_by_any_path_to_it_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        for made in ["etc", "run/names", "run/other", "var"] {
            fs::create_dir_all(root.join(made)).unwrap();
        }
        fs::write(root.join("run/names/stub"), "").unwrap();
        for (to, link) in [
            ("../run/first", "etc/file"),
            ("names/stub", "run/first"),
            ("../run", "var/run"),
            ("run/names", "alias"),
        ] {
            symlink(to, root.join(link)).unwrap();
        }
        let is_hidden = |path: &str| is_hidden(&root.join("etc/file"), &[root.join(path)]);
        for path in [
            "etc",
            "etc/file",
            "run",
            "run/first",
            "run/names",
            "run/names/stub",
            "var/run",
            "var/run/first",
            "var/run/names",
            "var/run/names/stub",
            "alias",
            "alias/stub",
        ] {
            assert!(is_hidden(path), "{path}");
        }
        for path in ["var", "run/other", "var/run/other", "run/none", "etc/fil"] {
            assert!(!is_hidden(path), "{path}");
        }
        // What is created there in a view is hidden all the same.
        fs::remove_dir_all(root.join("run/names")).unwrap();
        for path in ["etc/file", "run/names", "var/run/names/stub", "alias"] {
            assert!(is_hidden(path), "{path}, of which nothing is there");
        }
    }
}
