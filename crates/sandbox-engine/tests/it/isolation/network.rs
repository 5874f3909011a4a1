//! A network of its own with a way out.

use std::io::Write;
use std::net::{IpAddr, TcpListener, UdpSocket};

use sandbox_engine::isolation::{
    InvalidIsolation, Isolation, IsolationError, Level, Network, check_way_out,
};
use sandbox_engine::{RunOptions, Signal};

use super::{Machine, can_have};
use crate::guard::{repeat, text};

fn with_way_out() -> Isolation {
    Isolation::builder().network(Network::User).build().unwrap()
}

/// Returns whether this machine has what a way out needs; if not, checks that what is missing is said.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn can_get_out(machine: &Machine) -> bool {
    match machine.engine.probe_isolation(&with_way_out()).await {
        Ok(level) => level == Level::Namespaces,
        Err(error) => {
            let help = error.help().expect("what would help is known");
            eprintln!("skipped: {error}: {help}");
            if let IsolationError::Missing { program } = &error {
                assert_eq!(*program, "slirp4netns");
            }
            // Nothing is started with less.
            let refused = machine.try_run(&with_way_out(), "true").await;
            assert!(refused.is_err());
            false
        }
    }
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

#[tokio::test]
async fn a_run_reaches_other_addresses_and_not_the_loopback_interface() {
    let machine = Machine::new();
    if !can_get_out(&machine).await {
        return;
    }
    check_way_out().await.unwrap();
    let read = async |address: &str, port: u16| {
        let command = format!("(timeout 60 cat < /dev/tcp/{address}/{port}) 2>/dev/null; true");
        text(&machine.run(&with_way_out(), &command).await)
    };
    let local = listener([127, 0, 0, 1].into());
    for address in ["127.0.0.1", "10.0.2.2", "10.0.2.3", "0.0.0.0"] {
        assert_eq!(read(address, local).await, "", "{address}");
    }
    if let Some(address) = other_address() {
        let port = listener(address);
        assert_eq!(read(&address.to_string(), port).await, "reached");
    }
    let seen = "grep ^nameserver /etc/resolv.conf; (echo x >> /etc/resolv.conf) 2>/dev/null; \
                tail -n +3 /proc/net/dev | cut -d: -f1 | sort | xargs; ls -A /dev/shm";
    let outcome = machine.run(&with_way_out(), seen).await;
    assert_eq!(text(&outcome), "nameserver 10.0.2.3\nlo tap0\n");
    // What was asked for at that path decides.
    let hidden = Isolation::builder().network(Network::User);
    let hidden = hidden.hide("/etc/resolv.conf").build().unwrap();
    let outcome = machine
        .run(&hidden, "cat /etc/resolv.conf 2>/dev/null; echo end")
        .await;
    assert_eq!(text(&outcome), "end\n");
}

#[tokio::test]
async fn the_way_out_ends_with_its_run_and_not_by_its_signals() {
    let machine = Machine::new();
    if !can_get_out(&machine).await {
        return;
    }
    let options = RunOptions {
        isolation: Some(with_way_out()),
        ..RunOptions::default()
    };
    // The signal is sent to all processes of the run, of which the way out is one.
    let command = "trap 'tail -n +3 /proc/net/dev | grep -c tap0; exit 0' USR1; echo ready; \
                   while :; do sleep 0.05; done";
    let command = machine.engine.start(command, options).await.unwrap();
    let mut cursor = command.record().follow(0).unwrap();
    cursor.next().await.unwrap();
    let launcher = command.pid().unwrap();
    let ways = || -> Vec<u32> {
        let children = format!("/proc/{launcher}/task/{launcher}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let children = children.split_ascii_whitespace();
        let children = children.map(|pid| pid.parse().unwrap());
        let is_way = |pid: &u32| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name.trim_end() == "slirp4netns")
        };
        children.filter(is_way).collect()
    };
    let ways = ways();
    assert_eq!(ways.len(), 1);
    command.signal(Signal::USR1).await.unwrap();
    assert!(command.ended().await.success());
    let recorded = sandbox_engine::Recorded::of(&command, sandbox_engine::OutputMode::Merged).await;
    let output = text(&recorded.collect().await);
    assert!(output.ends_with("1\n"), "{output}");
    // It may be about to end.
    let ended = async {
        while std::fs::read_to_string(format!("/proc/{}/comm", ways[0]))
            .is_ok_and(|name| name.starts_with("slirp4netns"))
        {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let patience = std::time::Duration::from_secs(10);
    tokio::time::timeout(patience, ended).await.unwrap();
}

#[test]
fn levels_without_networks_of_their_own_refuse_a_way_out() {
    for level in [Level::Landlock, Level::Bwrap] {
        let described = Isolation::builder().level(level).network(Network::User);
        let refused = described.build().unwrap_err();
        let is_it =
            matches!(refused, InvalidIsolation::Impossible { level: of, .. } if of == level);
        assert!(is_it, "{refused}");
    }
}

/// A machine as with systemd, in a namespace of mounts: `/etc/resolv.conf` is a link into `/run`.
const WITH_LINK: &str = "
    mount -t tmpfs none /run
    mkdir -p /run/systemd/resolve /run/etc
    echo search made.up > /run/systemd/resolve/stub
    for file in passwd group nsswitch.conf ld.so.cache; do cp /etc/$file /run/etc; done
    ln -s ../run/systemd/resolve/stub /run/etc/resolv.conf
    mount --bind /run/etc /etc
    MADE_UP=1 exec \"$0\" \"$@\"
";

#[test]
fn where_names_are_resolved_is_hidden_behind_a_link() {
    let this = std::env::current_exe().unwrap();
    let words = [
        "unshare",
        "-rm",
        "sh",
        "-ec",
        WITH_LINK,
        this.to_str().unwrap(),
    ];
    let test = "isolation::network::where_names_are_resolved_can_be_hidden";
    repeat(test, &words, |command| command);
}

#[tokio::test]
async fn where_names_are_resolved_can_be_hidden() {
    let machine = Machine::new();
    let is_made_up = std::env::var_os("MADE_UP").is_some();
    let hidden: &[&str] = if is_made_up {
        &[
            "/etc/resolv.conf",
            "/run/systemd",
            "/var/run/systemd",
            "/var/run/systemd/resolve/stub",
        ]
    } else {
        &["/etc/resolv.conf"]
    };
    for (level, network) in [
        (Level::Namespaces, Network::Host),
        (Level::Namespaces, Network::User),
        (Level::Landlock, Network::Host),
        (Level::Bwrap, Network::Host),
    ] {
        let open = || Isolation::builder().level(level).network(network);
        let shown = open().build().unwrap();
        if !can_have(&machine, &shown).await {
            continue;
        }
        let read = "cat /etc/resolv.conf /run/systemd/resolve/stub 2>/dev/null; echo end";
        if is_made_up {
            let outcome = machine.run(&shown, read).await;
            assert!(text(&outcome).contains("search made.up\n"), "{level:?}");
        }
        for path in hidden {
            let isolation = open().hide(path).build().unwrap();
            let outcome = machine.run(&isolation, read).await;
            assert_eq!(text(&outcome), "end\n", "{path}, {level:?}, {network:?}");
        }
    }
}
