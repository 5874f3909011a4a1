//! What a sandbox reaches by its network, and what reaches it.

use std::io::Write;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;

use sandbox_provider::{Error, Local, LocalNetwork, Provider, Sandbox, Spec, State, Stop};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::machine::{Machine, PATIENCE, helpers, skip};

/// Returns a provider whose sandboxes have this network, or says why there is none.
async fn with_network(network: LocalNetwork) -> Option<Machine> {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let state = directory.path().join("state");
    let builder = Local::builder(&state).network(network);
    Machine::with(builder, state, directory).await
}

/// Listens on an address of the machine, and sends a word to each client; returns the port.
fn listener(address: IpAddr) -> u16 {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let _ = connection.and_then(|mut connection| connection.write_all(b"reached"));
        }
    });
    port
}

/// Returns an address of the machine that is not on its loopback interface.
fn other_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: the kernel chooses the address.
    socket.connect("198.51.100.1:9").ok()?;
    let address = socket.local_addr().unwrap().ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// Has a sandbox connect to an address, and returns what it read.
async fn read_from(machine: &Machine, sandbox: &Sandbox, address: &str, port: u16) -> String {
    let read = format!("timeout 60 bash -c 'cat < /dev/tcp/{address}/{port}' 2>/dev/null; true");
    machine.run(sandbox, &read).await
}

/// Connects to a port of a sandbox as a preview does, and returns the response to a request.
async fn preview(machine: &Machine, sandbox: &Sandbox, port: u16, path: &str) -> String {
    let mut stream = machine.local.dial(&sandbox.id).await.unwrap();
    let upgrade = format!(
        "GET /port/{port}/connect HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: tcp\r\n\r\n"
    );
    let exchange = async {
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{head:?}");
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap()
}

#[tokio::test]
async fn a_sandbox_reaches_other_addresses_and_not_the_loopback_interface() {
    let Some(machine) = with_network(LocalNetwork::User).await else {
        return;
    };
    assert!(
        !machine
            .local
            .warnings()
            .iter()
            .any(|one| one.contains("network"))
    );
    let sandbox = machine.create().await;
    let port = listener([127, 0, 0, 1].into());
    // By its own address, and by those under which the way out knows the machine.
    for address in [
        "127.0.0.1",
        "localhost",
        "10.0.2.2",
        "10.0.2.3",
        "0.0.0.0",
        "127.0.0.53",
    ] {
        assert_eq!(
            read_from(&machine, &sandbox, address, port).await,
            "",
            "{address}"
        );
    }
    let names = machine
        .run(&sandbox, "grep ^nameserver /etc/resolv.conf")
        .await;
    assert_eq!(names, "nameserver 10.0.2.3");
    let devices = "tail -n +3 /proc/net/dev | cut -d: -f1";
    assert!(machine.run(&sandbox, devices).await.contains("tap0"));
    match other_address() {
        Some(address) => {
            let port = listener(address);
            let read = read_from(&machine, &sandbox, &address.to_string(), port).await;
            assert_eq!(read, "reached");
            // Also what listens on all addresses is not reached by that of the loopback interface.
            let port = listener([0, 0, 0, 0].into());
            let read = read_from(&machine, &sandbox, &address.to_string(), port).await;
            assert_eq!(read, "reached");
            assert_eq!(read_from(&machine, &sandbox, "10.0.2.2", port).await, "");
        }
        None => skip("this machine has no address but that of its loopback interface"),
    }
    let mut spec = Spec::default();
    spec.block_network = true;
    let blocked = machine.local.create(spec).await.unwrap();
    assert!(helpers(&blocked).is_empty());
    assert!(!machine.run(&blocked, devices).await.contains("tap0"));
    machine.clear().await;
}

#[tokio::test]
async fn two_sandboxes_listen_on_one_port() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    if machine
        .local
        .warnings()
        .iter()
        .any(|one| one.contains("the network of this machine"))
    {
        panic!("by default no sandbox has it");
    }
    let (one, two) = (machine.create().await, machine.create().await);
    let serve = "(python3 -m http.server 8000 >/dev/null 2>&1 &)
        bash -c 'until (: < /dev/tcp/127.0.0.1/8000) 2>/dev/null; do sleep 0.01; done'";
    for (sandbox, who) in [(&one, "one"), (&two, "two")] {
        machine
            .run(sandbox, &format!("echo {who} > who; {serve}"))
            .await;
    }
    for (sandbox, who) in [(&one, "one"), (&two, "two")] {
        let response = preview(&machine, sandbox, 8000, "/who").await;
        assert!(
            response.ends_with(&format!("\r\n\r\n{who}\n")),
            "{response}"
        );
    }
    // The port is none of the machine's.
    assert!(TcpListener::bind("127.0.0.1:8000").is_ok());
    machine.clear().await;
}

#[tokio::test]
async fn the_way_out_ends_with_the_sandbox() {
    let Some(machine) = with_network(LocalNetwork::User).await else {
        return;
    };
    let sandbox = machine.create().await;
    for _ in 0..2 {
        assert_eq!(helpers(&sandbox).len(), 1);
        machine.local.pause(&sandbox.id).await.unwrap();
        machine.local.start(&sandbox.id).await.unwrap();
        assert_eq!(helpers(&sandbox).len(), 1);
        machine
            .local
            .stop(&sandbox.id, Stop::Terminate)
            .await
            .unwrap();
        assert!(helpers(&sandbox).is_empty());
        machine.local.start(&sandbox.id).await.unwrap();
    }
    // The way out ends, and the sandbox goes on without; a new start has another.
    let [helper] = helpers(&sandbox)[..] else {
        panic!("there is none");
    };
    kill(helper);
    assert_eq!(machine.run(&sandbox, "echo goes on").await, "goes on");
    machine
        .local
        .stop(&sandbox.id, Stop::Terminate)
        .await
        .unwrap();
    machine.local.start(&sandbox.id).await.unwrap();
    let [helper] = helpers(&sandbox)[..] else {
        panic!("there is none");
    };
    // Its launcher is killed, and with it all of the sandbox.
    let stat = std::fs::read_to_string(format!("/proc/{helper}/status")).unwrap();
    let parent = stat.lines().find_map(|line| line.strip_prefix("PPid:"));
    kill(parent.unwrap().trim().parse().unwrap());
    machine.until(&sandbox, State::Error).await;
    let ended = async {
        while PathBuf::from(format!("/proc/{helper}/fd/0")).exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    machine.clear().await;
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn the_network_of_the_machine_is_only_that_of_who_asks_for_it() {
    let port = listener([127, 0, 0, 1].into());
    for (network, expect) in [(LocalNetwork::Host, "reached"), (LocalNetwork::None, "")] {
        let Some(machine) = with_network(network).await else {
            return;
        };
        let sandbox = machine.create().await;
        assert_eq!(
            read_from(&machine, &sandbox, "127.0.0.1", port).await,
            expect
        );
        if let (LocalNetwork::None, Some(address)) = (network, other_address()) {
            let port = listener(address);
            let read = read_from(&machine, &sandbox, &address.to_string(), port).await;
            assert_eq!(read, "");
        }
        let warnings = machine.local.warnings().join("\n");
        let is_said = warnings.contains("the network of this machine");
        assert_eq!(is_said, network == LocalNetwork::Host, "{warnings}");
        let mut spec = Spec::default();
        spec.block_network = true;
        let blocked = machine.local.create(spec).await.unwrap();
        assert_eq!(read_from(&machine, &blocked, "127.0.0.1", port).await, "");
        machine.clear().await;
    }
}

#[tokio::test]
async fn many_have_a_way_out_at_a_time() {
    let Some(machine) = with_network(LocalNetwork::User).await else {
        return;
    };
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let local = machine.local.clone();
            tokio::spawn(async move { local.create(Spec::default()).await })
        })
        .collect();
    for task in tasks {
        let created: Result<Sandbox, Error> = task.await.unwrap();
        assert_eq!(helpers(&created.unwrap()).len(), 1);
    }
    machine.clear().await;
}
