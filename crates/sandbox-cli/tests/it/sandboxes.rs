//! `up`, `down` and `env`, and what they are for: sandboxes that are created, used, stopped, started and deleted.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::background::Place;

/// A control plane in the background, with a state directory of its own. Ended, with all its sandboxes, when it is dropped.
pub(crate) struct Up<'a> {
    place: &'a Place,
}

impl<'a> Up<'a> {
    /// Returns `None` where sandboxes cannot be isolated, aloud.
    pub(crate) fn start(place: &'a Place, more: &[&str]) -> Option<Self> {
        let arguments = ["up", "--detach", "--listen", "127.0.0.1:0"];
        let output = run(place, &[&arguments, more].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return Some(Self { place });
        }
        assert_eq!(output.status.code(), Some(126), "{stderr}");
        skipped(&stderr);
        None
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(self.place, arguments)
    }

    #[track_caller]
    pub(crate) fn check(&self, arguments: &[&str], code: i32, stdout: &str) {
        let output = self.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let did = (text(&output.stdout), output.status.code());
        let stderr = text(&output.stderr);
        assert_eq!(
            did,
            (stdout.to_owned(), Some(code)),
            "{arguments:?}: {stderr}"
        );
    }

    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str], code: i32, expect: &[&str]) {
        fails(self.place, arguments, code, expect);
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let listed = self.run(&["list", "--quiet"]);
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let mut delete = vec!["delete"];
        delete.extend(listed.lines());
        if delete.len() > 1 {
            self.run(&delete);
        }
        self.run(&["down"]);
    }
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

pub(crate) fn is_unsupported(stderr: &str) -> bool {
    stderr.contains("isolat") || stderr.contains("namespace")
}

fn command(place: &Place, arguments: &[&str]) -> Command {
    place.command(arguments)
}

fn run(place: &Place, arguments: &[&str]) -> Output {
    command(place, arguments).output().unwrap()
}

#[track_caller]
fn fails(place: &Place, arguments: &[&str], code: i32, expect: &[&str]) {
    let output = run(place, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    for text in expect {
        assert!(stderr.contains(text), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_sandbox_is_created_used_stopped_started_and_deleted() {
    let place = Place::new();
    let Some(up) = Up::start(&place, &[]) else {
        return;
    };
    up.check(&["list", "-q"], 0, "");
    up.check(
        &["create", "web", "-e", "A=1", "--label", "k=v"],
        0,
        "web\n",
    );
    up.check(
        &["exec", "-s", "web", "echo $A; pwd; exit 3"],
        3,
        "1\n/home/daytona\n",
    );
    up.check(&["exec", "--sandbox", "web", "echo", "a  b"], 0, "a  b\n");

    place.write("data", "content");
    let data = place.path("data");
    up.check(&["cp", &data, "web:data"], 0, "");
    up.check(&["cat", "-s", "web", "data"], 0, "content");
    up.check(&["cp", "-s", "web", ":data", "-"], 0, "content");
    up.check(&["ls", "-s", "web"], 0, "data\n");
    up.check(&["session", "-s", "web", "create", "s"], 0, "");
    up.check(&["session", "exec", "-s", "web", "s", "echo in"], 0, "in\n");

    let listed = up.json(&["list", "--json", "--label", "k=v"]);
    assert_eq!(
        (&listed[0]["name"], &listed[0]["state"]),
        (&"web".into(), &"started".into())
    );
    let id = listed[0]["id"].as_str().unwrap();
    up.check(&["exec", "-s", id, "echo by id"], 0, "by id\n");
    assert_eq!(
        up.json(&["ps", "--json", "--label", "k=w"]),
        Value::Array(Vec::new())
    );
    let shown = up.run(&["list"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let mut lines = shown.lines();
    assert_eq!(
        lines.next().unwrap().split_whitespace().next(),
        Some("NAME")
    );
    assert!(
        lines.next().unwrap().starts_with("web   started"),
        "{shown}"
    );

    up.check(&["stop", "web"], 0, "");
    up.fails(
        &["exec", "-s", "web", "true"],
        125,
        &[
            "the sandbox `web` is stopped",
            "`sandbox start web` starts it",
        ],
    );
    up.check(&["start", "web"], 0, "");
    up.check(&["cat", "-s", "web", "data"], 0, "content");
    let stopped = up.json(&["stop", "--force", "--json", "web"]);
    assert_eq!(stopped["stopped"][0], "web");
    up.check(&["delete", "web"], 0, "");
    up.check(&["list", "--quiet"], 0, "");
}

#[test]
fn what_is_wrong_with_a_sandbox_is_said() {
    let place = Place::new();
    let Some(up) = Up::start(&place, &[]) else {
        return;
    };
    up.check(&["create", "a"], 0, "a\n");
    up.fails(&["create", "a"], 125, &["a"]);
    up.fails(&["create", "x", "--image", "none"], 2, &["none"]);
    up.fails(&["create", "x", "-e", "A"], 2, &["expected NAME=VALUE"]);
    up.fails(&["create", "x", "--auto-stop", "15"], 2, &["such as 15m"]);
    up.fails(&["create", "x", "--ttl", "0s"], 2, &["deleted at once"]);
    up.fails(&["start"], 2, &["Usage: sandbox start"]);
    up.fails(&["stop", "--force"], 2, &["Usage: sandbox stop"]);
    let hint = "hint: `sandbox list` shows the sandboxes";
    up.fails(&["exec", "-s", "none", "true"], 125, &["none", hint]);
    up.fails(&["cp", "none:x", "-"], 1, &["none", hint]);
    up.fails(&["cp", "a:x", "b:x"], 2, &["different sandboxes"]);
    up.fails(&["cp", "-s", "b", "a:x", "-"], 2, &["different sandboxes"]);
    up.fails(
        &["cp", "--url", "unix:/x", "a:x", "-"],
        2,
        &["write ./ before"],
    );
    up.fails(
        &["exec", "-s", "a", "--url", "unix:/x", "true"],
        2,
        &["cannot be used with"],
    );
    // Names that are made are short enough to type.
    let made = up.run(&["create"]);
    let made = String::from_utf8(made.stdout).unwrap();
    assert!(made.starts_with("box-") && made.len() == 11, "{made}");
    up.check(&["delete", made.trim()], 0, "");
    // One that is not there does not keep the others.
    up.check(&["create", "b"], 0, "b\n");
    up.fails(&["delete", "a", "none", "b"], 1, &["none"]);
    up.check(&["list", "-q"], 0, "");

    // The URL of a daemon in the environment is less than the name of a sandbox.
    up.check(&["create", "c"], 0, "c\n");
    let mut exec = command(&place, &["exec", "-s", "c", "pwd"]);
    let output = exec.env("SANDBOX_URL", "unix:/none").output().unwrap();
    assert_eq!(output.stdout, b"/home/daytona\n", "{output:?}");

    // Another key.
    let variables = up.json(&["env", "--json"]);
    let mut list = command(&place, &["list"]);
    list.env(
        "DAYTONA_API_URL",
        variables["DAYTONA_API_URL"].as_str().unwrap(),
    );
    let output = list.env("DAYTONA_API_KEY", "wrong").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("sandbox env"), "{stderr}");
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn a_control_plane_is_found_and_leaves_its_sandboxes() {
    let place = Place::new();
    let none = "hint: start a control plane with `sandbox up`";
    fails(
        &place,
        &["list"],
        125,
        &["no control plane runs here", none],
    );
    fails(&place, &["create"], 125, &[none]);
    fails(&place, &["exec", "-s", "x", "true"], 125, &[none]);
    fails(
        &place,
        &["env"],
        125,
        &["no control plane runs", "hint: start one with `sandbox up`"],
    );
    let down = run(&place, &["down", "--json"]);
    assert_eq!(
        (down.status.code(), &*down.stdout),
        (Some(1), &b"{\"stopped\":false}\n"[..])
    );

    let Some(up) = Up::start(&place, &[]) else {
        return;
    };
    up.fails(
        &["up", "--listen", "127.0.0.1:0"],
        125,
        &["a control plane runs already", "sandbox down"],
    );
    up.fails(&["up", "--detach"], 125, &["a control plane runs already"]);
    let mode = |name: &str| {
        let path = Path::new(&place.path("state")).join(name);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!(
        ["", "key", "control.env", "up.log"].map(mode),
        [0o700, 0o600, 0o600, 0o600]
    );
    let env = up.run(&["env"]);
    let env = String::from_utf8(env.stdout).unwrap();
    let lines: Vec<_> = env.lines().collect();
    assert!(
        lines[0].starts_with("export DAYTONA_API_URL='http://127.0.0.1:"),
        "{env}"
    );
    assert!(lines[1].starts_with("export DAYTONA_API_KEY='"), "{env}");

    up.check(&["create", "stays"], 0, "stays\n");
    up.check(&["session", "-s", "stays", "create", "s"], 0, "");
    up.check(&["session", "-s", "stays", "exec", "s", "V=kept"], 0, "");
    let down = up.run(&["down"]);
    let stderr = String::from_utf8_lossy(&down.stderr);
    assert!(
        down.status.success() && stderr.contains("sandboxes run on"),
        "{stderr}"
    );
    up.fails(&["list"], 125, &["no control plane runs here"]);
    let again = Up::start(&place, &[]).unwrap();
    again.check(
        &["session", "-s", "stays", "exec", "s", "echo $V"],
        0,
        "kept\n",
    );
}

/// In the foreground, as a person starts it, until Ctrl-C.
#[test]
fn an_interrupt_ends_the_control_plane() {
    let place = Place::new();
    let mut up = command(&place, &["up", "--listen", "127.0.0.1:0", "--json"]);
    let mut up = up
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(up.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    if line.is_empty() {
        let output = up.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(126), "{stderr}");
        skipped(&stderr);
        return;
    }
    let shown: Value = serde_json::from_str(&line).unwrap();
    let url = shown["url"].as_str().unwrap();
    let port = url.trim_start_matches("http://").trim_end_matches("/api");
    let other = place.path("other");
    fails(
        &place,
        &["up", "--state-dir", &other, "--listen", port],
        125,
        &[
            "cannot listen on",
            "hint: choose another address with --listen",
        ],
    );
    // What the process in the background has to say is said here.
    fails(
        &place,
        &["up", "--detach", "--state-dir", &other, "--listen", port],
        125,
        &[
            "error: cannot listen on",
            "hint: choose another address with --listen",
        ],
    );
    crate::send(&up, rustix::process::Signal::INT);
    let output = up.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("sandboxes run on"), "{stderr}");
    fails(&place, &["list"], 125, &["no control plane runs here"]);
}

#[test]
fn bad_settings_of_a_control_plane_are_refused() {
    let place = Place::new();
    fails(&place, &["up", "--image", "x"], 2, &["expected NAME=DIR"]);
    fails(
        &place,
        &["up", "--listen", "nonsense"],
        2,
        &["invalid value"],
    );
    fails(&place, &["up", "--key-file", "/none"], 125, &["/none"]);
    let open = place.path("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    fails(
        &place,
        &["up", "--state-dir", &open],
        125,
        &["cannot use", "hint: name another directory"],
    );
    let mut nowhere = command(&place, &["env"]);
    nowhere.env_remove("SANDBOX_STATE_DIR").env_remove("HOME");
    let output = nowhere.env_remove("XDG_STATE_HOME").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("--state-dir"), "{stderr}");
}
