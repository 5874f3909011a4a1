//! Every bound of this crate, in one place; LIMITS.md has a row for each.

use std::time::Duration;

/// Bytes retained of one output of one run: the first half and the last half of this; those between are counted.
pub const OUTPUT_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of artifacts retained of one run; a record that would exceed it is dropped and counted.
pub const ARTIFACT_BYTES: usize = 64 * 1024 * 1024;

/// Longest command text that is passed as an argument. The kernel takes 128 KiB per argument; longer texts, and those
/// with a NUL, are passed as a sealed memory file.
pub const COMMAND_ARGUMENT_BYTES: usize = 120 * 1024;

/// Between TERM and KILL when a time limit runs out: long enough to flush, short enough to respond in time.
pub const TERMINATE_GRACE: Duration = Duration::from_millis(100);

/// After a leader's exit, longest wait for helpers of its own that are still writing (`tee` in `exec > >(tee f)`).
/// A child that merely holds the pipe is not waited for.
pub const DRAIN_GRACE: Duration = Duration::from_millis(250);

/// Longest wait for all processes of a run to end after KILL, before it is reported regardless.
pub const KILL_WAIT: Duration = Duration::from_secs(2);

/// Longest wait of a signal for a session's command that has no process, and for the program of a process that was forked
/// recently.
pub const SIGNAL_WAIT: Duration = Duration::from_secs(2);

/// How long processes that remain after [`KILL_WAIT`] are still killed, after the report.
pub const HUNT: Duration = Duration::from_secs(60);

/// Longest wait for a spawner to start a process.
pub const SPAWN: Duration = Duration::from_secs(20);

/// Processes that can be in the course of starting at a time; others wait.
pub const SPAWNS: usize = 64;

/// Longest wait for file system calls on the user's paths: a mount whose server does not respond blocks them forever.
pub const FILE_CALL: Duration = Duration::from_secs(30);

/// Such calls at a time, each on a thread of its own, including those that have timed out; others wait.
pub const FILE_CALLS: usize = 64;

/// Bytes of each scratch directory of an isolated process, and of its shared memory, unless its description has another
/// number; a write beyond it fails with `ENOSPC`.
pub const ISOLATED_SCRATCH_BYTES: u64 = 1024 * 1024 * 1024;

/// Longest removal of a directory of temporary files: a program may have left any number of files there, and processes may still
/// write to it. What is left after it is removed with the engine's other files, or at the next start.
pub const REMOVAL: Duration = Duration::from_secs(300);

/// Directories for temporary files of isolated runs that are removed at a time; others wait.
pub const REMOVALS: usize = 4;

/// Directories for temporary files of isolated runs at a time, including those that are not removed yet; a start waits for
/// [`FILE_CALL`] at most.
pub const TEMPORARY_DIRECTORIES: usize = 4096;

/// Binds, scratch directories and hidden paths of one isolation.
pub const ISOLATION_LAYERS: usize = 256;

/// Longest wait for all processes of a detached program to stop.
pub const FREEZE: Duration = Duration::from_secs(10);

/// Longest wait for the kernel to let go of a control group whose processes have ended.
pub const GROUP_REMOVAL: Duration = Duration::from_secs(5);

/// Runs with a memory, process or processor limit at a time, including those that have left processes in the background.
pub const LIMITED_RUNS: usize = 4096;

/// Bytes of the smallest memory limit of a run.
pub const LEAST_MEMORY_LIMIT: u64 = 1024 * 1024;

/// Thousandths of a processor of the smallest processor limit of a run: one millisecond of a [`CPU_PERIOD`], the kernel's least.
pub const LEAST_MILLICPUS: u32 = 10;

/// Descriptors of the smallest limit on open files: fewer, and no isolated process can start.
pub const LEAST_OPEN_FILES: u32 = 32;

/// The period of a processor limit: a run that has used its share waits for the next one.
pub const CPU_PERIOD: Duration = Duration::from_millis(100);

/// Longest wait for one walk through all processes.
pub const WALK: Duration = Duration::from_secs(10);

/// Longest wait for a deleted session, terminal or context to end, before the deletion is reported regardless.
pub const DELETE: Duration = Duration::from_secs(30);

/// Longest wait for the task of a command, terminal or context to respond.
pub const RESPONSE: Duration = Duration::from_secs(60);

/// Longest wait for everything to end at a shutdown.
pub const SHUTDOWN: Duration = Duration::from_secs(60);

/// Longest wait for a runtime's shim to report the real executable.
pub const RUNTIME_PROBE: Duration = Duration::from_secs(20);

/// Bytes of buffered input of one command; more is refused until the command has read.
pub const INPUT_BYTES: usize = 64 * 1024 * 1024;

/// Sessions at a time.
pub const SESSIONS: usize = 1024;

/// Commands of one session that wait for their turn.
pub const QUEUED_COMMANDS: usize = 10_000;

/// Bytes of the texts of these commands; one that waits alone may be longer.
pub const QUEUED_COMMAND_BYTES: usize = 64 * 1024 * 1024;

/// Commands of one session that have ended and can still be queried, the newest.
pub const FINISHED_COMMANDS: usize = 1000;

/// Bytes of the ids and texts of these commands; the newest is retained even if it alone is longer.
pub const FINISHED_COMMAND_BYTES: usize = 16 * 1024 * 1024;

/// Discarded commands of one session that are distinguished from unknown ones, the newest.
pub const FORGOTTEN_COMMANDS: usize = 10_000;

/// Bytes of a session's or a command's id.
pub const ID_BYTES: usize = 255;

/// Longest command text that a session's shell reads from its script, byte by byte; a longer one is a file.
pub const SCRIPT_TEXT_BYTES: usize = 4096;

/// Longest wait for a session's shell to start.
pub const SHELL_START: Duration = Duration::from_secs(20);

/// Pooled blocks of 64 KiB for outputs; more are returned to the kernel.
pub const POOLED_BLOCKS: usize = 32;

/// Bytes of one record in memory, the newest; older ones are in a file.
pub const RECORD_MEMORY_BYTES: usize = 1024 * 1024;

/// Bytes of one record in memory after the last writer has ended; if there are more, all are in the file.
pub const RECORD_SETTLED_BYTES: usize = 16 * 1024;

/// Bytes of one record's file; later bytes that leave memory are dropped and counted.
pub const RECORD_SPILL_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Bytes of one of the files that records share; more go to another one. A file is closed when no record needs it.
pub const SPOOL_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Bytes of the buffer that is retained from one write to the files of records for the next; a larger one is freed.
pub const SPOOL_BUFFER_BYTES: usize = 1024 * 1024;

/// Longest wait for the lock of a state directory whose last user has ended.
pub const STATE_LOCK_WAIT: Duration = Duration::from_secs(1);

/// Bytes on disk of all records together. Beyond it those of commands that have ended are removed, oldest end first, and the
/// output of running ones is dropped and counted.
pub const RECORDS_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// All records together take at most one part in this many of the space that is free on their file system without them.
pub const RECORDS_FREE_SHARE: u64 = 2;

/// A session's shell that is found stopped twice in a row, this long apart, is ended.
pub const STOPPED_GRACE: Duration = Duration::from_secs(1);

/// Interval between two checks of a session's shell that has not reported the end of its command.
pub const LOST_LOOK: Duration = Duration::from_millis(250);

/// Checks of a shell that reads its script and does not report, before it is asked to exit; and after that, before it is
/// killed.
pub const LOST_LOOKS: u32 = 8;

/// Bytes that a session's shell may write to its report channel without a report among them; older ones are discarded.
pub const SESSION_REPORT_BYTES: usize = 256 * 1024;

/// Terminals at a time.
pub const PTYS: usize = 512;

/// Terminals whose programs have ended that can still be read, the newest.
pub const ENDED_PTYS: usize = 32;

/// Columns and rows of a terminal.
pub const PTY_SIDE: u16 = 1000;

/// Bytes of a terminal's output that are retained for later readers, the newest, with their bookkeeping.
pub const PTY_RING_BYTES: usize = 1024 * 1024;

/// Longest time for which a terminal's output waits for readers that do not read at all.
pub const PTY_READER_PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of buffered input of one writer to a terminal, with their bookkeeping; beyond it the writer waits.
pub const PTY_INPUT_BYTES: usize = 16 * 1024 * 1024;

/// Idle time after which a fork server or a spare process ends.
pub const WARM_IDLE: Duration = Duration::from_secs(600);

/// Longest wait for a fork server to be ready.
pub const WARM_START: Duration = Duration::from_secs(20);

/// Longest wait for a fork server's response; after it the server is ended, and the program starts cold.
pub const WARM_RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Time before a fork server that was unfit is tried again.
pub const WARM_RETRY: Duration = Duration::from_secs(60);

/// Bytes of a program's directory and arguments that are sent to a fork server; with more it starts cold.
pub const WARM_MESSAGE_BYTES: usize = 64 * 1024;

/// Translator processes at a time; never more than there are cores.
pub const TRANSLATORS: usize = 4;

/// Bytes of stack with which a program is translated. Node.js itself reads programs with at most some 20,000 levels, and sums
/// with a million terms, which are as many levels to a compiler.
pub const TRANSLATOR_STACK_BYTES: usize = 256 * 1024 * 1024;

/// Bytes of memory of a translator, including its stack.
pub const TRANSLATOR_MEMORY_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes of allocated memory that a translator may retain; one with more ends after its response.
pub const TRANSLATOR_RESIDENT_BYTES: u64 = 32 * 1024 * 1024;

/// Idle time after which a translator ends.
pub const TRANSLATOR_IDLE: Duration = Duration::from_secs(60);

/// Longest wait for a free translator.
pub const TRANSLATION_WAIT: Duration = Duration::from_secs(60);

/// Longest translation of one program.
pub const TRANSLATION_TIME: Duration = Duration::from_secs(20);

/// Bytes of one program as a translator returns it.
pub const TRANSLATION_BYTES: u64 = 256 * 1024 * 1024;

/// TypeScript files that one program imports, directly or indirectly.
pub const LOCAL_MODULES: usize = 256;

/// Bytes of all TypeScript files that one program imports.
pub const LOCAL_MODULE_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of a `package.json` that are read to determine the kind of module of a JavaScript program.
pub const MANIFEST_BYTES: usize = 1024 * 1024;

/// Interpreter contexts at a time, besides the default one.
pub const CONTEXTS: usize = 1024;

/// Pieces of code of one context that are queued.
pub const QUEUED_EXECUTIONS: usize = 1024;

/// Bytes of the queued pieces; one that waits alone may be longer.
pub const QUEUED_EXECUTION_BYTES: usize = 64 * 1024 * 1024;

/// How many times as long a process may take for its start or its end if it has to wait for a processor most of the time.
pub const BUSY_FACTOR: u32 = 10;

/// Longest wait for a context's worker to start.
pub const WORKER_START: Duration = Duration::from_secs(20);

/// Time for code to end after an interrupt by its time limit, before the context's worker is ended.
pub const INTERRUPT_GRACE: Duration = Duration::from_secs(2);

/// Time for a context's worker to flush files and run exit handlers when the context is deleted or restarted, before it is
/// killed.
pub const EXIT_GRACE: Duration = Duration::from_secs(1);

/// Bytes of one report of a worker: a value with 16 MiB of forms, or an exception with 1 MiB each of text and traceback.
pub const REPORT_BYTES: usize = 20 * 1024 * 1024;
