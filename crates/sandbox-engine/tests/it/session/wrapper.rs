//! That the lines around a command do not show, and that nothing in a session makes it hang.

use std::time::Duration;

use bytes::Bytes;
use sandbox_engine::{CommandOptions, InputMode, Termination};

use super::{Fixture, exited};

/// Commands of one session, each with what it writes to stdout.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const BASH: &str = "/bin/bash";
const ZSH: &str = "/bin/zsh";
const ALL: &str = "";

const CASES: &[Case] = &[
    // Traps.
    (
        "a DEBUG trap without a newline",
        BASH,
        &[
            ("trap 'printf x' DEBUG", ""),
            ("true", "x"),
            ("echo a", "xa\n"),
        ],
    ),
    (
        "a DEBUG trap that sets a title",
        BASH,
        &[
            (r#"trap 'printf "\033]0;%s\007" "$BASH_COMMAND"' DEBUG"#, ""),
            ("true", "\u{1b}]0;true\u{7}"),
        ],
    ),
    (
        "what a DEBUG trap sees",
        BASH,
        &[
            (r#"trap 'echo "saw $BASH_COMMAND"' DEBUG"#, ""),
            ("echo hi", "saw echo hi\nhi\n"),
            ("false", "saw false\n"),
            ("echo $?", "saw echo $?\n1\n"),
            ("trap - DEBUG", "saw trap - DEBUG\n"),
            ("echo hi", "hi\n"),
        ],
    ),
    (
        "a DEBUG trap is printed as it was set",
        BASH,
        &[
            ("trap \"echo 'a'\n:\" DEBUG", ""),
            ("trap -p DEBUG", "a\ntrap -- 'echo '\\''a'\\''\n:' DEBUG\n"),
        ],
    ),
    (
        "a DEBUG trap that is inherited",
        BASH,
        &[
            ("set -T; f() { :; }", ""),
            ("trap 'echo d' DEBUG", ""),
            ("(exit 3)", "d\n"),
            ("f; echo $?", "d\nd\nd\nd\n0\n"),
        ],
    ),
    (
        "an ERR trap and a failure that is none",
        BASH,
        &[
            ("trap 'echo err' ERR", ""),
            ("false", "err\n"),
            ("false && true", ""),
            ("! true", ""),
            ("(exit 9)", "err\n"),
            ("echo $?", "9\n"),
        ],
    ),
    (
        "a ZERR trap",
        ZSH,
        &[
            ("trap 'echo err' ZERR", ""),
            ("false", "err\n"),
            ("false && true", ""),
            ("echo a", "a\n"),
        ],
    ),
    (
        "what a DEBUG trap of zsh sees",
        ZSH,
        &[
            (
                "n=0; trap 'echo \"$n $ZSH_DEBUG_CMD $?\"; n=$((n+1))' DEBUG",
                "",
            ),
            ("echo it\\'s", "0 echo it\\'s 0\nit's\n"),
            ("false; true", "1 false 0\n2 true 1\n"),
            ("sh -c 'exit 3'", "3 sh -c 'exit 3' 0\n"),
            ("echo $?", "4 echo $? 3\n3\n"),
            (
                "trap",
                "5 trap 0\ntrap -- $'echo \"$n $ZSH_DEBUG_CMD $?\"\\nn=$((n+1)) ' DEBUG\n",
            ),
            ("trap - DEBUG", "6 trap - DEBUG 0\n"),
            ("echo $n; trap", "7\n"),
        ],
    ),
    (
        "TRAPDEBUG",
        ZSH,
        &[
            ("n=0; TRAPDEBUG() { n=$((n+1)) }", ""),
            ("echo $n", "1\n"),
            ("false", ""),
            ("(exit 4)", ""),
            ("echo $? $n", "4 4\n"),
            ("functions TRAPDEBUG", "TRAPDEBUG () {\n\tn=$((n+1)) \n}\n"),
            ("unset -f TRAPDEBUG; echo $n", "6\n"),
            ("echo $n; functions", "6\n"),
        ],
    ),
    (
        "a DEBUG trap of zsh with errors, and with a trace",
        ZSH,
        &[
            ("trap 'n=$((n+1))' DEBUG", ""),
            ("echo \"", ""),
            ("cat <<E\nopen", "open\n"),
            ("echo $((1 +))", ""),
            ("set -x", ""),
            ("echo a", "a\n"),
            ("set +x; unsetopt multibyte", ""),
            ("echo $n", "7\n"),
            ("setopt rc_quotes ksh_arrays no_unset", ""),
            ("trap - DEBUG; echo $n", "9\n"),
        ],
    ),
    (
        "a DEBUG trap of zsh under set -e",
        ZSH,
        &[
            ("trap 'n=$((n+1))' DEBUG", ""),
            ("set -o | grep -c no_err; echo $n", "0\n2\n"),
            ("setopt err_exit", ""),
            ("[ -n '' ] && echo set", ""),
            ("! true", ""),
            ("echo $?", "1\n"),
        ],
    ),
    (
        "$_ under a trace",
        BASH,
        &[
            ("set -x; true a", ""),
            ("echo \"$_\"", "a\n"),
            ("echo \"$_\"", "a\n"),
        ],
    ),
    (
        "a DEBUG trap of zsh that a file sets",
        ZSH,
        &[
            ("echo \"trap 'echo D' DEBUG\" >lib", ""),
            (". ./lib", ""),
            ("echo a", "D\na\n"),
        ],
    ),
    (
        "a DEBUG trap of zsh and a variable called options",
        ZSH,
        &[
            ("unset options; options=(a b); trap : DEBUG", ""),
            ("echo $options", "a b\n"),
            ("echo $options; trap - DEBUG", "a b\n"),
            ("trap", ""),
        ],
    ),
    (
        "a RETURN trap",
        BASH,
        &[
            ("trap 'echo ret' RETURN", ""),
            ("echo a", "a\n"),
            ("f() { :; }; f", ""),
        ],
    ),
    (
        "a trap for a signal",
        ALL,
        &[
            ("trap 'echo usr' USR1", ""),
            ("kill -USR1 $$; :", "usr\n"),
            ("echo a", "a\n"),
        ],
    ),
    // Special parameters.
    (
        "$? of the command before",
        ALL,
        &[
            ("(exit 9)", ""),
            ("echo $?", "9\n"),
            ("echo $?", "0\n"),
            ("false", ""),
            ("echo $?", "1\n"),
        ],
    ),
    (
        "$PIPESTATUS",
        BASH,
        &[
            ("false | true | (exit 3)", ""),
            ("echo $? ${PIPESTATUS[*]}", "3 1 0 3\n"),
            ("true | false | true", ""),
            ("echo $? ${PIPESTATUS[*]}", "0 0 1 0\n"),
            ("! false", ""),
            ("echo $? ${PIPESTATUS[*]}", "0 1\n"),
            ("set -o pipefail; false | true", ""),
            ("echo $? ${PIPESTATUS[*]}", "1 1 0\n"),
            ("false", ""),
            ("echo $? ${PIPESTATUS[*]}", "1 1\n"),
        ],
    ),
    (
        "pipestatus",
        ZSH,
        &[
            ("false | true | (exit 3)", ""),
            ("echo $status $pipestatus", "3 1 0 3\n"),
        ],
    ),
    (
        "$_",
        BASH,
        &[
            ("echo a 'b  c'", "a b  c\n"),
            ("echo \"$_\"", "b  c\n"),
            ("true $'x\\ny' ; false q", ""),
            ("echo \"$?$_\"", "1q\n"),
        ],
    ),
    (
        "$!",
        ALL,
        &[
            ("sleep 0 & wait", ""),
            ("[ -n \"$!\" ] && echo yes", "yes\n"),
        ],
    ),
    (
        "$LINENO counts the lines of the session",
        BASH,
        &[
            ("a=$LINENO", ""),
            ("b=$LINENO\nc=$LINENO\n\n", ""),
            ("echo $((b - a)) $((c - a)) $((LINENO - a))", "1 2 4\n"),
        ],
    ),
    (
        "$LINENO begins anew",
        ZSH,
        &[("echo $LINENO", "1\n"), ("echo\necho $LINENO", "\n2\n")],
    ),
    (
        "$FUNCNAME and $BASH_COMMAND",
        BASH,
        &[(
            "echo \"${FUNCNAME[*]}:$BASH_COMMAND\"",
            ":echo \"${FUNCNAME[*]}:$BASH_COMMAND\"\n",
        )],
    ),
    ("$BASH_SUBSHELL", BASH, &[("echo $BASH_SUBSHELL", "0\n")]),
    (
        "$#",
        ALL,
        &[("set -- a 'b c'", ""), ("echo $# \"$2\"", "2 b c\n")],
    ),
    (
        "job numbers",
        BASH,
        &[
            ("sleep 5 & :", ""),
            (
                "jobs %1 | grep -c sleep; kill %1; wait %1 2>/dev/null; echo $?",
                "1\n143\n",
            ),
        ],
    ),
    (
        "RANDOM",
        BASH,
        &[
            ("RANDOM=1; echo $RANDOM >a; RANDOM=1", ""),
            ("[ $RANDOM = $(cat a) ] && echo same", "same\n"),
        ],
    ),
    // Options.
    (
        "set -e and failures that are none",
        ALL,
        &[
            ("set -e", ""),
            ("false && true", ""),
            ("echo $?", "1\n"),
            ("! true", ""),
            ("false || echo or", "or\n"),
            ("if false; then :; fi", ""),
            ("[ -e /none ] && echo there", ""),
            ("echo alive", "alive\n"),
        ],
    ),
    (
        "set -u",
        ALL,
        &[
            ("set -u", ""),
            ("echo ${none-unset}", "unset\n"),
            ("false", ""),
            ("echo $?", "1\n"),
        ],
    ),
    (
        "set -v",
        BASH,
        &[
            ("set -v", ""),
            ("echo a", "a\n"),
            ("set +v", ""),
            ("echo b", "b\n"),
        ],
    ),
    (
        "set -o posix",
        BASH,
        &[("set -o posix", ""), ("echo a; )", ""), ("echo b", "b\n")],
    ),
    (
        "set -C, -f, -a",
        ALL,
        &[
            ("set -C -a; set -o noglob", ""),
            ("echo *; v=1", "*\n"),
            ("env | grep ^v=", "v=1\n"),
        ],
    ),
    (
        "set -o pipefail",
        BASH,
        &[("set -o pipefail", ""), ("false | true; echo $?", "1\n")],
    ),
    (
        "ksh_arrays, sh_word_split, no_unset",
        ZSH,
        &[
            ("setopt ksh_arrays sh_word_split no_unset err_return", ""),
            ("a='x y'; printf '<%s>' $a", "<x><y>"),
            ("false | true", ""),
            ("echo ${pipestatus[0]}", "1\n"),
        ],
    ),
    (
        "rc_quotes and csh_junkie_quotes",
        ZSH,
        &[
            ("setopt rc_quotes csh_junkie_quotes", ""),
            ("echo 'it''s'\necho \"a\"", "it's\na\n"),
            ("echo ''\necho b", "\nb\n"),
        ],
    ),
    (
        "emulate sh",
        ZSH,
        &[
            ("emulate sh", ""),
            ("false", ""),
            ("echo $?", "1\n"),
            ("emulate zsh; echo a", "a\n"),
        ],
    ),
    (
        "IFS",
        ALL,
        &[
            ("IFS=0123456789,x", ""),
            ("false", ""),
            ("echo \"$?\"", "1\n"),
            ("IFS=", ""),
            ("(exit 10)", ""),
            ("echo \"$?\"", "10\n"),
        ],
    ),
    (
        "IFS and $PIPESTATUS",
        BASH,
        &[
            ("IFS=,", ""),
            ("false | true", ""),
            ("echo \"$? ${PIPESTATUS[*]}\"", "0 1,0\n"),
        ],
    ),
    // Surroundings.
    (
        "read-only variables",
        BASH,
        &[
            ("readonly x=1; readonly -p >/dev/null", ""),
            ("x=2; echo no", ""),
            ("echo a", "a\n"),
        ],
    ),
    (
        "hooks",
        BASH,
        &[
            (
                "PROMPT_COMMAND='echo prompt'; PS4='$(echo ps4)'; PS1='$(echo ps1)'",
                "",
            ),
            ("echo a", "a\n"),
        ],
    ),
    (
        "hooks of zsh",
        ZSH,
        &[
            (
                "precmd() { echo p; }; preexec() { echo q; }; chpwd() { echo c; }",
                "",
            ),
            ("echo a", "a\n"),
            ("cd /", "c\n"),
        ],
    ),
    (
        "preexec does not see our lines",
        ZSH,
        &[
            ("preexec() { print -r -- \"$2$3\" >>log }", ""),
            ("echo a", "a\n"),
            ("false", ""),
            ("echo $?", "1\n"),
            (
                "[[ -e log ]] || functions preexec | head -n 1",
                "preexec () {\n",
            ),
            ("unset -f preexec; functions", ""),
        ],
    ),
    (
        "command_not_found_handle",
        BASH,
        &[
            ("command_not_found_handle() { echo \"no $1\"; }", ""),
            ("nosuchcommand", "no nosuchcommand\n"),
        ],
    ),
    (
        "history",
        BASH,
        &[("set -o history", ""), ("echo a", "a\n")],
    ),
    (
        "all descriptors closed",
        ALL,
        &[
            ("exec 0<&- 1>&- 2>&-", ""),
            ("true", ""),
            ("exec 1>f; echo b", ""),
            ("cat f >&2", ""),
        ],
    ),
    (
        "a redirection that lasts",
        ALL,
        &[
            ("exec >f; echo a", ""),
            ("echo b", ""),
            ("exec >/dev/null; cat f >&2", ""),
            (":", ""),
        ],
    ),
    (
        "a directory that was removed",
        ALL,
        &[
            ("mkdir d && cd d && rmdir ../d", ""),
            ("echo a", "a\n"),
            ("cd / && pwd", "/\n"),
        ],
    ),
    (
        "tiny limits",
        ALL,
        &[
            ("ulimit -f 0; umask 777", ""),
            ("echo a; (exit 3)", "a\n"),
            ("echo $?", "3\n"),
        ],
    ),
    (
        "variables of ours do not exist",
        ALL,
        &[("set | grep -c sandbox-session", "0\n")],
    ),
    (
        "aliases",
        ALL,
        &[
            (
                "for n in command builtin eval exec exit printf : . set trap unset export cd true '[' test echo; do \
             alias \"$n=echo aliased\"; done; shopt -s expand_aliases 2>/dev/null; \\:",
                "",
            ),
            ("\\echo a", "a\n"),
            ("(\\exit 3)", ""),
            ("\\echo $?", "3\n"),
        ],
    ),
    (
        "here-documents",
        ALL,
        &[
            ("cat <<A; cat <<'B'\n$((1+1))\nA\n$x\nB", "2\n$x\n"),
            ("cat <<E\nopen", "open\n"),
            ("echo $((1<<2))", "4\n"),
        ],
    ),
];

async fn nothing_of_the_wrapper_shows(shell: &'static str) {
    for (name, only, commands) in CASES {
        if !only.is_empty() && *only != shell {
            continue;
        }
        let f = Fixture::new(shell).await;
        for (text, stdout) in *commands {
            let did = f.run(text).await;
            assert_eq!(did.stdout, *stdout, "{shell}: {name}: {text}: {did:?}");
            let exits = matches!(did.termination, Termination::Exited { .. });
            assert!(exits, "{shell}: {name}: {text}: {did:?}");
        }
        f.end().await;
    }
}
in_every_shell!(nothing_of_the_wrapper_shows);

/// A command with variables of its own runs in a subshell.
async fn what_a_command_apart_sets_ends_with_it(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let apart = CommandOptions {
        env: vec![("A".into(), "a".into())],
        ..CommandOptions::default()
    };
    f.ok("echo \"trap '[ x ]' DEBUG\" >lib").await;
    f.run_with(
        "[ -z \"${BASH-}${ZSH_NAME-}\" ] || . ./lib; set -x",
        apart.clone(),
    )
    .await;
    assert_eq!(f.run("trap; echo $A").await.stderr, "", "{shell}");
    f.run("set -x").await;
    let did = f.run_with("set +x", apart.clone()).await;
    assert_eq!(did.stdout, "", "{shell}");
    let did = f.run("echo a").await;
    assert!(did.stderr.contains("echo a"), "{shell}: {did:?}");
    f.run("set +x").await;
    if [BASH, ZSH].contains(&shell) {
        f.ok("trap 'echo D' DEBUG").await;
        f.run_with("trap - DEBUG", apart).await;
        assert_eq!(f.ok("echo a").await, "D\na\n", "{shell}");
    }
    f.end().await;
}
in_every_shell!(what_a_command_apart_sets_ends_with_it);

async fn a_comment_succeeds_and_changes_nothing(shell: &'static str) {
    let f = Fixture::new(shell).await;
    assert_eq!(f.run("(exit 3)").await.termination, exited(3), "{shell}");
    assert_eq!(f.run("# a\n\n # b").await.termination, exited(0), "{shell}");
    assert_eq!(f.run("echo $?").await.stdout, "3\n", "{shell}");
    f.end().await;
}
in_every_shell!(a_comment_succeeds_and_changes_nothing);

/// Every builtin's name, and some that are words of the shells.
const NAMES: [&str; 27] = [
    "command", "builtin", "eval", "exec", "exit", "printf", "echo", ":", ".", "source", "set",
    "cd", "export", "unset", "trap", "true", "false", "[", "test", "read", "kill", "wait",
    "return", "shift", "local", "declare", "type",
];

async fn functions_with_any_name_are_the_users(shell: &'static str) {
    for name in NAMES {
        for body in ["{ :; }", "{ return 7; }", "( : )"] {
            let f = Fixture::new(shell).await;
            // Where this is no name of a function, it is a syntax error and no more.
            f.run(&format!("{name}() {body}")).await;
            let did = f.run("'echo' hi").await;
            if name != "echo" {
                assert_eq!(did.stdout, "hi\n", "{shell}: {name}() {body}: {did:?}");
                assert_eq!(did.stderr, "", "{shell}: {name}() {body}: {did:?}");
            }
            let did = f.run("(sh -c 'exit 3')").await;
            assert_eq!(
                did.termination,
                exited(3),
                "{shell}: {name}() {body}: {did:?}"
            );
            f.end().await;
        }
    }
}
in_every_shell!(functions_with_any_name_are_the_users);

/// One that no text of a command shows.
async fn functions_of_a_sourced_file_are_found_out(shell: &'static str) {
    for name in ["command", "builtin", "eval", "exec"] {
        let f = Fixture::new(shell).await;
        std::fs::write(f.path("lib"), format!("{name}() {{ :; }}\n")).unwrap();
        f.run(". ./lib").await;
        for _ in 0..2 {
            let did = f.run("echo hi; (sh -c 'exit 3')").await;
            assert_eq!(did.stdout, "hi\n", "{shell}: {name}: {did:?}");
            assert_eq!(did.termination, exited(3), "{shell}: {name}: {did:?}");
        }
        f.end().await;
    }
}
in_every_shell!(functions_of_a_sourced_file_are_found_out);

#[tokio::test]
async fn a_shell_that_skips_every_command_hangs_nothing() {
    let f = Fixture::new(BASH).await;
    f.run("shopt -s extdebug; trap 'printf x; false' DEBUG")
        .await;
    for _ in 0..2 {
        let did = f.run("echo hi").await;
        assert_eq!((&*did.stdout, &*did.stderr), ("", ""), "{did:?}");
        let is_refused = matches!(did.termination, Termination::NotStarted { .. });
        assert!(is_refused, "{did:?}");
    }
    f.end().await;
}

async fn hiding_every_builtin_hangs_nothing(shell: &'static str) {
    let f = Fixture::new(shell).await;
    f.run("command() { :; }; builtin() { :; }; eval() { :; }; exec() { :; }")
        .await;
    let did = f.run("echo hi").await;
    let is_refused = matches!(&did.termination, Termination::NotStarted { reason } if reason.contains("functions"));
    assert!(is_refused, "{shell}: {did:?}");
    assert!(f.session.ended().is_none(), "{shell}");
    f.end().await;
}
in_every_shell!(hiding_every_builtin_hangs_nothing: bash, zsh);

/// The directory of the session's pipes goes, as it does by `rm -rf /tmp/*`.
const REMOVE: &str = "d=$(readlink /proc/$$/fd/1); rm -rf \"${d%/*}\"; echo gone; (exit 6)";

async fn a_session_outlives_its_directory(shell: &'static str) {
    let f = Fixture::new(shell).await;
    for _ in 0..2 {
        let did = f.run(REMOVE).await;
        assert_eq!((&*did.stdout, &*did.stderr), ("gone\n", ""), "{shell}");
        assert_eq!(did.termination, exited(6), "{shell}");
        assert_eq!(f.ok("echo $?").await, "6\n", "{shell}");
    }
    f.run(REMOVE).await;
    let long = format!(": {}\necho long", "x".repeat(10_000));
    assert_eq!(f.ok(&long).await, "long\n", "{shell}");
    f.run(REMOVE).await;
    let options = CommandOptions {
        input: InputMode::Silent,
        ..CommandOptions::default()
    };
    let command = f.session.execute("cat", options).unwrap();
    command.write_input(Bytes::from_static(b"in")).unwrap();
    command.close_input().unwrap();
    assert_eq!(f.see(&command, "cat").await.stdout, "in", "{shell}");
    f.end().await;
}
in_every_shell!(a_session_outlives_its_directory);

async fn pipes_and_texts_are_for_their_owner_alone(shell: &'static str) {
    use std::os::unix::fs::MetadataExt;
    let f = Fixture::new(shell).await;
    let text = format!(
        "umask 0; d=$(readlink /proc/$$/fd/1); stat -c '%a %n' \"${{d%/*}}\" \"${{d%/*}}\"/*; : {}",
        "x".repeat(10_000)
    );
    let did = f.run(&text).await;
    let mut lines = did.stdout.lines();
    assert!(
        lines.next().unwrap().starts_with("700 "),
        "{shell}: {did:?}"
    );
    assert!(lines.clone().count() >= 3, "{shell}: {did:?}");
    for line in lines {
        assert!(line.starts_with("600 "), "{shell}: {line}");
    }
    let control = f.ok("ls -l /proc/self/fd").await;
    assert!(!control.contains("/dev/pts"), "{shell}: {control}");
    let own = std::fs::metadata(f.dir.path()).unwrap().uid();
    assert_eq!(own, rustix::process::geteuid().as_raw());
    f.end().await;
}
in_every_shell!(pipes_and_texts_are_for_their_owner_alone);

async fn a_report_that_is_missing_is_not_waited_for(shell: &'static str) {
    // A restricted shell may not open what it is to report to.
    let f = Fixture::new(BASH).await;
    let did = f.run("echo a; set -r; echo b").await;
    assert_eq!(did.stdout, "a\nb\n");
    let is_lost = matches!(did.termination, Termination::Lost { .. });
    assert!(is_lost, "{did:?}");
    f.end().await;
    let f = Fixture::new(shell).await;
    let did = f.run("echo a; ulimit -n 1; (exit 4)").await;
    assert!(did.stdout.starts_with("a\n"), "{shell}: {did:?}");
    assert_ne!(did.termination, exited(125), "{shell}: {did:?}");
    f.end().await;
}
in_every_shell!(a_report_that_is_missing_is_not_waited_for);

/// What a shell blocks in that is not the reading of its script.
async fn a_shell_that_waits_is_not_taken_for_lost(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let long = Duration::from_millis(4000);
    for text in [
        "sleep 4; echo done",
        "sleep 4 & wait; echo done",
        "mkfifo p; (sleep 4; echo x >p) & read x <p; echo done",
    ] {
        let began = std::time::Instant::now();
        assert_eq!(f.ok(text).await, "done\n", "{shell}: {text}");
        assert!(began.elapsed() >= long, "{shell}: {text}");
        f.ok("rm -f p").await;
    }
    f.end().await;
}
in_every_shell!(a_shell_that_waits_is_not_taken_for_lost);
