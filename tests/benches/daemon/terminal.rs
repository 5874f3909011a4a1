//! A terminal without anything around it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Child;

use rustix::pty::OpenptFlags;

use crate::bare;

/// The home directory of shells on terminals: nobody's, so that nobody's profile is measured.
pub(crate) const HOME: &str = "/no/home";

/// What is typed so that `cat` echoes lines, and nothing else does. It reports in other letters than those that were typed.
pub(crate) const CAT: &[u8] = b"stty -echo; echo go'ne'; exec cat\n";

/// A shell on a terminal, which another thread connects to a loopback socket: the least that a daemon could do.
pub(crate) struct Bare {
    user: TcpStream,
    child: Child,
    seen: Vec<u8>,
}

impl Bare {
    /// By posix_spawn, of a program that makes the terminal its own and becomes the shell.
    pub(crate) fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let near = rustix::pty::openpt(flags).expect("a terminal");
        rustix::pty::unlockpt(&near).expect("a terminal");
        let far = rustix::pty::ioctl_tiocgptpeer(&near, flags).expect("its far end");
        let copy = |far: &OwnedFd| far.try_clone().expect("a descriptor");
        let child = bare::command(&["setsid", "--ctty", "/bin/bash", "-i", "-l"])
            .env("HOME", HOME)
            .env("TERM", "xterm-256color")
            .stdin(copy(&far))
            .stdout(copy(&far))
            .stderr(far)
            .spawn()
            .expect("setsid of util-linux");
        let (user, mut server) = bare::socket_pair();
        let mut near = File::from(near);
        let (mut typed, mut shown) = (
            server.try_clone().expect("a descriptor"),
            near.try_clone().expect("a descriptor"),
        );
        std::thread::spawn(move || {
            bare::copy(&mut shown, &mut server);
            // The other thread has the socket open, too. The user may have left.
            let _ = server.shutdown(Shutdown::Write);
        });
        std::thread::spawn(move || bare::copy(&mut typed, &mut near));
        Self {
            user,
            child,
            seen: Vec::new(),
        }
    }

    pub(crate) fn types(&mut self, text: &[u8]) {
        self.user.write_all(text).expect("room");
    }

    /// Reads until one of these is shown.
    pub(crate) fn until(&mut self, texts: &[&[u8]]) {
        let mut buffer = [0; 4096];
        while !shows(&self.seen, texts) {
            let count = self.user.read(&mut buffer).expect("more");
            assert!(count > 0, "the terminal has ended");
            self.seen.extend_from_slice(&buffer[..count]);
        }
        self.seen.clear();
    }

    /// Returns how many bytes come up to the end.
    pub(crate) fn read_to_end(&mut self) -> u64 {
        bare::copy(&mut self.user, &mut std::io::sink())
    }
}

/// Returns whether one of the texts is in what was shown.
pub(crate) fn shows(seen: &[u8], texts: &[&[u8]]) -> bool {
    let has = |text: &&[u8]| seen.windows(text.len()).any(|window| window == *text);
    texts.iter().any(has)
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.user.shutdown(Shutdown::Both);
    }
}
