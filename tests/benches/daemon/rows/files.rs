//! Files.

use std::fs::{self, File};
use std::io::sink;
use std::path::Path;
use std::time::Instant;

use super::FEW;
use crate::bare;
use crate::measure::{Goal, Row, Unit, rate, time};
use crate::serve::Daemon;

const BYTES: u64 = 1 << 30;
const SMALL_FILES: u32 = 10_000;

pub(crate) async fn rows(daemon: &Daemon) -> Vec<Row> {
    // In memory, where that can be: the daemon is measured, not the disk.
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let directory = directory.expect("a temporary directory");
    let mut rows = transfers(daemon, directory.path()).await;
    rows.push(many(daemon, directory.path()).await);
    rows.push(find(daemon).await);
    rows
}

/// A large file, both ways.
async fn transfers(daemon: &Daemon, directory: &Path) -> Vec<Row> {
    let files = daemon.client().files();
    let [path, bare, ours] = ["large", "bare", "ours"].map(|name| directory.join(name));
    let length = usize::try_from(BYTES).expect("a length of this machine");
    fs::write(&path, vec![b'x'; length]).expect("a file");
    let text = path.to_str().expect("a printable path").to_owned();
    let words = ["cat", &text];
    let download = Row::in_turns(
        ("file of 1 GiB, download", Unit::Rate, FEW),
        "`cat` through a loopback socket",
        async || bare::through_a_socket(&words, BYTES, &mut sink()),
        async || {
            let started = Instant::now();
            let mut reader = files.reader(&path).await.expect("a file");
            let mut sink = tokio::io::sink();
            let read = tokio::io::copy_buf(&mut reader, &mut sink);
            assert_eq!(read.await.expect("bytes"), BYTES);
            rate(BYTES, started)
        },
    );
    let download = download.await.goal(Goal::Ratio(0.7));
    // Both write a file that is not there yet. What is replaced stays until the new file is complete, so that there is memory for
    // two, and freeing it would be in the time of the upload alone.
    let remove = |path: &Path| drop(fs::remove_file(path));
    let upload = Row::in_turns(
        ("file of 1 GiB, upload", Unit::Rate, FEW),
        "`cat` through a loopback socket into a file",
        async || {
            remove(&bare);
            let mut file = File::create(&bare).expect("a file");
            bare::through_a_socket(&words, BYTES, &mut file)
        },
        async || {
            remove(&ours);
            let started = Instant::now();
            files.upload(&path, &ours).await.expect("an upload");
            rate(BYTES, started)
        },
    );
    let upload = upload.await.goal(Goal::Ratio(0.7));
    for path in [path, bare, ours] {
        fs::remove_file(path).expect("a file");
    }
    vec![download, upload]
}

/// Many small files in one request.
async fn many(daemon: &Daemon, directory: &Path) -> Row {
    let [source, bare, ours] = ["small", "bare", "ours"].map(|name| directory.join(name));
    for number in 0..SMALL_FILES {
        let directory = source.join(format!("{}", number % 100));
        fs::create_dir_all(&directory).expect("a directory");
        let file = fs::write(directory.join(format!("{number}")), [b'x'; 1024]);
        file.expect("a file");
    }
    let text = format!(
        "tar -C {} -c . | tar -C {} -x",
        source.display(),
        bare.display()
    );
    let row = Row::in_turns(
        ("10,000 files of 1 KiB, `cp -r`", Unit::Calls, FEW),
        "`tar -c | tar -x`",
        async || {
            fs::create_dir_all(&bare).expect("a directory");
            let took = bare::spawn(&["/bin/bash", "-c", &text]);
            fs::remove_dir_all(&bare).expect("it was made");
            f64::from(SMALL_FILES) / took
        },
        async || {
            let upload = daemon.client().files().upload_dir(&source, &ours);
            let started = Instant::now();
            upload.await.expect("an upload");
            let rate = rate(SMALL_FILES, started);
            fs::remove_dir_all(&ours).expect("it was made");
            rate
        },
    );
    let row = row.await.goal(Goal::Ratio(0.5));
    fs::remove_dir_all(&source).expect("a directory");
    row
}

/// A text in the sources of this repository.
async fn find(daemon: &Daemon) -> Row {
    let tree = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates");
    let text = "unsafe";
    let (what, words) = if bare::is_installed("rg") {
        ("ripgrep", vec!["rg", "--no-ignore", "-n", text, tree])
    } else {
        (
            "`grep -r`, since ripgrep is not installed",
            vec!["grep", "-rn", text, tree],
        )
    };
    let files = daemon.client().files();
    let row = Row::in_turns(
        (
            "find in the sources of this repository",
            Unit::Time,
            4 * FEW,
        ),
        what,
        async || bare::spawn(&words),
        async || {
            time(async {
                let found = files.find(tree, text).await.expect("a search");
                assert!(!found.items.is_empty());
            })
            .await
        },
    );
    row.await.goal(Goal::Ratio(2.0))
}
