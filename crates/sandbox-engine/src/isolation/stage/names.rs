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
use crate::isolation::{Network, Plan};
use crate::sys;

/// Returns what programs in this network are to read of where names are resolved. Called while the machine's own is in sight.
pub(super) fn of(network: Network) -> Option<String> {
    let machine = || fs::read_to_string(FILE);
    match network {
        Network::None => None,
        Network::User => Some(resolver(&machine().unwrap_or_default())),
        Network::Host => machine().ok(),
    }
}

/// Shows where names are resolved, unless something at that path was asked for, or another root has no such file. That of the machine
/// is shown where it is a link into a directory that the view has its own of, as with systemd.
pub(super) fn show(plan: &Plan, names: &str, applied: &[Layer]) -> io::Result<()> {
    let place = end_of(Path::new(FILE))?;
    let decided = top(applied.iter().map(Layer::placed), &place);
    if decided.is_some_and(|layer| layer.rank == Rank::Asked) {
        return Ok(());
    }
    let exists = fs::metadata(&place).is_ok_and(|file| file.is_file());
    let is_shown = exists && plan.isolation.network() == Network::Host;
    if is_shown || !exists && plan.isolation.has_root_dir() {
        return Ok(());
    }
    if !exists {
        // In a scratch directory; elsewhere the machine has none.
        let made = view::make_directories(place.parent().unwrap_or(&place));
        return match made.and_then(|()| fs::write(&place, names)) {
            Err(error) if error.raw_os_error() == Some(libc::EROFS) => Ok(()),
            made => made,
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
    Ok(rustix::mount::unmount(BETWEEN, UnmountFlags::DETACH)?)
}

/// Returns the path to which links lead, also if nothing is there: a directory of the view's own is empty where the machine's has the
/// file.
fn end_of(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let parent = view::target(parent)?;
        path = match fs::read_link(parent.join(name)) {
            Ok(to) => parent.join(to),
            Err(_) => return Ok(parent.join(name)),
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
}
