//! Sequences of commands, each run in a session and as a plain script in the same shell.
//!
//! The outputs, the exit codes and what is left at the end are equal, but for what `session/step.rs` lists, which the
//! sequences leave out; and each command has outputs of its own, so that what is written to a copy of an earlier one's is
//! there. The seed is fixed; for other sequences, for minutes, and for one shell:
//!
//! ```text
//! SANDBOX_TEST_SESSIONS_SEED=7 SANDBOX_TEST_SESSIONS_SECONDS=300 \
//!     cargo test -p sandbox-engine --test it sequences_do_what_they_do_in_a_script::zsh
//! ```

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use sandbox_engine::{CommandOptions, Termination};

use super::Fixture;
use super::vocabulary::sequence;

const SEED: u64 = 1;
const COUNT: u64 = 12;

/// What a sequence did: both outputs, and the code of the last command that ran.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    stdout: String,
    stderr: Vec<String>,
    code: Option<i32>,
}

async fn in_a_session(shell: &'static str, commands: &[&str]) -> Whole {
    let f = Fixture::new(shell).await;
    let (mut stdout, mut stderr, mut code) = (String::new(), String::new(), None);
    for text in commands {
        // A script ends with its shell, too.
        let Ok(command) = f.session.execute(text, CommandOptions::default()) else {
            break;
        };
        let did = f.see(&command, text).await;
        match did.termination {
            Termination::Exited { code: own } => code = Some(own),
            Termination::Signaled { .. } => code = None,
            Termination::NotStarted { reason } if reason.contains("has ended") => break,
            other => panic!("{shell}: {commands:?}: {text}: {other:?}"),
        }
        stdout.push_str(&did.stdout);
        stderr.push_str(&did.stderr);
    }
    let place = f.engine.work_dir().to_string_lossy().into_owned();
    f.end().await;
    Whole {
        stdout: stdout.replace(&place, "DIR"),
        stderr: normalized(&stderr),
        code,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the plain script is the other contestant"
)]
fn as_a_script(shell: &str, commands: &[&str]) -> Whole {
    let dir = tempfile::tempdir().unwrap();
    let place = std::fs::canonicalize(dir.path()).unwrap();
    let place = place.to_string_lossy().into_owned();
    let script = commands.join("\n") + "\n";
    // As a session's shell names its script.
    let name = name_of(shell);
    std::fs::write(dir.path().join(name), script).unwrap();
    // A session's shell has no signal ignored, whatever the process that runs the tests ignores.
    let mut program = std::process::Command::new("env");
    program.args(["--default-signal", shell]);
    if shell.contains("busybox") {
        program.arg("ash");
    }
    let output = program
        .arg(name)
        .current_dir(&place)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    Whole {
        stdout: String::from_utf8_lossy(&output.stdout).replace(&*place, "DIR"),
        stderr: normalized(&String::from_utf8_lossy(&output.stderr)),
        code: output.status.code(),
    }
}

fn name_of(shell: &str) -> &str {
    match shell.rsplit('/').next() {
        Some("busybox") => "ash",
        name => name.unwrap_or(shell),
    }
}

/// Messages without the names and numbers before them: those of the script differ, and those of a line.
fn normalized(stderr: &str) -> Vec<String> {
    let is_place = |part: &str| {
        let name = Path::new(part).file_name().unwrap_or_default();
        part == "eval"
            || part == "(eval)"
            || ["bash", "dash", "zsh", "ash", "busybox"]
                .contains(&&*name.to_string_lossy())
            // A message of a builtin of zsh has a line, too.
            || ["unset", "disable", "enable", "source", ".", "trap", "read", "cd", "local"].contains(&part)
            || part.trim_start_matches("line ").parse::<u32>().is_ok()
            || part.is_empty()
    };
    let mut lines: Vec<_> = stderr
        .lines()
        .map(|line| {
            // A trace of zsh: `+script:7> `.
            let trace = line
                .strip_prefix('+')
                .and_then(|line| line.split_once("> "));
            if let Some((_, rest)) = trace.filter(|(place, _)| place.split(':').all(is_place)) {
                return format!("+ {rest}");
            }
            let mut rest = line;
            while let Some((part, after)) = rest.split_once(':') {
                if !is_place(part.trim()) {
                    break;
                }
                rest = after.trim_start();
            }
            rest.to_owned()
        })
        .map(|line| line.trim_start_matches(['+', ' ']).to_owned())
        .map(|line| without_process_ids(&line))
        .collect();
    // The parts of a pipeline, and what runs in the background, trace in any order.
    lines.sort();
    lines
}

fn without_process_ids(line: &str) -> String {
    let is_id = |word: &str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    let words = line.split(' ');
    let words: Vec<_> = words
        .map(|word| if is_id(word) { "PID" } else { word })
        .collect();
    words.join(" ")
}

/// Returns what differs, for as few of the commands as show it.
async fn compare(shell: &'static str, commands: &[&'static str]) -> Option<String> {
    difference(shell, commands).await?;
    let mut fewest = commands.to_vec();
    for index in (1..commands.len() - 1).rev() {
        let mut fewer = fewest.clone();
        fewer.remove(index);
        if difference(shell, &fewer).await.is_some() {
            fewest = fewer;
        }
    }
    let all = difference(shell, commands).await;
    difference(shell, &fewest).await.or(all)
}

async fn difference(shell: &'static str, commands: &[&str]) -> Option<String> {
    let session = in_a_session(shell, commands).await;
    let script = as_a_script(shell, commands);
    if session == script {
        return None;
    }
    let mut text = format!("{shell}:\n");
    for command in commands {
        let _ = writeln!(text, "    {command:?},");
    }
    let _ = writeln!(text, "session: {session:#?}\nscript: {script:#?}");
    Some(text)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Returns the sequences of one shell: so many, or as many as `seconds` suffice for.
fn seeds(seed: u64, seconds: Option<u64>) -> impl Iterator<Item = u64> {
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    (seed..)
        .take_while(move |one| until.map_or(*one < seed + COUNT, |until| Instant::now() < until))
}

#[expect(clippy::print_stdout, reason = "the test's own report")]
async fn sequences_do_what_they_do_in_a_script(shell: &'static str) {
    let seed = number("SANDBOX_TEST_SESSIONS_SEED").unwrap_or(SEED);
    let seconds = number("SANDBOX_TEST_SESSIONS_SECONDS");
    let mut differences = Vec::new();
    let mut ran = 0;
    for one in seeds(seed, seconds) {
        differences.extend(compare(shell, &sequence(shell, one)).await);
        ran += 1;
    }
    assert!(ran > 0, "no sequence ran");
    println!("{ran} sequences from seed {seed}");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
in_every_shell!(sequences_do_what_they_do_in_a_script);
