//! The SSH gateway of `up`, as OpenSSH's client uses it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::Value;

use crate::background::Place;
use crate::program;
use crate::sandboxes::{Up, skipped};

/// A sandbox with SSH, and the control plane's address and key.
struct Host<'a> {
    up: &'a Up<'a>,
    url: String,
    key: String,
}

/// A token, and where it is used.
#[derive(Clone)]
struct Access {
    token: String,
    port: String,
}

impl<'a> Host<'a> {
    /// Creates the sandbox `web`.
    fn new(up: &'a Up<'a>) -> Self {
        up.check(&["create", "web"], 0, "web\n");
        let variables = up.json(&["env", "--json"]);
        let text = |name: &str| variables[name].as_str().unwrap().to_owned();
        Self {
            up,
            url: text("DAYTONA_API_URL"),
            key: text("DAYTONA_API_KEY"),
        }
    }

    /// Sends a request to the API, and returns its status and body.
    fn ask(&self, method: &str, path: &str) -> (u16, Value) {
        let host = self.url.trim_start_matches("http://");
        let host = host.trim_end_matches("/api");
        let mut stream = TcpStream::connect(host).unwrap();
        let key = &self.key;
        write!(
            stream,
            "{method} /api/{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\
             Content-Length: 0\r\n\r\n"
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    fn access(&self) -> Access {
        self.access_for("")
    }

    fn access_for(&self, query: &str) -> Access {
        let (status, access) = self.ask("POST", &format!("sandbox/web/ssh-access{query}"));
        assert_eq!(status, 200, "{access}");
        let token = access["token"].as_str().unwrap().to_owned();
        let command = access["sshCommand"].as_str().unwrap();
        let mut words = command.split(' ');
        let (ssh, option, port) = (words.next(), words.next(), words.next());
        assert_eq!((ssh, option), (Some("ssh"), Some("-p")), "{command}");
        assert_eq!(words.next(), Some(&*format!("{token}@127.0.0.1")));
        let port = port.unwrap().to_owned();
        Access { token, port }
    }
}

impl Access {
    fn command(&self, options: &[&str], words: &[&str]) -> Command {
        let mut ssh = client("ssh", "-p", &self.port);
        ssh.args(options).arg(format!("{}@127.0.0.1", self.token));
        ssh.args(words);
        ssh
    }

    fn run(&self, options: &[&str], words: &[&str], input: &[u8]) -> Output {
        with_input(self.command(options, words), input)
    }

    #[track_caller]
    fn check(&self, options: &[&str], words: &[&str], expect: (i32, &str, &str)) {
        let output = self.run(options, words, b"");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let did = (output.status.code().unwrap(), &*stdout, &*stderr);
        assert_eq!(did, expect, "{words:?}");
    }
}

/// A client of OpenSSH that trusts the gateway and reads no files of its user.
fn client(name: &str, port_option: &str, port: &str) -> Command {
    let mut client = program(name);
    client.args([
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
        port_option,
        port,
    ]);
    client.stdin(Stdio::null());
    client
}

fn with_input(mut command: Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            // A client that has ended reads no more.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    })
}

/// Runs a test against a sandbox, where there is a client and sandboxes can be isolated.
fn with_host(test: impl FnOnce(&Host<'_>)) {
    if program("ssh").arg("-V").output().is_err() {
        return skipped("ssh is not here (Debian: openssh-client)");
    }
    let place = Place::new();
    if let Some(up) = Up::start(&place, &[]) {
        test(&Host::new(&up));
    }
}

/// A command that runs on, and one that waits until it has ended.
const HOLDER: &str = "exec 9> lock; flock 9; echo up; exec sleep 1000";
const WAITER: &str = "flock lock true";

/// Waits for a line of a client's output.
fn line(child: &mut Child) -> String {
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    child.stdout = Some(stdout.into_inner());
    line
}

#[test]
fn a_command_has_its_outputs_its_input_and_its_end() {
    with_host(|host| {
        let access = host.access();
        access.check(
            &[],
            &["echo out; echo err >&2; pwd; exit 7"],
            (7, "out\n/home/daytona\n", "err\n"),
        );
        access.check(&[], &["true"], (0, "", ""));
        // OpenSSH's client reports a signal as an error of its own.
        access.check(&[], &["kill -9 $$"], (255, "", ""));
        access.check(&[], &["nothing-of-this-name 2>/dev/null"], (127, "", ""));
        access.check(
            &["-o", "SetEnv=SSH_TEST=set"],
            &["echo $SSH_TEST"],
            (0, "set\n", ""),
        );
        // Without a command it is a shell, which reads its input here.
        let output = access.run(&["-T"], &[], b"echo in the shell; exit 4\n");
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        assert_eq!(output.stdout, b"in the shell\n");

        // Not text, and more than every buffer on the way.
        let bytes: Vec<u8> = (0..8 * 1024 * 1024_u32)
            .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0])
            .collect();
        let output = access.run(&[], &["cat; echo end >&2"], &bytes);
        assert!(output.status.success());
        assert_eq!(output.stderr, b"end\n");
        assert!(output.stdout == bytes, "the bytes differ");
        // A command that reads nothing of them delays nothing.
        let output = access.run(&[], &["exec <&-; echo done"], &bytes);
        assert_eq!(output.stdout, b"done\n");
    });
}

#[test]
fn a_terminal_has_a_size_and_an_end() {
    with_host(|host| {
        let access = host.access();
        let text = "test -t 0 && test -t 1 && stty size; echo $TERM; exit 5";
        let mut command = access.command(&["-tt"], &[text]);
        command.env("TERM", "vt220");
        let output = with_input(command, b"");
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "24 80\r\nvt220\r\n"
        );
        // Ctrl-C reaches the program in front.
        let mut shell = access.command(&["-tt"], &["trap 'echo caught; exit 3' INT; echo up; cat"]);
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        assert_eq!(line(&mut shell), "up\r\n");
        let mut stdin = shell.stdin.take().unwrap();
        stdin.write_all(b"\x03").unwrap();
        let output = shell.wait_with_output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("caught"));
        assert_eq!(output.status.code(), Some(3));
        drop(stdin);
    });
}

#[test]
fn a_token_is_needed_and_can_be_revoked() {
    with_host(|host| {
        let access = host.access();
        let wrong = Access {
            token: "wrong".to_owned(),
            ..access.clone()
        };
        let refused = |access: &Access| {
            let output = access.run(&[], &["true"], b"");
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(255), "{stderr}");
            assert!(stderr.contains("Permission denied"), "{stderr}");
        };
        refused(&wrong);
        let (status, _) = host.ask("POST", "sandbox/web/ssh-access?expiresInMinutes=0");
        assert_eq!(status, 400);
        // The command ends after the token has, and a second one is refused then.
        let short = host.access_for("?expiresInMinutes=0.05");
        let valid = format!("sandbox/ssh-access/validate?token={}", short.token);
        short.check(&[], &["sleep 4; echo on"], (0, "on\n", ""));
        assert_eq!(host.ask("GET", &valid).1["valid"], false);
        refused(&short);

        let valid = format!("sandbox/ssh-access/validate?token={}", access.token);
        assert_eq!(host.ask("GET", &valid).1["valid"], true);
        let mut open = access.command(&[], &[HOLDER]);
        let mut open = open.stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(line(&mut open), "up\n");
        let revoke = format!("sandbox/web/ssh-access?token={}", access.token);
        let (status, sandbox) = host.ask("DELETE", &revoke);
        assert_eq!((status, &sandbox["name"]), (200, &"web".into()));
        assert_eq!(open.wait().unwrap().code(), Some(255));
        assert_eq!(host.ask("DELETE", &revoke).0, 404);
        assert_eq!(host.ask("GET", &valid).1["valid"], false);
        refused(&access);
        host.up.check(&["exec", "-s", "web", WAITER], 0, "");

        // Without a token, all of the sandbox.
        let (one, other) = (host.access(), host.access());
        one.check(&[], &["true"], (0, "", ""));
        assert_eq!(host.ask("DELETE", "sandbox/web/ssh-access").0, 200);
        refused(&one);
        refused(&other);
        host.access().check(&[], &["true"], (0, "", ""));
    });
}

#[test]
fn a_connection_ends_with_its_sandbox_and_a_command_with_its_client() {
    with_host(|host| {
        let access = host.access();
        let start = |text: &str| {
            let mut command = access.command(&[], &[text]);
            let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            assert_eq!(line(&mut child), "up\n");
            child
        };
        let mut killed = start(HOLDER);
        killed.kill().unwrap();
        killed.wait().unwrap();
        host.up.check(&["exec", "-s", "web", WAITER], 0, "");
        let open = start(HOLDER);
        host.up.check(&["delete", "web"], 0, "");
        let output = open.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(255));
        let output = access.run(&[], &["true"], b"");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains("Permission denied"), "{stderr}");
    });
}

#[test]
fn files_are_copied() {
    with_host(|host| {
        let access = host.access();
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, b"\0content\n").unwrap();
        let remote = format!("{}@127.0.0.1:copied", access.token);
        let copy = |option: &str, from: &str, to: &str| {
            let mut scp = client("scp", "-P", &access.port);
            scp.args(["-q", option, from, to]).output().unwrap()
        };
        let (from, back) = (from.to_str().unwrap(), to.to_str().unwrap());
        let output = copy("-O", from, &remote);
        assert!(output.status.success(), "{output:?}");
        let output = copy("-O", &remote, back);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(std::fs::read(back).unwrap(), b"\0content\n");
        // By SFTP, where the sandbox has a server of it.
        let mut sftp = client("sftp", "-P", &access.port);
        sftp.args(["-q", "-b", "-"]);
        sftp.arg(format!("{}@127.0.0.1", access.token));
        let output = with_input(sftp, b"rename copied renamed\n");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            host.up.check(&["ls", "-s", "web"], 0, "renamed\n")
        } else {
            assert!(stderr.contains("openssh-sftp-server"), "{stderr}")
        }
    });
}

#[test]
fn ports_of_the_sandbox_are_forwarded_and_no_others() {
    with_host(|host| {
        let access = host.access();
        // Free, unless another process takes it before the client does.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = "import socket; s = socket.create_server(('127.0.0.1', 4321)); print('up', flush=True)\nwhile True:\n \
                      c = s.accept()[0]\n while d := c.recv(65536): c.sendall(d)\n c.close()";
        let forward = format!("127.0.0.1:{port}:localhost:4321");
        let options = ["-L", &*forward, "-o", "ExitOnForwardFailure=yes"];
        let command = format!("exec python3 -c \"{server}\"");
        let mut open = access.command(&options, &[&command]);
        let mut open = open.stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(line(&mut open), "up\n");
        for _ in 0..2 {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(b"through").unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut back = String::new();
            stream.read_to_string(&mut back).unwrap();
            assert_eq!(back, "through");
        }
        open.kill().unwrap();
        open.wait().unwrap();

        let refused = |options: &[&str], text: &str| {
            let output = access.run(options, &["true"], b"");
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(255), "{stderr}");
            assert!(stderr.contains(text), "{stderr}");
        };
        // Another host, a port on which nothing listens, and the reverse direction.
        let denied = ["-v", "-W", "192.0.2.1:80"];
        refused(&denied, "administratively prohibited");
        refused(&["-v", "-W", "127.0.0.1:4322"], "connect failed");
        let reverse = [
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            "127.0.0.1:0:localhost:1",
        ];
        refused(&reverse, "remote port forwarding failed");
    });
}

#[test]
fn the_gateway_can_be_left_out() {
    let place = Place::new();
    let Some(up) = Up::start(&place, &["--no-ssh"]) else {
        return;
    };
    let host = Host::new(&up);
    let (status, error) = host.ask("POST", "sandbox/web/ssh-access");
    let message = error["message"].as_str().unwrap();
    assert_eq!(status, 501, "{message}");
    assert!(message.contains("without its SSH gateway"), "{message}");
}
