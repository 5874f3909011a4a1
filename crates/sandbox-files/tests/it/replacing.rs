//! What a file retains when its content is replaced, and when it is moved.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;

use rustix::fs::XattrFlags;
use sandbox_files::{Error, Files, WriteOptions};

use super::{as_any_user, read, skip, write};

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 100];
    let length = rustix::fs::getxattr(path, name, value.as_mut_slice()).ok()?;
    value.truncate(length);
    Some(value)
}

fn set_attribute(path: &Path, name: &str, value: &[u8]) -> bool {
    rustix::fs::setxattr(path, name, value, XattrFlags::empty()).is_ok()
}

/// An access control list with an entry for the user 1234.
const ACL: &[u8] = b"\x02\0\0\0\
    \x01\0\x06\0\xff\xff\xff\xff\
    \x02\0\x04\0\xd2\x04\0\0\
    \x04\0\x04\0\xff\xff\xff\xff\
    \x10\0\x04\0\xff\xff\xff\xff\
    \x20\0\0\0\xff\xff\xff\xff";

#[tokio::test]
async fn attributes_and_access_lists_stay() {
    // The temporary directory may be on a file system without attributes.
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let files = Files::system(dir.path());
    let path = dir.path().join("file");
    write(&files, "file", b"old").await.unwrap();
    if !set_attribute(&path, "user.origin", b"a url") {
        return skip("the file system has no attributes");
    }
    let has_acl = set_attribute(&path, "system.posix_acl_access", ACL);
    let mode = fs::metadata(&path).unwrap().mode();
    let inode = fs::metadata(&path).unwrap().ino();
    write(&files, "file", b"new").await.unwrap();
    assert_ne!(fs::metadata(&path).unwrap().ino(), inode);
    assert_eq!(attribute(&path, "user.origin").unwrap(), b"a url");
    assert_eq!(fs::metadata(&path).unwrap().mode(), mode);
    if has_acl {
        assert_eq!(attribute(&path, "system.posix_acl_access").unwrap(), ACL);
    }
    assert_eq!(files.replace("file", "new", "newer").await.unwrap(), 1);
    assert_eq!(attribute(&path, "user.origin").unwrap(), b"a url");
}

#[tokio::test]
async fn other_names_of_a_file_retain_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    write(&files, "file", b"old").await.unwrap();
    fs::hard_link(dir.path().join("file"), dir.path().join("other")).unwrap();
    write(&files, "file", b"new").await.unwrap();
    assert_eq!(read(&files, "other").await.unwrap(), b"old");
    assert_eq!(read(&files, "file").await.unwrap(), b"new");
}

#[tokio::test]
async fn a_mounted_file_is_written_in_place() {
    use rustix::mount::{UnmountFlags, mount_bind, unmount};
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    write(&files, "source", b"a long old text").await.unwrap();
    write(&files, "target", b"").await.unwrap();
    let (source, target) = (dir.path().join("source"), dir.path().join("target"));
    if mount_bind(&source, &target).is_err() {
        return skip("this user may not mount files");
    }
    let written = write(&files, "target", b"new").await;
    let options = WriteOptions {
        mode: Some(0o640),
        sync: true,
        ..WriteOptions::default()
    };
    let mut writer = files.writer("target", options).await.unwrap();
    writer.write("another".into()).await.unwrap();
    let again = writer.finish().await;
    let replaced = files.replace("target", "other", "x").await;
    let names = files.list(".", 1).await.unwrap().found.len();
    unmount(&target, UnmountFlags::DETACH).unwrap();
    written.unwrap();
    assert_eq!(again.unwrap().size, 7);
    assert_eq!((replaced.unwrap(), names), (1, 2));
    assert_eq!(fs::read(&source).unwrap(), b"anx");
    assert_eq!(fs::metadata(&source).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(fs::read(&target).unwrap(), b"");
}

/// As `cp` and an editor can.
#[test]
fn a_file_in_a_directory_that_may_not_be_written_to_is_written_in_place() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("fixed")).unwrap();
    let path = dir.path().join("fixed/file");
    fs::write(&path, "a long old text").unwrap();
    let fixed = |mode| {
        let fixed = dir.path().join("fixed");
        fs::set_permissions(fixed, fs::Permissions::from_mode(mode)).unwrap();
    };
    fixed(0o555);
    let files = Files::system(dir.path());
    as_any_user().block_on(async {
        write(&files, "fixed/file", b"new").await.unwrap();
        let refused = write(&files, "fixed/other", b"new").await;
        assert!(matches!(refused, Err(Error::AccessDenied)), "{refused:?}");
        // A writer that ends early changes nothing.
        let writer = files.writer("fixed/file", WriteOptions::default()).await;
        let mut writer = writer.unwrap();
        writer.write(vec![1; 1 << 20].into()).await.unwrap();
    });
    fixed(0o755);
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read_dir(dir.path().join("fixed")).unwrap().count(), 1);
}

#[test]
fn the_file_of_another_user_stays_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "old").unwrap();
    if chown(&path, Some(12_345), None).is_err() {
        return skip("only root gives files away");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let files = Files::system(dir.path());
    let inode = fs::metadata(&path).unwrap().ino();
    as_any_user().block_on(async {
        write(&files, "file", b"new").await.unwrap();
        // Nothing is written if it cannot be as it is to be.
        let options = WriteOptions {
            mode: Some(0o600),
            ..WriteOptions::default()
        };
        let mut writer = files.writer("file", options).await.unwrap();
        writer.write("other".into()).await.unwrap();
        let refused = writer.finish().await;
        assert!(matches!(refused, Err(Error::AccessDenied)), "{refused:?}");
    });
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.ino(), found.uid()), (inode, 12_345));
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_full_disk_leaves_a_file_that_is_written_in_place() {
    use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    for name in ["target", "disk/small"] {
        let options = WriteOptions {
            create_dirs: true,
            ..WriteOptions::default()
        };
        files
            .writer(name, options)
            .await
            .unwrap()
            .finish()
            .await
            .unwrap();
    }
    let disk = dir.path().join("disk");
    if mount("none", &disk, "tmpfs", MountFlags::empty(), c"size=1m").is_err() {
        return skip("this user may not mount a small file system");
    }
    write(&files, "disk/file", b"old").await.unwrap();
    let target = dir.path().join("target");
    mount_bind(disk.join("file"), &target).unwrap();
    // There is space for it beside the mount point, and none where it is to be.
    let full = write(&files, "target", &vec![b'x'; 2 << 20]).await;
    let after = read(&files, "target").await;
    unmount(&target, UnmountFlags::DETACH).unwrap();
    unmount(&disk, UnmountFlags::DETACH).unwrap();
    assert!(matches!(full, Err(Error::DiskFull)), "{full:?}");
    assert_eq!(after.unwrap(), b"old");
}

#[tokio::test]
async fn what_is_moved_to_another_file_system_is_the_same() {
    let here = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let Ok(there) = tempfile::tempdir_in("/dev/shm") else {
        return skip("there is no /dev/shm");
    };
    let files = Files::system(here.path());
    files.create_dir("dir", Some(0o750)).await.unwrap();
    let path = here.path().join("dir/sparse");
    let file = fs::File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    file.write_all_at(b"in the middle", 1 << 39).unwrap();
    drop(file);
    let has_attributes = set_attribute(&path, "trusted.x", b"x")
        && set_attribute(&path, "user.x", b"y")
        && set_attribute(&here.path().join("dir"), "user.x", b"z");
    let is_root = chown(&path, Some(12_345), Some(54_321)).is_ok();
    for (from, to, file) in [("dir", "dir", "dir/sparse"), ("file", "old", "old")] {
        if from == "file" {
            let copied = there.path().join("dir/sparse");
            let text = there.path().join("old");
            fs::write(&text, "old").unwrap();
            // A move takes the place of all of a file, as `mv` does.
            fs::set_permissions(&text, fs::Permissions::from_mode(0o600)).unwrap();
            files.rename(&copied, "file").await.unwrap();
        }
        files.rename(from, there.path().join(to)).await.unwrap();
        let path = there.path().join(file);
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.len(), found.mode() & 0o777), (1 << 40, 0o644));
        assert!(found.blocks() * 512 < 1 << 20, "{} blocks", found.blocks());
        if is_root {
            assert_eq!((found.uid(), found.gid()), (12_345, 54_321));
        }
        let mut text = [0; 13];
        let opened = fs::File::open(&path).unwrap();
        opened.read_exact_at(&mut text, 1 << 39).unwrap();
        assert_eq!(&text, b"in the middle");
        // tmpfs knows them since Linux 6.6.
        if has_attributes && set_attribute(there.path(), "user.x", b"") {
            assert_eq!(attribute(&path, "user.x").unwrap(), b"y");
        }
    }
}
