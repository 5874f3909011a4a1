//! Programs, folders and messages: the one place where xtask starts a process or prints.

pub(crate) mod tree;

use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What can go wrong here is for a person to read.
pub(crate) type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// A program that will run in the root of the repository.
#[expect(
    clippy::disallowed_methods,
    reason = "a tool runs cargo and pip; it is no part of a sandbox"
)]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = command(cargo);
    command.args(arguments);
    command
}

/// Runs a program to its end; what it prints is seen as it comes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let mut child = spawn(command)?;
    let status = child.wait()?;
    started().remove(&child.id());
    check(command, status)
}

/// The processes that were started here and have to be waited for here. Held while one is started.
pub(crate) fn started() -> MutexGuard<'static, BTreeSet<u32>> {
    static STARTED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(command: &mut Command) -> Result<Child> {
    let mut started = started();
    let child = command.spawn().map_err(|error| cannot(command, &error))?;
    started.insert(child.id());
    Ok(child)
}

/// Does `work` beside a program, from its first line on standard output; then kills it.
pub(crate) fn beside(command: &mut Command, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut child = spawn(command.stdout(Stdio::piped()))?;
    let mut line = String::new();
    if let Some(output) = &mut child.stdout {
        // An end without a line is an error below.
        let _ = BufReader::new(output).read_line(&mut line);
    }
    let result = if line.is_empty() {
        Err(format!("`{}` ended at its start", self::line(command)).into())
    } else {
        work()
    };
    let _ = child.kill();
    let _ = child.wait();
    started().remove(&child.id());
    result
}

/// Runs a program to its end; `each` gets what it prints line by line. One that prints nothing for [`SILENCE`] hangs: it is ended,
/// and the error says what ran.
pub(crate) fn follow(command: &mut Command, each: impl FnMut(&str)) -> Result<()> {
    follow_while(SILENCE, command, each)
}

fn follow_while(
    silence: Duration,
    command: &mut Command,
    mut each: impl FnMut(&str),
) -> Result<()> {
    let (output, input) = std::io::pipe()?;
    command.stdout(input.try_clone()?).stderr(input);
    let mut child = spawn(command)?;
    // The command holds the writing end; without it the output ends with the program.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (sender, lines) = mpsc::sync_channel(LINES);
    thread::spawn(move || {
        let lines = BufReader::new(output).split(b'\n');
        for line in lines.map_while(std::io::Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut heard = Instant::now();
    let (status, ended) = loop {
        match lines.recv_timeout(PAUSE) {
            Ok(line) => {
                heard = Instant::now();
                each(&String::from_utf8_lossy(&line));
            }
            // It may close its output and go on.
            Err(RecvTimeoutError::Disconnected) => {
                break bounded(silence, child.id(), || child.wait());
            }
            // Another process may hold the output open for ever.
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = child.try_wait()? {
                    break (Ok(status), None);
                }
                if heard.elapsed() > silence {
                    let ran = tree::end(child.id());
                    break (child.wait(), Some(ran));
                }
            }
        }
    };
    started().remove(&child.id());
    if let Some(ran) = ended {
        let why = format!("printed nothing for {} s", silence.as_secs());
        return Err(hung(command, &why, &ran));
    }
    check(command, status?)
}

/// Does what [`follow`] does. The error ends with the last lines that were printed, since a log of CI is cut at its
/// beginning.
pub(crate) fn follow_and_quote(command: &mut Command, mut each: impl FnMut(&str)) -> Result<()> {
    let mut last = VecDeque::with_capacity(QUOTED);
    let followed = follow(command, |line| {
        if last.len() == QUOTED {
            last.pop_front();
        }
        last.push_back(line.to_owned());
        each(line);
    });
    followed.map_err(|error| {
        let lines = last.iter().map(|line| format!("\n  | {line}"));
        format!("{error}{}", lines.collect::<String>()).into()
    })
}

/// How many lines of output an error quotes.
const QUOTED: usize = 30;

/// How many lines of output wait to be read.
const LINES: usize = 1 << 10;

/// How long the output pauses before the end of its program is looked for.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a program may print nothing. The longest that one does is a minute, and the machine may be busy with other things.
const SILENCE: Duration = Duration::from_secs(600);

/// How long a program may take whose output is wanted as a whole: the longest one is a build.
const LONGEST: Duration = Duration::from_secs(1800);

/// Does `work`, which waits for a child. A child that takes longer than `longest` is ended, and what ran is returned, too.
fn bounded<T>(longest: Duration, pid: u32, work: impl FnOnce() -> T) -> (T, Option<String>) {
    let (done, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let watch = scope.spawn(move || {
            let is_over = wait.recv_timeout(longest) == Err(RecvTimeoutError::Timeout);
            is_over.then(|| tree::end(pid))
        });
        let result = work();
        drop(done);
        (result, watch.join().unwrap_or_default())
    })
}

fn hung(command: &Command, why: &str, ran: &str) -> Box<dyn Error> {
    format!("`{}` {why} and was ended; what ran:{ran}", line(command)).into()
}

/// An error unless the program has ended well.
fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` failed: {status}", line(command)).into())
    }
}

/// Runs a program to its end and gives back its standard output; what it says on standard error becomes part of the
/// error if it fails. One that takes longer than [`LONGEST`] is ended.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    output_within(LONGEST, command)
}

fn output_within(longest: Duration, command: &mut Command) -> Result<String> {
    let child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let pid = child.id();
    let (output, ended) = bounded(longest, pid, || child.wait_with_output());
    started().remove(&pid);
    if let Some(ran) = ended {
        let why = format!("took longer than {} s", longest.as_secs());
        return Err(hung(command, &why, &ran));
    }
    let output = output?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = format!("`{}` failed: {}", line(command), output.status);
    Err([message.as_str(), said.trim()].join("\n").into())
}

/// The command as one would type it, nearly: words are not quoted.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

fn cannot(command: &Command, error: &std::io::Error) -> String {
    let program = command.get_program().to_string_lossy();
    format!("cannot run `{program}`: {error}")
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where cargo builds, and where everything else that can be made again goes.
pub(crate) fn target() -> PathBuf {
    // Cargo marks the folder, wherever its settings have put it.
    let marked = |folder: &&Path| folder.join("CACHEDIR.TAG").exists();
    let program = std::env::current_exe().unwrap_or_default();
    let found = program.ancestors().find(marked).map(Path::to_owned);
    found.unwrap_or_else(|| root().join("target"))
}

/// A path as seen from the root, where programs run.
pub(crate) fn from_root(path: &Path) -> &Path {
    path.strip_prefix(root()).unwrap_or(path)
}

/// Does one slow thing: says what, and how long it took.
pub(crate) fn timed<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    complain(&format!("{what} ..."));
    let started = Instant::now();
    let result = work()?;
    complain(&format!("{what}: done in {}", since(started)));
    Ok(result)
}

/// The time since then, for messages.
pub(crate) fn since(started: Instant) -> String {
    format!("{:.1} s", started.elapsed().as_secs_f64())
}

#[expect(clippy::print_stdout, reason = "a tool's results are for its terminal")]
pub(crate) fn say(text: &str) {
    println!("{}", text.trim_end());
}

/// Prints an error, or progress: the output of a command may be JSON.
#[expect(clippy::print_stderr, reason = "a tool's errors are for its terminal")]
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn failures_name_the_command_and_what_it_said() {
        let error = output(command("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("`sh -c echo why"), "{error}");
        assert!(error.ends_with("exit status: 3\nwhy"), "{error}");
        let error = run(&mut command("/no/such/program")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot run `/no/such/program`")
        );
    }

    #[test]
    fn lines_are_followed_to_the_end_of_the_program() {
        let mut lines = Vec::new();
        // The orphan holds the output.
        let script = "echo one; echo two >&2; sleep 60 & echo $!; exit 3";
        let error = follow(command("sh").args(["-c", script]), |line| {
            lines.push(line.to_owned());
        });
        assert!(error.unwrap_err().to_string().ends_with("exit status: 3"));
        let orphan = lines.pop().unwrap();
        output(command("kill").arg(orphan)).unwrap();
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_started() {
        let (mut held, holder) = std::io::pipe().unwrap();
        let mut lines = Vec::new();
        // All of them hold the pipe.
        let script = "exec 3>&0; echo one; sleep 61 & sh -c 'sleep 62; :'; :";
        let mut program = command("sh");
        program.args(["-c", script]).stdin(holder);
        let hung = follow_while(Duration::from_secs(5), &mut program, |line| {
            lines.push(line.to_owned());
        });
        let error = hung.unwrap_err().to_string();
        assert_eq!(lines, ["one"]);
        let (first, ran) = error.split_once('\n').unwrap();
        assert!(first.ends_with("and was ended; what ran:"), "{error}");
        for sleep in ["sleep 61", "sleep 62"] {
            assert!(ran.lines().any(|line| line.ends_with(sleep)), "{error}");
        }
        drop(program);
        held.read_to_end(&mut Vec::new()).unwrap();

        let mut silent = command("sh");
        silent.args(["-c", "exec >&- 2>&-; sleep 64; :"]);
        let hung = follow_while(Duration::ZERO, &mut silent, |_| ());
        assert!(hung.unwrap_err().to_string().contains("was ended"));
    }

    #[test]
    fn a_program_whose_output_does_not_end_is_ended() {
        let longest = Duration::from_millis(50);
        let hung = output_within(longest, command("sh").args(["-c", "echo one; sleep 63; :"]));
        let error = hung.unwrap_err().to_string();
        assert!(
            error.contains("took longer than 0 s and was ended"),
            "{error}"
        );
        assert!(
            error.ends_with("sleep 63; :") || error.ends_with("sleep 63"),
            "{error}"
        );
    }

    #[test]
    fn an_error_quotes_the_last_lines() {
        let mut count = 0;
        let mut command = command("sh");
        command.args(["-c", "seq 100; exit 3"]);
        let error = follow_and_quote(&mut command, |_| count += 1).unwrap_err();
        assert_eq!(count, 100);
        let error = error.to_string();
        let (first, quoted) = error.split_once('\n').unwrap();
        assert!(first.ends_with("exit status: 3"), "{error}");
        let quoted: Vec<_> = quoted.lines().collect();
        assert_eq!((quoted.len(), quoted[0]), (QUOTED, "  | 71"));
    }

    #[test]
    fn output_is_given_back() {
        let text = output(command("sh").args(["-c", "pwd; cat"])).unwrap();
        assert_eq!(Path::new(text.trim_end()), root().canonicalize().unwrap());
    }

    #[test]
    fn work_is_done_beside_a_program_that_is_killed_then() {
        let mut program = command("sh");
        let mut done = false;
        beside(program.args(["-c", "echo here; exec sleep 60"]), || {
            done = true;
            Ok(())
        })
        .unwrap();
        assert!(done);
        let error = beside(command("sh").args(["-c", "exit 3"]), || Ok(())).unwrap_err();
        assert!(error.to_string().ends_with("ended at its start"), "{error}");
    }
}
