//! Sequences of commands, each run in a session and as a plain script in the same shell.
//!
//! The outputs, the exit codes and what is left at the end are equal, but for what `session/step.rs` lists, which the
//! sequences leave out; and each command has outputs of its own, so that what is written to a copy of an earlier one's is
//! there. The seed is fixed; for other and for more sequences:
//!
//! ```text
//! SANDBOX_TEST_SESSIONS_SEED=7 SANDBOX_TEST_SESSIONS_COUNT=500 cargo test -p sandbox-engine --test it differential
//! ```

use std::fmt::Write;
use std::path::Path;

use sandbox_engine::{CommandOptions, Termination};

use super::{Fixture, SHELLS};

const SEED: u64 = 1;
const COUNT: u64 = 12;
/// Commands of one sequence.
const LENGTH: usize = 14;

/// What every shell has.
const COMMANDS: &[&str] = &[
    "echo a 'b  c'",
    "printf 'no newline'",
    "echo err >&2",
    "false",
    "true",
    "(exit 3)",
    "sh -c 'exit 200'",
    "sh -c 'kill -9 $$' 2>/dev/null",
    "x=$((${x:-0}+1)); echo $x",
    "echo \"<$?> <$#> <$*>\"",
    "set -- a 'b c' d",
    "[ $# = 0 ] || shift",
    "f() { echo \"f$1\"; return 4; }",
    "f 1",
    "unset -f f",
    "for i in 1 2; do echo $i; done",
    "case ${x:-0} in 1) echo one;; *) echo other;; esac",
    "while read l; do echo \"[$l]\"; done <<E\n1\n 2\nE",
    "cat <<'E'\n$x `y` \\\nE",
    "cat <<A; cat <<B\na$x\nA\nb\nB",
    "false | true",
    "true | false",
    "! true",
    "! false",
    "false || echo or",
    "true && false",
    "false && true",
    "[ -n \"${x-}\" ] && echo set",
    "if false; then :; fi",
    "{ echo g; false; }",
    "y=$(echo sub; exit 6)",
    "y=$(echo hi); echo \"$y\"",
    "echo $((x + 2))",
    "V=1; export V",
    "V=2 env | grep '^V='",
    "unset x V",
    "mkdir -p d; cd d",
    "cd ..",
    "echo \"${PWD##*/}\"",
    "cd /nonexistent 2>/dev/null",
    "umask 027",
    "umask",
    "set -f",
    "set +f",
    "set -C",
    "echo z >|clobber; echo q 2>/dev/null >clobber; cat clobber",
    "set +C",
    "set -u",
    "set +u",
    "set -e",
    "set +e",
    "IFS=,",
    "unset IFS",
    "z=a,b; printf '<%s>' $z",
    "trap 'echo usr' USR1",
    "kill -USR1 $$; :",
    "trap - USR1",
    "trap",
    "exec 3>three; echo q >&3; exec 3>&-; cat three",
    "eval 'echo e; false'",
    "echo 'k=1; return 5' >lib; . ./lib; echo $? $k",
    "sleep 0.01 & wait; echo $?",
    "nosuchcommand 2>/dev/null",
    "command echo c",
    "echo b;\n\necho c\n",
    "echo a # comment",
    "readonly r=1",
    "test -t 0; echo $?",
    "cat; echo end",
    "echo \\\n  joined",
    "echo \"\u{e9}\" '\\n'",
    "getopts ab o -a; echo $o $OPTIND",
    "export -p | grep -c '[V]='",
    "alias al='echo alias'",
    "unalias al 2>/dev/null",
];

const BASH: &[&str] = &[
    "echo *",
    "set -x",
    "{ set +x; } 2>/dev/null",
    "echo \"$? ${PIPESTATUS[*]}\"",
    "echo \"$_\"",
    "false | true | (exit 3)",
    "trap 'echo E$?' ERR",
    "trap - ERR",
    "trap 'echo \"D:$BASH_COMMAND\"' DEBUG",
    "trap - DEBUG",
    "trap 'echo R' RETURN",
    "trap - RETURN",
    "set -T",
    "set -E",
    "set +TE",
    "set -o pipefail",
    "set +o pipefail",
    "shopt -s expand_aliases",
    "al one",
    "declare -A m; m[a]=1; echo ${m[a]}",
    "arr=(1 2 3); echo \"${arr[@]:1}\"",
    "[[ a == b ]]",
    "((0))",
    "command() { builtin echo command \"$@\"; }",
    "unset -f command",
    "printf() { builtin echo printf; }",
    "unset -f printf",
    "eval() { builtin echo eval; }",
    "unset -f eval",
    "echo $BASH_SUBSHELL $SHLVL ${#FUNCNAME[@]}",
    "cat <(echo sub)",
    "shopt -p nullglob extglob",
    "set -o | grep -E 'err|pipe|func|xtrace|verbose'",
    "declare -F",
];

const ZSH: &[&str] = &[
    "echo $? $pipestatus",
    "false | true | (exit 3)",
    "trap 'echo Z$?' ZERR",
    "trap - ZERR",
    "trap 'echo \"D:$? $ZSH_DEBUG_CMD\"' DEBUG",
    "trap - DEBUG",
    "TRAPDEBUG() { echo \"T$?\" }",
    "unset -f TRAPDEBUG",
    "trap",
    "setopt ksh_arrays",
    "unsetopt ksh_arrays",
    "setopt sh_word_split",
    "setopt pipe_fail",
    "unsetopt pipe_fail",
    "arr=(1 2 3); echo $arr",
    "[[ a == b ]]",
    "print -r -- $(( 3 / 2 ))",
    "builtin() { echo builtin \"$@\"; }",
    "unset -f builtin",
    "echo =ls",
    "setopt | grep -v monitor",
    "functions f",
];

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(value).unwrap() % below
    }
}

fn sequence(shell: &str, seed: u64) -> Vec<&'static str> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let own = match shell {
        "/bin/bash" => BASH,
        "/bin/zsh" => ZSH,
        _ => &[],
    };
    // Deep enough for every `cd ..`; and what `$_` is before the first command is no business of ours.
    let first = std::iter::once("mkdir -p a/a/a/a/a/a/a/a; cd a/a/a/a/a/a/a/a");
    let others = (0..LENGTH).map(|_| match random.next(3) {
        0 if !own.is_empty() => own[random.next(own.len())],
        1 if random.next(2) == 0 => "echo \"[$?]\"",
        _ => COMMANDS[random.next(COMMANDS.len())],
    });
    first.chain(others).collect()
}

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
    f.end().await;
    Whole {
        stdout,
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
    let script = commands.join("\n") + "\n";
    let name = "the-script";
    std::fs::write(dir.path().join(name), script).unwrap();
    // A session's shell has no signal ignored, whatever the process that runs the tests ignores.
    let mut program = std::process::Command::new("env");
    program.args(["--default-signal", shell]);
    if shell.contains("busybox") {
        program.arg("ash");
    }
    let output = program
        .arg(name)
        .current_dir(dir.path())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    Whole {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: normalized(&String::from_utf8_lossy(&output.stderr)),
        code: output.status.code(),
    }
}

/// Messages without the names and numbers before them: those of the script differ, and those of a line.
fn normalized(stderr: &str) -> Vec<String> {
    let is_place = |part: &str| {
        let name = Path::new(part).file_name().unwrap_or_default();
        part == "eval"
            || part == "(eval)"
            || ["the-script", "bash", "dash", "zsh", "ash", "busybox"]
                .contains(&&*name.to_string_lossy())
            // A message of a builtin of zsh has a line, too.
            || part == "unset"
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

/// Returns what differs.
async fn compare(shell: &'static str, commands: &[&str]) -> Option<String> {
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

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[tokio::test]
async fn sequences_do_what_they_do_in_a_script() {
    let seed = number("SANDBOX_TEST_SESSIONS_SEED", SEED);
    let count = number("SANDBOX_TEST_SESSIONS_COUNT", COUNT);
    let mut differences = Vec::new();
    for shell in SHELLS {
        for one in seed..seed + count {
            differences.extend(compare(shell, &sequence(shell, one)).await);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
