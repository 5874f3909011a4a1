//! Sessions, and what wedges those of the reference.

use serde_json::{Value, json};

use super::replay::{Ours, Replay, Rules};

#[tokio::test]
async fn session() {
    let mut replay = Replay::begin().await;
    // The reference ends a line that its command left unfinished; so that all responses with this one can be compared, the
    // command is made to end it.
    let (unfinished, finished) = (r"\\303\\251'", r"\\303\\251\\n'");
    let file = include_str!("../../data/session.json");
    assert_eq!(file.matches(unfinished).count(), 1);
    let file = file.replace(unfinished, finished);
    let rules = Rules {
        passed_over: &[],
        any_order: &["logs with echoed input", "input cases: logs"],
        ours,
    };
    replay.run("session", &file, &rules).await;
    replay.end().await;
}

#[tokio::test]
async fn wedges() {
    let mut replay = Replay::begin().await;
    let file = include_str!("../../data/wedges.json");
    let rules = Rules {
        passed_over: &[],
        any_order: &[],
        ours: ours_of_wedges,
    };
    replay.run("wedges", file, &rules).await;
    replay.end().await;
}

fn ours(name: &str) -> Vec<Ours> {
    let one = |status, fields: Value| vec![(status, fields)];
    let gone = |code: &str| one(410, json!({ "code": code }));
    let not_found = || one(404, json!({"code": "PROCESS_NOT_FOUND"}));
    let no_method = || one(405, json!({"code": "METHOD_NOT_ALLOWED"}));
    let bad_id = || one(400, json!({"code": "BAD_REQUEST"}));
    match name {
        "exec in unknown session" | "exec after delete" => not_found(),
        "exec no trailing newline" => {
            one(200, json!({"stdout": "abc", "stderr": "", "exitCode": 0}))
        }
        "exec nul bytes" => one(200, json!({"stdout": "a\0b\n", "stderr": ""})),
        "exec marker bytes in payload" => one(
            200,
            json!({
                "stdout": "A\u{1}\u{1}\u{1}B\nC\u{2}\u{2}\u{2}D\n",
                "stderr": "",
            }),
        ),
        "exec no newline on both" => one(200, json!({"stdout": "o", "stderr": "e"})),
        "exec lines and an unfinished one" => one(200, json!({"stdout": "a\nb", "stderr": ""})),
        // POSIX leaves open what a backslash at the very end is; evaluated as a string, bash takes it away.
        "exec trailing backslash" => ["a \\\n", "a\n"]
            .map(|stdout| (200, json!({"stdout": stdout, "exitCode": 0})))
            .to_vec(),
        // The shell says a little more or less of how it was started.
        "exec what the shell is" => ["/usr/bin/bash\nhBs\nno tty\n", "bash\nhB\nno tty\n"]
            .map(|stdout| (200, json!({"stdout": stdout})))
            .to_vec(),
        "exec dollar question mark" => one(200, json!({"stdout": "1\n"})),
        "exec jobs are the wrapper's" => one(200, json!({"stdout": "0\n"})),
        "exec background holding the output" => one(200, json!({"stdout": "hi\n", "exitCode": 0})),
        // The body was too long to keep.
        "exec 4 KiB line" => {
            let line = "x".repeat(4096);
            one(200, json!({"stdout": format!("{line}\n"), "exitCode": 0}))
        }
        // Ours does what it was asked for.
        "exec unknown fields cwd, envs, timeout" => one(200, json!({"stdout": "/usr\n"})),
        // Here it is; what is left depends on the order between the channels.
        "logs, offset is not known" => one(200, json!({})),
        "input after the end" | "input after the end, never polled" => {
            gone("COMMAND_ALREADY_COMPLETED")
        }
        // The reference shows output a little late.
        "logs while running" => one(200, json!({"stderr": ""})),
        // With what was sent to it, if that was taken.
        "queued 3: logs after all" => ["x\nstart3\nend3\n", "start3\nend3\n"]
            .map(|stdout| (200, json!({"stdout": stdout})))
            .to_vec(),
        "queued: input" => vec![(204, json!({})), (409, json!({"code": "CONFLICT"}))],
        "exec sync, deleted meanwhile" => gone("SESSION_ENDED"),
        "delete right after a command was accepted" => one(204, json!({})),
        "session after all" => one(200, json!({"sessionId": "vec-3"})),
        "id with dollar" => one(201, json!({})),
        "id with newline"
        | "id with dot"
        | "id with slash"
        | "id with outside the directory"
        | "id with 256 characters" => bad_id(),
        // It was refused.
        "get id with newline"
        | "delete id with newline"
        | "get id with slash"
        | "delete id with slash" => not_found(),
        "put" | "patch one" | "exec, get" | "input by GET" => no_method(),
        "list, head" | "logs, head" => one(405, json!({})),
        "command list is no route" => one(404, json!({"code": "NOT_FOUND"})),
        // A slash at the end does no harm.
        "list, trailing slash" => one(200, json!({})),
        "create, trailing slash" => one(201, json!({})),
        "logs, trailing slash" => one(200, json!({})),
        "command, trailing slash" => one(200, json!({"exitCode": 0})),
        _ => vec![],
    }
}

fn ours_of_wedges(name: &str) -> Vec<Ours> {
    let ended = || (410, json!({"code": "SESSION_ENDED"}));
    let exited = |code: i32| vec![(200, json!({ "exitCode": code })), ended()];
    match name {
        "exit 7: sync" => exited(7),
        "kill the shell: sync" => exited(137),
        "exec: sync" => exited(0),
        "set -e: sync" => exited(1),
        "unset variable under set -u: sync" => [exited(1), exited(127)].concat(),
        "bare wait: sync" => vec![(200, json!({"stdout": "done\n", "exitCode": 0}))],
        // Ended, or refused with whatever error; not left without a response.
        "stopped: sync" => [200, 408, 409, 410, 422]
            .map(|status| (status, json!({})))
            .to_vec(),
        "exit async: command" => vec![(200, json!({"exitCode": 7}))],
        "exit async: input" => vec![ended(), (410, json!({"code": "COMMAND_ALREADY_COMPLETED"}))],
        "input to a program that does not read: 60 KB more" => {
            vec![(204, json!({})), (409, json!({})), (429, json!({}))]
        }
        _ if name.ends_with(": next sync") => vec![(200, json!({"stdout": "alive\n"})), ended()],
        _ if name.ends_with(": next async") => vec![(202, json!({})), ended()],
        // Which commands were taken, and which have ended, is reported above.
        _ if name.ends_with(": session") => vec![(200, json!({}))],
        _ => vec![],
    }
}
