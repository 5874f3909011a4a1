//! Output that cannot be written is a failure, whatever the subcommand.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::process::Stdio;

use crate::background::Place;
use crate::sandboxes::is_unsupported;

/// A device on which every write fails, as on a full disk.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// The subcommands that `--help` lists under one, and those under them: all that have none.
fn leaves(place: &Place, above: &[String]) -> BTreeSet<String> {
    let mut arguments: Vec<_> = above.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = place.says(&arguments);
    let names: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A description that is too long goes on in a line that is indented further.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect();
    if names.is_empty() {
        return [above.join(" ")].into();
    }
    let below = |name: String| leaves(place, &[above, &[name]].concat());
    names.into_iter().flat_map(below).collect()
}

/// Ways to make every subcommand print something, in an order in which each of them can do it.
fn printing(file: &str, socket: &str) -> Vec<Vec<String>> {
    let sleeps = ["session", "exec", "--detach", "s", "sleep 1000"];
    let (copy, directory) = (&*format!("{file}.copy"), &*format!("{file}.directory"));
    let copied = &*format!(":{copy}");
    let commands: Vec<Vec<&str>> = vec![
        vec!["exec", "echo hi"],
        vec!["exec", "yes"],
        vec!["exec", "--json", "echo hi"],
        vec!["exec", "--soft-timeout", "60", "echo hi"],
        vec!["follow", "BACKGROUND"],
        vec!["follow", "--json", "--signal", "KILL", "BACKGROUND"],
        vec!["run", file],
        vec!["run", "--json", file],
        vec!["session", "create", "--json", "s"],
        vec!["session", "exec", "s", "echo hi"],
        vec!["session", "exec", "--json", "s", "echo hi"],
        sleeps.to_vec(),
        vec!["session", "list"],
        vec!["session", "list", "s"],
        vec!["session", "list", "--json"],
        vec!["session", "list", "--json", "s"],
        vec!["session", "logs", "s", "PRINTED"],
        vec!["session", "logs", "--json", "s", "PRINTED"],
        vec!["session", "input", "--json", "s", "LAST", "text"],
        vec!["session", "signal", "--json", "s", "LAST", "TERM"],
        vec!["session", "rm", "--json", "s"],
        vec!["pty", "open", "--detach", "--id", "t"],
        vec!["pty", "open", "--detach", "--id", "u", "--json"],
        vec!["pty", "resize", "--json", "t", "10", "10"],
        vec!["pty", "list"],
        vec!["pty", "list", "--json"],
        // It prints on a terminal only, and says that this is none.
        vec!["pty", "attach", "t"],
        vec!["pty", "kill", "--json", "t", "u"],
        vec!["repl"],
        vec!["repl", "--json"],
        vec!["cp", "--json", "-", copied],
        vec!["cp", copied, "-"],
        vec!["cat", copy],
        vec!["ls", "/"],
        vec!["ls", "--json", "/"],
        vec!["mkdir", "--json", directory],
        vec!["rm", "--json", copy],
        vec!["doctor"],
        vec!["doctor", "--json"],
        vec!["serve", "--listen", socket],
        vec!["status"],
        vec!["status", "--json"],
        vec!["completions", "bash"],
        vec!["man"],
        vec!["--version"],
        vec!["stop", "--json"],
        // It runs, although it cannot say so.
        vec!["up", "--detach", "--listen", "127.0.0.1:0"],
        vec!["env"],
        vec!["create", "box"],
        vec!["create", "--json", "other"],
        vec!["logs", "--json", "box"],
        vec!["list"],
        vec!["list", "--json"],
        vec!["stop", "--json", "box"],
        vec!["start", "--json", "box"],
        vec!["delete", "--json", "box", "other"],
        vec!["down", "--json"],
    ];
    let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
    commands.into_iter().map(owned).collect()
}

/// The ids of the session's command that printed something, after the one that entered the
/// directory, and of the last one.
fn ids(place: &Place) -> [String; 2] {
    let listed = place.says(&["session", "list", "--json", "s"]);
    let session: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let commands = session["commands"].as_array().unwrap();
    [commands.get(1), commands.last()].map(|command| {
        let id = command.unwrap()["id"].as_str().unwrap();
        id.to_owned()
    })
}

/// The id of a command that has printed something and runs on after its soft limit.
fn runs_on(place: &Place) -> String {
    let text = "echo hi; exec sleep 1000";
    let arguments = ["exec", "--json", "--soft-timeout", "1", text];
    let output = place.command(&arguments).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    said["execId"].as_str().unwrap().to_owned()
}

#[track_caller]
fn fails(place: &Place, arguments: &[&str]) {
    let output = place
        .command(arguments)
        .stdin(place.file("program.py"))
        .stdout(full())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let is_up = arguments.first() == Some(&"up") && output.status.code() == Some(126);
    let code = if is_up { 126 } else { 125 };
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    let is_said = ["No space left", "needs a terminal"]
        .iter()
        .any(|text| stderr.contains(text))
        // Without sandboxes nothing is printed of them.
        || is_unsupported(&stderr)
        || stderr.contains("no control plane runs");
    assert!(is_said, "{arguments:?}: {stderr}");
}

#[test]
fn no_subcommand_succeeds_when_its_output_is_lost() {
    let place = Place::new();
    place.write("program.py", "print(1)\n");
    let file = place.path("program.py");
    let socket = format!("unix:{}", place.path("socket"));
    let commands = printing(&file, &socket);
    let is_tried = |leaf: &String| {
        let leaf: Vec<_> = leaf.split(' ').collect();
        commands
            .iter()
            .any(|words| words.iter().take(leaf.len()).eq(&leaf))
    };
    let leaves = leaves(&place, &[]);
    let untried: Vec<_> = leaves.iter().filter(|leaf| !is_tried(leaf)).collect();
    assert!(untried.is_empty(), "say how these print: {untried:?}");
    let background = runs_on(&place);
    for command in &commands {
        let is_about_one = command
            .iter()
            .any(|word| word == "PRINTED" || word == "LAST");
        let [printed, last] = if is_about_one {
            ids(&place)
        } else {
            Default::default()
        };
        let words = command.iter().map(|word| match word.as_str() {
            "PRINTED" => printed.as_str(),
            "LAST" => last.as_str(),
            "BACKGROUND" => background.as_str(),
            word => word,
        });
        fails(&place, &words.collect::<Vec<_>>());
    }
    for leaf in &leaves {
        let mut words: Vec<_> = leaf.split(' ').collect();
        words.push("--help");
        fails(&place, &words);
    }
}

/// So that no subcommand can print and forget to look whether it could.
#[test]
fn everything_is_printed_by_one_module() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    for directory in [source.to_owned(), format!("{source}/cmd")] {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() || path.ends_with("output.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for name in [
                "io::stdout",
                "io::stderr",
                "use std::io::{stdout",
                "print!",
                "println!",
            ] {
                assert!(!text.contains(name), "{} has {name}", path.display());
            }
        }
    }
}

#[test]
fn lost_error_output_is_a_failure_as_well() {
    let place = Place::new();
    for command in [
        &["exec", "echo e >&2"][..],
        &["exec", "exit 3; "],
        &["stop"],
    ] {
        let mut command = place.command(command);
        let status = command.stdout(Stdio::null()).stderr(full()).status();
        let code = status.unwrap().code();
        assert!(matches!(code, Some(125 | 3)), "{command:?}: {code:?}");
    }
}

/// `| head` has read enough, and that is no failure.
#[test]
fn a_reader_that_has_closed_its_pipe_is_no_failure() {
    let place = Place::new();
    for arguments in [
        &["exec", "seq 1 100000"][..],
        &["exec", "--json", "echo hi"],
        &["doctor"],
        &["man"],
        &["completions", "zsh"],
        &["--help"],
        &["--version"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = place.command(arguments).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}
