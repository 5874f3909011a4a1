//! What commands in the tests run where it matters exactly what a program does: a tool of the machine may differ.

use std::io::{self, BufWriter, Read, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::{env, fs, process};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *words {
        ["count", to] => count(to.parse().unwrap()),
        ["both", to] => both(to.parse().unwrap()),
        ["zeros", count] => io::copy(
            &mut io::repeat(0).take(count.parse().unwrap()),
            &mut io::stdout().lock(),
        )
        .map(drop),
        ["flood"] => flood(),
        ["length"] => {
            io::copy(&mut io::stdin().lock(), &mut io::sink()).map(|count| println!("{count}"))
        }
        ["tcp", port] => TcpStream::connect(("127.0.0.1", port.parse().unwrap())).map(drop),
        ["unix", path] => UnixStream::connect(path).map(drop),
        ["abstract", name] => SocketAddr::from_abstract_name(name)
            .and_then(|name| UnixStream::connect_addr(&name))
            .map(drop),
        ["start"] => start(),
        ["words", ..] => {
            words[1..].iter().for_each(|word| println!("<{word}>"));
            Ok(())
        }
        _ => panic!("what is {words:?}?"),
    };
    if done.is_err() {
        process::exit(1);
    }
}

/// Numbers from 1, a line each.
fn count(to: u32) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    (1..=to).try_for_each(|number| writeln!(stdout, "{number}"))?;
    stdout.flush()
}

/// Lines to both outputs in turn, each by a write of its own.
fn both(to: u32) -> io::Result<()> {
    let open = |path| fs::File::options().write(true).open(path);
    let (mut stdout, mut stderr) = (open("/dev/stdout")?, open("/dev/stderr")?);
    for number in 1..=to {
        stdout.write_all(format!("o{number}\n").as_bytes())?;
        stderr.write_all(format!("e{number}\n").as_bytes())?;
    }
    Ok(())
}

/// Writes until the reader closes.
fn flood() -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let block = b"y\n".repeat(4096);
    loop {
        stdout.write_all(&block)?;
    }
}

/// What a process of a run begins with. Not its ignored signals: Rust's runtime has changed them by now.
fn start() -> io::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    let blocked = status.lines().find(|line| line.starts_with("SigBlk"));
    println!("{}", blocked.unwrap().replace(":\t", " "));
    let parent = std::os::unix::process::parent_id();
    let read = |name: &str| fs::read_to_string(format!("/proc/{parent}/{name}"));
    // After `pid (name) `: state, parent, group, session, ..., priority, nice.
    let stat = read("stat")?;
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    println!("leads {}", fields[2] == parent.to_string());
    println!("nice {}", fields[16]);
    println!("oom {}", read("oom_score_adj")?.trim());
    let mut own: Vec<String> = fs::read_dir("/proc/self/fd")?
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    own.sort();
    // One of them is the folder that is being read.
    println!("descriptors {}", own.len() - 1);
    Ok(())
}
