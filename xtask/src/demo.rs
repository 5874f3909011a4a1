//! `cargo xtask demo`: a tour of the `sandbox` command on this machine, as lines for a shell.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use crate::python;
use crate::sdk;
use crate::sh::{self, Result};
use crate::web;

/// What is shown, and the lines that show it. `$PYTHON` has matplotlib, `$CHARTS` is a directory for pictures.
const TOUR: &[(&str, &[&str])] = &[
    (
        "a command, its outputs apart, its exit code",
        &[
            "sandbox exec 'echo \"hello from $(uname -s)\"; sed -n \"s/^PRETTY_NAME=//p\" /etc/os-release'",
        ],
    ),
    (
        "a program that draws a chart",
        &["sandbox run --python $PYTHON --charts-dir $CHARTS xtask/assets/line_chart.py"],
    ),
    (
        "a session: a command finds the variables and functions of those before it",
        &[
            "sandbox session create tour",
            "sandbox session exec tour 'NAME=sandbox; count() { for i in 1 2 3; do echo \"$NAME $i\"; sleep 0.3; done; }'",
            "sandbox session exec tour count",
            "sandbox session list tour",
        ],
    ),
    (
        "a stateful interpreter",
        &[
            "echo 'x = 40' | sandbox repl",
            "echo 'print(x + 2)' | sandbox repl",
        ],
    ),
    (
        "a terminal that runs without a client, and is resized",
        &[
            "sandbox pty open --detach --id tour",
            "sandbox pty resize tour 132 43",
            "sandbox pty list",
            "sandbox status",
        ],
    ),
];

/// Sandboxes, where this machine can isolate them. `$SDK` has Daytona's SDK, `$PACKAGES` is what `$PYTHON` has installed.
const SANDBOXES: &[&str] = &[
    "eval \"$(sandbox env)\" && $SDK xtask/assets/sandbox.py $PACKAGES xtask/assets/line_chart.py $CHARTS/sdk.png",
    "sandbox create web && sandbox exec -s web 'id -un; pwd'",
    "sandbox list",
    "sandbox delete web",
];

const UP: &str = "sandbox up --detach --listen 127.0.0.1:0";

/// The exit code of `sandbox up` where sandboxes cannot be isolated.
const NOT_STARTED: i32 = 126;

/// Ends what a line that failed may have left as well.
const DOWN: &str = "sandbox list --quiet | xargs -r sandbox delete; sandbox down";

const PACKAGES: &str = "import sysconfig; print(sysconfig.get_path('purelib'))";

/// What would lead the tour elsewhere.
const UNWANTED: [&str; 5] = [
    "SANDBOX_URL",
    "SANDBOX_TOKEN",
    "SANDBOX_API_KEY",
    "DAYTONA_API_URL",
    "DAYTONA_API_KEY",
];

/// What every PNG begins with.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Prepares what the tour needs, runs it, and makes sure that its picture is there.
pub(crate) fn run() -> Result<()> {
    let python = python::plotting().prepare()?;
    let packages = sh::output(sh::command(&python).args(["-c", PACKAGES]))?;
    let sdk = sdk::versions()?.pop().ok_or("there is no SDK")?.python()?;
    sh::timed("building the `sandbox` command", || {
        let mut build = sh::cargo(["build", "--quiet", "--package", "sandbox-cli"]);
        sh::run(web::embed(&mut build, "sandbox-cli/web")?)
    })?;
    let started = Instant::now();
    let charts = sh::target().join("demo");
    // One from before would prove nothing.
    match fs::remove_dir_all(&charts) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    // Not below `target`: the path of a socket has 107 bytes.
    let sockets = std::env::temp_dir().join(format!("sandbox-demo-{}", std::process::id()));
    fs::create_dir(&sockets)?;
    let shell = |line: &str| {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = sh::command("sh");
        shell.args(["-c", line]);
        shell.env(
            "PATH",
            format!("{}:{path}", sh::target().join("debug").display()),
        );
        shell.env("PYTHON", sh::from_root(&python));
        shell.env("CHARTS", sh::from_root(&charts));
        shell.env("SDK", sh::from_root(&sdk));
        shell.env("PACKAGES", packages.trim());
        shell.env("XDG_RUNTIME_DIR", &sockets);
        shell.env("SANDBOX_STATE_DIR", sockets.join("state"));
        for name in UNWANTED {
            shell.env_remove(name);
        }
        shell
    };
    let go = |line: &str| sh::run(&mut shell(line));
    let tour = TOUR.iter().try_for_each(|(what, lines)| {
        sh::say(&format!("\n== {what}"));
        lines.iter().try_for_each(|line| {
            sh::say(&format!("\n$ {line}"));
            go(line)
        })
    });
    let sandboxes = tour.and_then(|()| {
        sh::say(&format!(
            "\n== sandboxes of this machine, and Daytona's SDK\n\n$ {UP}"
        ));
        let mut up = shell(UP);
        if up.status()?.code() == Some(NOT_STARTED) {
            sh::say("skipped: this machine does not allow what isolates sandboxes");
            return Ok(false);
        }
        let shown = SANDBOXES.iter().try_for_each(|line| {
            sh::say(&format!("\n$ {line}"));
            go(line)
        });
        let ended = go(DOWN);
        shown.and(ended).map(|()| true)
    });
    // Whatever the tour has come to: nothing is left running.
    let stopped = go("sandbox stop");
    let removed = fs::remove_dir_all(&sockets);
    let has_sandboxes = sandboxes?;
    stopped?;
    removed?;
    check(&charts.join("line_chart-1.png"))?;
    if has_sandboxes {
        check(&charts.join("sdk.png"))?;
    }
    sh::say(&format!("\nthe tour took {}", sh::since(started)));
    Ok(())
}

fn check(picture: &Path) -> Result<()> {
    let shown = sh::from_root(picture).display();
    let bytes = fs::read(picture).map_err(|error| format!("no picture at {shown}: {error}"))?;
    if bytes.starts_with(SIGNATURE) {
        Ok(())
    } else {
        Err(format!("{shown} is no PNG").into())
    }
}
