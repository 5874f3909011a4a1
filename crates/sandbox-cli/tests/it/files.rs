//! `cp`, `ls`, `cat`, `mkdir` and `rm`.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Output, Stdio};

use super::sandbox;

/// A directory in which a sandbox works, and one beside it.
struct Places {
    root: tempfile::TempDir,
}

impl Places {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for name in ["sandbox", "local"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        Self { root }
    }

    fn sandbox(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join("sandbox").join(path)
    }

    fn local(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join("local").join(path)
    }

    /// Runs the command in the sandbox's directory; `@` stands for the other one.
    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, b"")
    }

    fn run_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        let local = self.local("");
        let local = local.to_str().unwrap();
        let arguments: Vec<_> = arguments
            .iter()
            .map(|word| word.replace('@', local))
            .collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let mut command = sandbox(&arguments);
        command.current_dir(self.sandbox(""));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that fails may not read it.
        drop(child.stdin.take().unwrap().write_all(input));
        child.wait_with_output().unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        assert_eq!(stderr, "", "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, expect: &[&str]) {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        for text in expect {
            assert!(stderr.contains(text), "{arguments:?}: {stderr}");
        }
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn files_are_copied_both_ways() {
    let places = Places::new();
    std::fs::write(places.local("run"), "#!").unwrap();
    std::fs::set_permissions(places.local("run"), std::fs::Permissions::from_mode(0o750)).unwrap();
    places.succeeds(&["cp", "@run", ":"]);
    places.succeeds(&["cp", "@run", ":new/dir/"]);
    places.succeeds(&["cp", "@run", ":new/other"]);
    for path in ["run", "new/dir/run", "new/other"] {
        assert_eq!(
            std::fs::read(places.sandbox(path)).unwrap(),
            b"#!",
            "{path}"
        );
        assert_eq!(mode(&places.sandbox(path)), 0o750, "{path}");
    }
    places.succeeds(&["cp", ":run", "@back"]);
    assert_eq!(mode(&places.local("back")), 0o750);
    places.succeeds(&["cp", ":new/other", "@"]);
    assert_eq!(std::fs::read(places.local("other")).unwrap(), b"#!");

    // A file takes the place of another one.
    std::fs::write(places.sandbox("run"), "changed").unwrap();
    places.succeeds(&["cp", ":run", "@back"]);
    assert_eq!(std::fs::read(places.local("back")).unwrap(), b"changed");
    let json = places.succeeds(&["cp", "--json", "@back", ":run"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["files"], &json["bytes"]), (&1.into(), &7.into()));
}

#[test]
fn standard_input_and_output_are_copied() {
    let places = Places::new();
    let input: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let output = places.run_with(&["cp", "-", ":dir/data"], &input);
    assert!(output.status.success(), "{output:?}");
    assert!(std::fs::read(places.sandbox("dir/data")).unwrap() == input);
    let output = places.run(&["cp", ":dir/data", "-"]);
    assert!(output.status.success());
    assert!(output.stdout == input);
    let output = places.run(&["cat", "dir/data", ":dir/data"]);
    assert!(output.stdout == [&input[..], &input].concat());
}

#[test]
fn directories_are_copied_both_ways() {
    let places = Places::new();
    std::fs::create_dir_all(places.local("tree/a/b")).unwrap();
    std::fs::write(places.local("tree/a/data"), [1; 100_000]).unwrap();
    std::fs::write(places.local("tree/a/b/run"), "#!").unwrap();
    std::fs::set_permissions(
        places.local("tree/a/b/run"),
        std::fs::Permissions::from_mode(0o711),
    )
    .unwrap();
    let check = |dir: &Path| {
        assert_eq!(std::fs::read(dir.join("a/data")).unwrap(), [1; 100_000]);
        assert_eq!(mode(&dir.join("a/b/run")), 0o711);
    };
    // A target that does not exist is the directory; in one that does, it has its own name.
    places.succeeds(&["cp", "-r", "@tree", ":copy"]);
    check(&places.sandbox("copy"));
    places.succeeds(&["cp", "-r", "@tree", ":"]);
    check(&places.sandbox("tree"));
    places.succeeds(&["cp", "-r", "@tree/.", ":contents"]);
    check(&places.sandbox("contents"));
    let json = places.succeeds(&["cp", "-r", "--json", ":tree", "@back"]);
    check(&places.local("back"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["files"], &json["bytes"]),
        (&2.into(), &100_002.into())
    );
    places.succeeds(&["cp", "-r", ":tree", "@"]);
    places.succeeds(&["cp", "-r", ":tree", "@tree"]);
    check(&places.local("tree/tree"));
}

#[test]
fn directories_are_listed_created_and_removed() {
    let places = Places::new();
    places.succeeds(&["mkdir", "a/b", ":c"]);
    std::fs::write(places.sandbox("a/file"), "12345").unwrap();
    std::fs::set_permissions(
        places.sandbox("a/file"),
        std::fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    symlink("file", places.sandbox("a/link")).unwrap();
    assert_eq!(places.succeeds(&["ls"]), "a\nc\n");
    assert_eq!(places.succeeds(&["ls", ":a"]), "b\nfile\nlink\n");
    assert_eq!(places.succeeds(&["ls", "a/file"]), "file\n");
    let long = places.succeeds(&["ls", "-l", "a"]);
    let lines: Vec<_> = long.lines().collect();
    assert!(lines[0].starts_with("drwx"), "{long}");
    assert!(lines[1].starts_with("-rw-r-----"), "{long}");
    assert!(
        lines[1].contains(" 5 2") && lines[1].ends_with("Z file"),
        "{long}"
    );
    assert!(lines[2].starts_with("lrwx"), "{long}");
    let json = places.succeeds(&["ls", "--json", "a"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[1]["name"], "file");
    assert_eq!(json[1]["mode"], "0640");
    assert_eq!(json[2]["kind"], "symlink");

    places.succeeds(&["rm", "a/file", "a/link"]);
    places.fails(&["rm", "a"], 125, &["a is a directory", "-r"]);
    places.succeeds(&["rm", "-r", "a", "c"]);
    assert_eq!(places.succeeds(&["ls"]), "");
    let json = places.succeeds(&["mkdir", "--json", "d"]);
    assert_eq!(json, "{\"created\":[\"d\"]}\n");
    assert_eq!(
        places.succeeds(&["rm", "-r", "--json", "d"]),
        "{\"removed\":[\"d\"]}\n"
    );
}

#[test]
fn an_error_of_one_path_leaves_the_others() {
    let places = Places::new();
    for name in ["one", "two", "three"] {
        std::fs::write(places.sandbox(name), name).unwrap();
    }
    std::fs::create_dir(places.sandbox("dir")).unwrap();
    let errors = |output: &Output| {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.matches("error: ").count()
    };
    let output = places.run(&["cat", "none", "one", "dir", "two"]);
    assert_eq!((output.status.code(), errors(&output)), (Some(125), 2));
    assert_eq!(output.stdout, b"onetwo");
    let output = places.run(&["rm", "none", "one", "dir", "two"]);
    assert_eq!((output.status.code(), errors(&output)), (Some(125), 2));
    assert!(!places.sandbox("one").exists() && !places.sandbox("two").exists());
    let output = places.run(&["mkdir", "--json", "three/x", "four"]);
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(output.stdout, b"{\"created\":[\"four\"]}\n");
    // Without a daemon there is nothing to go on with.
    let output = places.run(&["rm", "--url", "http://127.0.0.1:1", "three", "four"]);
    assert_eq!((output.status.code(), errors(&output)), (Some(125), 1));
}

#[test]
fn the_home_directory_retains_its_name() {
    let places = Places::new();
    let home = places.sandbox("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("file"), "x").unwrap();
    let mut command = sandbox(&["cp", "-r", ":~", "."]);
    command.env("HOME", &home).current_dir(places.local(""));
    assert!(command.status().unwrap().success());
    assert_eq!(std::fs::read(places.local("home/file")).unwrap(), b"x");
}

#[test]
fn bad_copies_say_what_is_wrong() {
    let places = Places::new();
    std::fs::create_dir_all(places.local("dir/inner")).unwrap();
    std::fs::create_dir_all(places.sandbox("dir")).unwrap();
    std::fs::write(places.local("file"), "f").unwrap();
    std::fs::write(places.sandbox("file"), "s").unwrap();
    // The command line.
    places.fails(&["cp", "@file"], 2, &["Usage: sandbox cp"]);
    places.fails(&["cp", "@file", "@other"], 2, &["write it as :PATH"]);
    places.fails(
        &["cp", ":file", ":other"],
        2,
        &["both paths are in the sandbox"],
    );
    places.fails(&["cp", "-", "-"], 2, &["write it as :PATH"]);
    places.fails(&["cp", "", ":x"], 2, &["the path is empty"]);
    places.fails(&["cp", "--json", ":file", "-"], 2, &["not for JSON"]);
    // What is not there.
    places.fails(
        &["cp", "@none", ":x"],
        125,
        &["cannot read", "none", "No such file"],
    );
    places.fails(&["cp", ":none", "@x"], 1, &["none: file not found"]);
    places.fails(&["cp", ":file", "@no/such/x"], 125, &["no/such/x: "]);
    places.fails(&["cat", "none"], 1, &["none: file not found"]);
    places.fails(&["ls", "none"], 1, &["none: file not found"]);
    places.fails(&["rm", "none"], 1, &["none: file not found"]);
    // Directories in place of files, and the reverse.
    places.fails(&["cp", "@dir", ":x"], 125, &["is a directory", "-r"]);
    places.fails(&["cp", ":dir", "@x"], 125, &["is a directory", "-r"]);
    places.fails(&["cp", "-", ":dir"], 125, &["dir: is a directory"]);
    places.fails(&["cp", ":dir", "-"], 125, &["dir: is a directory"]);
    places.fails(&["cat", "dir"], 125, &["dir: is a directory"]);
    places.fails(&["cp", "-r", "@dir", ":file"], 125, &["not a directory"]);
    places.fails(&["cp", "-r", ":dir", "@file"], 125, &["not a directory"]);
    places.fails(&["cp", "@file", ":file/x"], 125, &["not a directory"]);
    places.fails(&["mkdir", "file/x"], 125, &["not a directory"]);
    // What may block.
    places.fails(&["cp", ":/dev/zero", "@x"], 125, &["not a regular file"]);
    places.fails(&["cp", "/dev/zero", ":x"], 125, &["not a regular file"]);
    // `..` is a name like any other, and leads where it leads.
    places.succeeds(&["cp", ":../sandbox/file", "@dir/../up"]);
    assert_eq!(std::fs::read(places.local("up")).unwrap(), b"s");
    // Nothing was written beside that.
    let mut names: Vec<_> = std::fs::read_dir(places.local(""))
        .unwrap()
        .chain(std::fs::read_dir(places.sandbox("")).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["dir", "dir", "file", "file", "up"]);
}

#[test]
fn errors_of_files_are_json_for_programs() {
    let places = Places::new();
    let output = places.run(&["cp", "--json", ":none", "@x"]);
    assert_eq!(output.status.code(), Some(1));
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["code"], "FILE_NOT_FOUND");
}
