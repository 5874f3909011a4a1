//! Completions, as bash asks for them.

use crate::background::Place;
use crate::sandboxes::Up;

/// Returns what bash completes a line to, when Tab is pressed at its end.
fn completed(place: &Place, line: &str) -> Vec<String> {
    completed_with(place, line, &[])
}

fn completed_with(place: &Place, line: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_sandbox"));
    // As an installation has it: the script is loaded, and finds the program by its name.
    let script = r#"
        source <(sandbox completions bash)
        COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
        # As readline splits words.
        read -ra COMP_WORDS <<< "${1//:/ : }"
        case $1 in *' '|*:) COMP_WORDS+=("") ;; esac
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        entry=$(complete -p sandbox); entry=${entry##*-F }; function=${entry%% *}
        "$function" sandbox "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    // With the environment of the program, which keeps it apart from other control planes.
    let mut bash = crate::program("bash");
    for (name, value) in place.command(&[]).get_envs() {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    bash.envs(variables.iter().copied());
    let mut path = program.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let output = bash
        .env("PATH", path)
        .args(["--norc", "-c", script, "bash", line])
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.is_empty(), "{line}: {stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn names_of_sandboxes_are_completed() {
    let place = Place::new();
    // Nothing is said where no control plane runs.
    assert_eq!(
        completed(&place, "sandbox stop "),
        ["--json", "--force", "--help"]
    );
    assert!(completed(&place, "sandbox ex").contains(&"exec".to_owned()));
    let Some(up) = Up::start(&place, &[]) else {
        return;
    };
    for name in ["web", "worker", "db"] {
        up.check(&["create", name], 0, &format!("{name}\n"));
    }
    place.write("wide.txt", "");
    let both = ["web", "worker"];
    for line in [
        "stop w",
        "start db w",
        "delete w",
        "logs w",
        "exec -s w",
        "session --sandbox w",
        "exec --sandbox=w",
    ] {
        let found = completed(&place, &format!("sandbox {line}"));
        let prefix = line.split_once('=').map_or("", |_| "--sandbox=");
        let expect = both.map(|name| format!("{prefix}{name}"));
        assert_eq!(found, expect, "{line}");
    }
    assert_eq!(
        completed(&place, "sandbox cp w"),
        ["web:", "worker:", "wide.txt"]
    );
    assert_eq!(completed(&place, "sandbox cp wide.txt d"), ["db:"]);
    let names = completed(&place, "sandbox stop ");
    for name in ["web", "worker", "db"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}

#[test]
fn completions_do_not_wait_for_a_silent_control_plane() {
    let place = Place::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api", silent.local_addr().unwrap());
    let found = completed_with(
        &place,
        "sandbox stop w",
        &[("DAYTONA_API_URL", &url), ("DAYTONA_API_KEY", "k")],
    );
    assert!(found.is_empty(), "{found:?}");
    // It was asked.
    silent.set_nonblocking(true).unwrap();
    silent.accept().unwrap();
}
