//! The engine, without a socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

/// Makes tests of a function, one for each shell, with the shell's name: `in_every_shell!(state_stays)` makes
/// `state_stays::bash` and so on, each of which calls `state_stays("/bin/bash")`.
macro_rules! in_every_shell {
    ($test:ident) => {
        in_every_shell!($test: bash, dash, zsh, busybox);
    };
    (on_two_threads: $test:ident) => {
        in_every_shell!(
            $test, (flavor = "multi_thread", worker_threads = 2): bash, dash, zsh, busybox
        );
    };
    ($test:ident: $($shell:ident),+) => {
        in_every_shell!($test, (): $($shell),+);
    };
    ($test:ident, $runtime:tt: $($shell:ident),+) => {
        mod $test {
            $(
                #[tokio::test $runtime]
                async fn $shell() {
                    super::$test(concat!("/bin/", stringify!($shell))).await;
                }
            )+
        }
    };
}

mod descriptors;
mod edges;
mod exec;
mod guard;
mod helper;
mod interpreter;
mod isolation;
mod languages;
mod life;
#[cfg(feature = "typescript")]
mod nesting;
mod node;
mod oom;
mod pty;
mod python;
mod reaper;
mod resources;
mod session;
mod terminal;
mod tree;
mod warm;
