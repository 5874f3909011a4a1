//! Why goals are missed, as profiles show it, and which rows README quotes.

use crate::measure::Row;

/// Beginnings of the names of rows, with the reason why they miss their goals.
const REASONS: &[(&str, &str)] = &[
    ("exec of `true`, added by isolation", ISOLATION),
    ("exec of `true`", EXEC),
    ("60 MiB in one response", WHOLE),
    ("64 MiB streamed", STREAM),
    ("session command, beside", BESIDE),
    ("session command", SESSION_COMMAND),
    ("session, create", SESSION_CREATE),
    ("session, delete", SESSION_DELETE),
    ("log, followed: last byte", LAST_BYTE),
    ("log of 64 MiB", LOG),
    ("log of 2 MiB", LOG),
    ("terminal, a line", ECHO),
    ("terminal, 32 MiB", SHOWN),
    ("Python, `print(1)`", PYTHON),
    ("Python, a line chart", CHART),
    ("JavaScript", NODE),
    ("TypeScript", NODE),
    ("context, call", CALL),
    ("context,", CONTEXT),
    ("file of 1 GiB", FILE),
    ("sandbox, create", CREATE),
    ("start, to the first response", START),
    ("idle, resident", IDLE),
    ("encode 16 byte", ENCODE),
    ("client: exec", CLIENT),
];

const EXEC: &str = "the work of the daemon itself. By `strace -f` it makes some 90 system calls for a command, and passes it between \
     three threads; each process is started by a thread of its own, since a child inherits the nice value, affinity and \
     capabilities of its thread. By `perf` nearly all samples are in the start of the shell. With several clients, client, daemon \
     and shells share the processors that the limit has for its shells alone.";
const ISOLATION: &str = "the view, and two processes more. By `perf trace` of a run in a launcher that was started ahead, half of what is \
     added is the view (a copy of all mounts, of which the machine's are detached again, for which the kernel waits for all processors; a dozen \
     file systems; some 300 system calls), a fifth the ends of process 1 and of the launcher one after the other, an eighth the start of the \
     program by process 1, and the rest the message with the plan and the last filters of system calls.";
const CREATE: &str = "three steps, one after the other. By `strace` the files and a control group (with the record beside them, which is \
     synchronized with the disk), a launcher that is executed and makes the view (with slirp4netns beside it), and the start of the daemon \
     inside until it responds. Each of some ten new files and directories takes ext4 up to 0.2 ms where many were deleted in the last minutes.";
const START: &str = "the start of the process: nearly all of it is over when the daemon listens. By `strace` the dynamic linker's relocations, for which \
     pages of the program are copied, are the longest single part before its `main`.";
const WHOLE: &str = "the result is one text of JSON. By `perf` the daemon checks it as UTF-8, measures and escapes it (14 % of all \
     samples), and the pages of its copies are mapped and cleared; the limit copies once. Over HTTP the output is in it twice, as `result` and as \
     `stdout`, and the daemon sends 16 KiB at a time, so that its memory is bounded: with 64 KiB it is 1.2 times as fast.";
const STREAM: &str = "an output passes through the record of its command, whose reader is woken for it. By `perf` a third of all samples are \
     processors that wait for another thread, and a tenth the kernel's waking of threads; then come copies into the record's file and its \
     checksums. The limit copies once, between two processes.";
const SESSION_COMMAND: &str = "the lines around a command, by which the shell opens its descriptors and reports. By `strace -f`, 500 system calls for \
     `:`: bash reads 240 bytes from a pipe by one call each (the rest from a file), and its redirections, of which a report has three, \
     take 150. The daemon makes 90; it creates and removes the pipes of each command in a file system.";
const BESIDE: &str = "the file system in which a command's two pipes are made, not the others beside it: such a daemon is as slow alone if it \
     begins later. ext4 passes over the inodes of files that were deleted in the last minutes one by one (by `perf`, `recently_deleted`), so that \
     a pipe takes 0.4 ms where there are thousands of them, else 7 us. With temporary files in memory (`TMPDIR=/dev/shm`) \
     all rows beside 1 to 1,000 others are within 6 % of each other.";
const SESSION_CREATE: &str = "the shell reads the script that prepares it one byte for each system call (250 by `strace`), and a \
     terminal and pipes are made for it.";
const SESSION_DELETE: &str = "it is proven that no process is left: by `strace` a walk through `/proc`, and the 256 newest process ids \
     three times.";
const LAST_BYTE: &str = "the shell reports the end of a command three times, so that traps and options of the user's do not see the lines \
     after it: by `strace` some 100 system calls, and each report wakes the daemon.";
const LOG: &str = "a log outlives its readers. By `perf` a quarter of all samples copy it into the page cache of the file that has it, and \
     3 % are its checksum; the limit retains nothing.";
const ECHO: &str = "the threads of the client. By `strace -f` the daemon makes 10 system calls for a line, all on one thread, and to a client that \
     writes and reads its socket itself the echo takes as long as the limit (59 us). This client passes the line, and then the echo, between \
     the thread of the caller and that of the connection.";
const SHOWN: &str = "by `strace -f` a read returns the 4 KiB that the kernel has room for, and for four of five of them the thread that waits for \
     events is woken, too, though another one reads already. What was read is copied into the record of the terminal, and from that into \
     WebSocket messages of 32 KiB. The limit reads on a thread that blocks.";
const CHART: &str = "the drawing, and the encoding of the picture, by Matplotlib itself: all but the 8 ms of `print(1)`.";
const CALL: &str = "a call is a WebSocket of its own, whose handshake is a second round trip. By `strace -f` the daemon makes 60 system calls for a \
     call: 15 for the connection, 15 that find all output before and after the code, 14 for what it has used, and the rest wake three threads.";
const ENCODE: &str = "the head of each record is written, and its bytes are searched for what must be escaped: by `callgrind` 276 instructions a \
     record, where the limit copies all of them in one call.";
const PYTHON: &str = "the fork of an interpreter and the pages that the program then writes to, each of which is copied. By `perf` the fork server \
     and the program take half of all samples, spread over the copies of page tables and pages, the lookup of files and the interpreter. By \
     `strace -f` 100 of 145 system calls before and in it are `stat`: whether all files that the server has loaded are still the same.";
const NODE: &str = "a program runs in a spare process, which is started when the program before has ended. Each program needs a start of its own, \
     which uses 58 ms of a processor (`getrusage`), with a startup snapshot 61, where `node --version` uses 4: programs that follow each \
     other without pauses cannot be faster than that, divided by the processors that are free, on two at best 0.5x. There is one spare, so \
     back to back and in parallel a start is waited for.";
const CONTEXT: &str = "a context takes a worker that is started when code of an earlier one has ended. One that is created sooner than that is \
     ready waits for an interpreter of its own, and so does the first of its directory.";
const FILE: &str = "by `perf` copies from the page cache and into the socket and back, and the waking of threads: each block is written by a \
     thread that may block, while the one that reads waits. To read on meanwhile was slower on two processors (0.45x).";
const CLIENT: &str = "a call allocates 44 times where hyper alone does 12 (the row after it): the types of the request and of the \
     outcome, their JSON, and the headers.";
const IDLE: &str = "10 of 12 MB are pages of the program's file, which the kernel maps ahead and shares with other processes; 1.4 MB are \
     the daemon's own (`/proc/PID/status`: `RssFile`, `RssAnon`).";

/// The rows that README quotes.
const QUOTED: &[&str] = &[
    "exec of `true`, TCP",
    "exec of `true`, 16 clients",
    "64 MiB streamed, HTTP",
    "session command `:`",
    "log, followed: written to received",
    "terminal, a line echoed by `cat`",
    "Python, `print(1)`",
    "Python, a line chart",
    "JavaScript, with pauses",
    "context, call",
    "file of 1 GiB, download",
    "exec of `true`, added by isolation",
    "sandbox, create",
    "idle, resident",
];

pub(crate) fn is_quoted(name: &str) -> bool {
    QUOTED.contains(&name)
}

/// Returns the reasons of rows that miss their goals, each with the names of its rows.
pub(crate) fn of(missed: &[&Row]) -> Vec<(&'static str, Vec<String>)> {
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    for row in missed {
        let reason = REASONS.iter().find(|(name, _)| row.name.starts_with(name));
        let reason = reason.map_or("not explained yet.", |(_, reason)| reason);
        match found.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(row.name.clone()),
            None => found.push((reason, vec![row.name.clone()])),
        }
    }
    found
}
