//! A disk without space.

use std::io::Write;
use std::path::PathBuf;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use sandbox_provider::{Error, Local, Provider, Spec, State, Stop};

use crate::machine::{run, skip};

/// A small file system of its own.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: PathBuf) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        match mount(
            "tmpfs",
            &path,
            "tmpfs",
            MountFlags::empty(),
            c"size=256k,mode=700",
        ) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                skip(&format!("cannot mount a file system: {error}"));
                None
            }
        }
    }

    /// Leaves at most this many pages free.
    fn leave(&self, pages: usize) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        while filler.write_all(&[1; PAGE]).is_ok() {}
        let length = filler.metadata().unwrap().len();
        let left = u64::try_from(pages * PAGE).unwrap();
        filler.set_len(length.saturating_sub(left)).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}

const PAGE: usize = 4096;

#[tokio::test]
async fn a_full_disk_leaves_nothing_half_made() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(directory.path().join("disk")) else {
        return;
    };
    let state = disk.0.join("state");
    let local = match Local::builder(&state).open().await {
        Ok(local) => local,
        Err(Error::Unsupported { what }) => return skip(&what),
        Err(error) => panic!("{error:?}"),
    };
    let mut pages = 0;
    let sandbox = loop {
        assert!(pages < 60, "it needs more than that");
        disk.leave(pages);
        match local.create(Spec::default()).await {
            Ok(sandbox) => break sandbox,
            Err(Error::Exhausted { what }) => assert!(what.contains("disk is full"), "{what}"),
            Err(error) => panic!("{pages} pages: {error:?}"),
        }
        assert!(local.list().await.unwrap().is_empty(), "{pages} pages");
        for name in ["data", "records", "run"] {
            let left = std::fs::read_dir(state.join(name)).unwrap().count();
            assert_eq!(left, 0, "{pages} pages: {name}");
        }
        pages += 1;
    };
    assert!(pages > 0);
    // It can be stopped and deleted without space.
    disk.leave(0);
    assert_eq!(run(&local, &sandbox, "echo x").await, "x");
    let stopped = local.stop(&sandbox.id, Stop::Terminate).await;
    assert!(
        matches!(&stopped, Err(Error::Exhausted { .. }) | Ok(_)),
        "{stopped:?}"
    );
    assert_eq!(local.get(&sandbox.id).await.unwrap().state, State::Stopped);
    local.delete(&sandbox.id).await.unwrap();
}
