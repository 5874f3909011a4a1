//! The lines that make a session's shell evaluate one command so that the command cannot notice them.
//!
//! Per command the shell reads one list, on one line where its quoting allows that:
//!
//! ```text
//! if command exec 0<… 1>|… 2>|…; then     the command's own descriptors
//!   command eval '                        in place: no fork, and all its changes stay
//!     BEGUN                               proof that no function stands in the place of `eval`
//!     $_, the DEBUG trap, set -xv, $?     what the command before it left
//!     TEXT
//!     WITHIN                              the status, so that a failure is one failure to `set -e` and an ERR trap
//!   '
//!   ENDED                                 the status again, for a text that did not reach its end
//!   { trap - DEBUG; set +xv; } >/dev/zero 2>&1
//!   IDLE                                  bash only
//! else BROKEN; fi
//! ```
//!
//! bash gets all but the last report in a file (`filed.rs`).
//!
//! # Reports
//!
//! A report must not run anything: a simple command, even `:`, runs a `DEBUG` trap, can be a function, and under
//! `extdebug` is skipped. Only redirections of compound commands are free of that. So a report is a redirection that
//! *fails*: `{ :; } </dev/null/NONCE,…` is expanded, opened in vain (`/dev/null` is no directory), and named in an
//! error message, which an outer redirection sends to the control terminal. The command inside never runs. As the
//! condition of an `if` it is no failure to `set -e` or a trap, and `$?` is 0 after it. The nonce is new for each
//! command, so that nothing else that writes there is taken for a report.
//!
//! # What was tried
//!
//! * `printf` to a FIFO: it hangs with a function of that name, and under a `DEBUG` trap.
//! * The status in the name of a file that a redirection creates: a name on a disk, and `$-` and traps do not fit.
//! * The text as the script itself, without `eval`: a syntax error ends bash, zsh and dash.
//! * `.` of a file: bash hides a `DEBUG` trap from it, and runs a `RETURN` trap after it. Only long texts are run so.
//! * Redirections around `eval` instead of `exec`: a user's `exec >file` would end with its command.
//!
//! # What still shows
//!
//! * bash runs a `DEBUG` trap twice more after each command, for the lines that set it aside; what it writes then is
//!   discarded. zsh runs it for our lines under `set -e`, where `debug_before_cmd` is off, where `options` is a user's
//!   variable, and one time where a function or an `eval` sets it that does not show in the text. While it is set,
//!   `$pipestatus` has one element at the beginning of a command, a `ZERR` trap counts a failure that is none, and a
//!   trace shows how the trap is set aside (`aside.rs`).
//! * `$BASH_COMMAND` in an `EXIT` trap is the `eval` in bash, which sets it again when it is left.
//! * A text over [`SCRIPT_TEXT_BYTES`](crate::limits::SCRIPT_TEXT_BYTES) is sourced, see above.
//! * A text with an open end (`a &&`, a here-document without its end) has no `WITHIN`: an `ERR` trap counts its
//!   failure twice, and under `set -e` a failure that would be none in a script ends the shell.
//! * In zsh `$?` is 0 at the beginning of a command while it traces, and `$_` is one of our texts: there a compound
//!   command empties `$_` before it expands anything, so that only a simple command could report it, which a trace
//!   shows. `ZSH_EVAL_CONTEXT` and `funcstack` show the `eval`.
//! * An error that ends a script ends its command alone, unless it is one of `set -e`: of syntax anywhere, of a special
//!   builtin, an expansion or a read-only variable in dash and ash, of a read-only variable in bash's POSIX mode, of a
//!   read-only variable or `set -u` in zsh.
//! * In zsh the user's first job is `%4`, since the commands around the text take numbers; `%%`, `%+`, `%name` and `$!`
//!   are right. A function `preexec` is not called, as a script calls it; those of `preexec_functions` are, for our
//!   lines.
//! * Disabling `eval` (`enable -n`, `disable`) leaves no way to evaluate a command, and none is run.
//! * An alias of a word of the shell's grammar (`{`, `if`) changes our lines as well, and a limit of some ten descriptors
//!   (`ulimit -n`) leaves no room for them: the session ends, and says so.
//! * `$LINENO` counts the session's lines in bash, from 3; it counts on in ash, and begins with 1 in zsh.
//! * A trace in bash has one `+` more, for the `eval`, and two in a command that turns it on unseen (`filed.rs`). Under `set -v` bash would echo `WITHIN`, so there is none: besides
//!   what holds for open ends, `$PIPESTATUS` has one element at the beginning of the next command, since the end of
//!   `eval` sets it, and nothing runs between the last line of the text and that. The other shells do not echo what they
//!   evaluate: there `set -v` shows nothing.
//! * `BASH_XTRACEFD` gets the lines that turn a trace off. `set -o history` records our lines.
//! * Where `command` is a function in dash or ash, a syntax error ends the session. A restricted shell (`set -r`) cannot
//!   open its descriptors, and its commands are lost.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::channels::SINK;
use super::dialect::{Dialect, Route, quote, quoted};
use super::report::{Ended, Stage};

/// One command, as the shell is to evaluate it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) body: Body,
    /// The state that the command before it has left.
    pub(crate) before: Ended,
    /// The paths on which descriptors 0, 1 and 2 are opened; `None` leaves a descriptor as it is.
    pub(crate) redirects: [Option<PathBuf>; 3],
    /// Set if the command runs apart from the session.
    pub(crate) apart: Option<Apart>,
    /// Whether no line of our own may follow the text: it could become part of it, or would be echoed.
    pub(crate) is_open_ended: bool,
    /// Whether the command may leave a `DEBUG` trap that would run for our lines (zsh).
    pub(crate) may_trap: bool,
}

/// The settings of a command that runs apart from the session.
#[derive(Debug)]
pub(crate) struct Apart {
    pub(crate) cwd: Option<PathBuf>,
    /// Later ones win.
    pub(crate) env: Vec<(String, String)>,
    /// The words that start another user's shell; `-c` and the text follow.
    pub(crate) user: Option<Vec<String>>,
}

/// The text of a command.
#[derive(Debug)]
pub(crate) enum Body {
    Text(String),
    /// A file that holds the text, if that is too long to be read byte by byte, as shells read a FIFO.
    File(PathBuf),
}

/// Writes lines for one shell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) route: &'static Route,
    /// The way to builtins after the command, which may define functions.
    pub(crate) after: &'static Route,
    /// The path to which reports are written.
    pub(crate) control: &'a Path,
    pub(crate) nonce: &'a str,
}

impl Writer<'_> {
    /// Returns lines that take the shell to the session's directory, as if it had been started there, and report.
    ///
    /// It is started in our private directory, where its script is, because it prints the script's name as it was
    /// given.
    pub(crate) fn beginning(self, cwd: &Path) -> String {
        let p = self.route.prefix;
        let cwd = quoted(cwd);
        let mut script = format!("{p}cd -- {cwd} 2>/dev/null");
        let _ = match self.dialect {
            // bash has the variable without a value, and marked for export.
            Dialect::Bash => write!(script, " && {p}unset OLDPWD && {p}export OLDPWD"),
            Dialect::Posix => write!(script, " && {p}unset OLDPWD"),
            // zsh has the variable from the beginning, with the value of PWD.
            Dialect::Zsh => write!(script, " && {p}cd -- {cwd}"),
        };
        let _ = writeln!(script, "; {}", self.report(self.last_stage()));
        script
    }

    /// Returns the lines for one command.
    pub(crate) fn step(self, step: &Step) -> String {
        let idle = match self.last_stage() {
            Stage::Ended => String::new(),
            last => "; ".to_owned() + &self.report(last),
        };
        self.framed(step, self.list(step, &idle))
    }

    /// Returns the text of a file and the lines that evaluate that, for one command; `None` if its text has to be in
    /// the lines. See [`filed`](super::filed).
    pub(crate) fn step_in_file(self, step: &Step, path: &Path) -> Option<(String, String)> {
        if !self.can_be_filed(step) {
            return None;
        }
        let text = self.in_file(&self.list(step, ""));
        Some((text, self.framed(step, self.of_file(path))))
    }

    /// Returns the list that opens the descriptors and evaluates the command; `idle` follows the last of it.
    fn list(self, step: &Step, idle: &str) -> String {
        let redirects = redirects(&step.redirects);
        let opens = self.route.exec.filter(|_| !redirects.is_empty());
        let mut script = self.evaluate(step);
        if opens.is_none() {
            script.push_str(&redirects);
        }
        script = self.ended(script, step) + idle;
        if let Some(exec) = opens {
            let broken = self.report(Stage::Broken);
            let opened = match self.dialect {
                // The status of this `exec` is that of the command substitution before it, and no failure.
                Dialect::Zsh => {
                    let are_open = are_open(&step.redirects);
                    let p = self.route.prefix;
                    format!("{exec}{redirects} || {p}:; if {are_open}")
                }
                Dialect::Bash | Dialect::Posix => format!("if {exec}{redirects}"),
            };
            script = format!("{opened}; then {script}; else {broken}; fi");
        }
        script
    }

    /// Returns `list` with the lines before and after it that a command needs.
    fn framed(self, step: &Step, list: String) -> String {
        let mut script = list;
        if step.before.is_cut {
            // After a text that ends within a word bash would not know a reserved word.
            script.insert(0, '\n');
        }
        script.push('\n');
        script.push_str(&self.padding(step));
        script
    }

    /// Returns a line that only reports.
    pub(crate) fn ping(self) -> String {
        format!("\n{}\n", self.report(Stage::Alive))
    }

    /// Returns the report that comes last in a step.
    pub(crate) fn last_stage(self) -> Stage {
        match self.dialect {
            Dialect::Bash | Dialect::Zsh => Stage::Idle,
            Dialect::Posix => Stage::Ended,
        }
    }

    /// Returns `script` with the lines that follow it: the report that it has ended, and what sets aside everything
    /// that would show our lines.
    fn ended(self, mut script: String, step: &Step) -> String {
        let p = self.after.prefix;
        if step.may_trap {
            script = self.ends_without_trap(&script);
        } else {
            let _ = write!(script, "; {}", self.report(Stage::Ended));
        }
        script.push_str("; { ");
        match self.dialect {
            Dialect::Bash => {
                // The trap runs before the redirection of the command that prints it.
                let control = self.control_word();
                let _ = write!(script, "{p}trap -p DEBUG >|{control}; {p}trap - DEBUG; ");
            }
            Dialect::Zsh => {
                if !step.may_trap {
                    let _ = write!(script, "{}; ", self.trap_aside());
                }
                // zsh would call it even in a script, with our lines.
                let _ = write!(script, "{p}disable -f preexec || {p}:; ");
            }
            Dialect::Posix => {}
        }
        let _ = write!(script, "{p}set +xv; }} >|{SINK} 2>&1");
        script
    }

    fn evaluate(self, step: &Step) -> String {
        let Some(apart) = &step.apart else {
            return self.in_place(step);
        };
        let p = self.route.prefix;
        let mut script = format!("( {}; ", self.report(Stage::Begun));
        if let Some(cwd) = &apart.cwd {
            let _ = write!(script, "{p}cd -- {} && ", quoted(cwd));
        }
        for (name, value) in &apart.env {
            let _ = write!(script, "{p}export {name}={} && ", quote(value));
        }
        match &apart.user {
            Some(words) => self.as_user(&mut script, words, step),
            None => script.push_str(&self.in_place(step)),
        }
        script.push_str(" )");
        script
    }

    /// Returns lines that evaluate the text in this shell. bash and POSIX shells parse what they evaluate line by line,
    /// so that the lines before a syntax error in the text run; zsh parses all of it first.
    fn in_place(self, step: &Step) -> String {
        let text = self.text(step);
        let traces = self.traces(&step.before);
        let p = self.route.prefix;
        let begun = self.report(Stage::Begun);
        let status = self.status(&step.before);
        let inner = match self.dialect {
            Dialect::Bash | Dialect::Posix => {
                let argument = self.last_argument(&step.before);
                let trap = self.debug_trap(&step.before);
                format!("{begun}{traces}{argument}{trap}{status}\n{text}")
            }
            Dialect::Zsh => {
                let (status, trap) = match &step.before.debug_trap {
                    Some(trap) if traces.is_empty() => (
                        "; ".to_owned() + &self.trap_and_status(&step.before, trap),
                        String::new(),
                    ),
                    Some(trap) => (status + "; ", self.trap_again(trap) + "; "),
                    None => (status + "; ", String::new()),
                };
                // The blank is for a text that begins like an option of `eval`.
                let evaluated = [" ", &*traces, &*trap, &*text].concat();
                let evaluated = self.dialect.quote(&evaluated);
                format!(
                    "{begun}; {{ {p}enable -f preexec || {p}:; }} 2>|{SINK}{status}{p}eval {evaluated}"
                )
            }
        };
        format!("{p}eval {}", self.dialect.quote(&inner))
    }

    /// Returns the text followed by the report.
    fn text(self, step: &Step) -> String {
        let text = match &step.body {
            Body::Text(text) => text.clone(),
            Body::File(path) => format!("{}. {}", self.route.prefix, quoted(path)),
        };
        // A backslash at the very end is literal; before a newline it would continue a line that is not there.
        let end = if text.ends_with(['\n', '\\']) {
            ""
        } else {
            "\n"
        };
        let within = if step.is_open_ended {
            String::new()
        } else {
            self.report(Stage::Within) + "\n"
        };
        [&*text, end, &*within].concat()
    }

    /// Appends the lines that turn the subshell into another user's shell. That shell may have no access to our
    /// directory, so a text in a file is passed by a descriptor.
    fn as_user(self, script: &mut String, words: &[String], step: &Step) {
        let (text, file) = match &step.body {
            Body::Text(text) => (text.clone(), None),
            Body::File(path) => (". /dev/fd/9".to_owned(), Some(path)),
        };
        // The text must not begin like an option.
        let trace = if step.before.traces { "set -x; " } else { " " };
        let text = [trace, &*text].concat();
        let _ = write!(script, "{}exec", self.route.prefix);
        for word in words {
            let _ = write!(script, " {}", quote(word));
        }
        let _ = write!(script, " -c {}", self.dialect.quote(&text));
        if let Some(path) = file {
            let _ = write!(script, " 9<{}", quoted(path));
        }
    }

    /// Returns code that restores `$_`, in bash.
    fn last_argument(self, before: &Ended) -> String {
        match (self.dialect, &before.last_argument) {
            (Dialect::Bash, Some(argument)) => {
                // Where it traces, the trace of this is sent where that of our other lines is.
                let argument = self.dialect.quote(argument);
                format!("; {{ {}: {argument}; }} 2>|{SINK}", self.route.prefix)
            }
            _ => String::new(),
        }
    }

    /// Returns code that restores the `DEBUG` trap that the lines after the previous command have set aside.
    fn debug_trap(self, before: &Ended) -> String {
        match &before.debug_trap {
            Some(trap) => format!("; {{ {}{trap}; }} 2>/dev/null", self.route.prefix),
            None => String::new(),
        }
    }

    /// Returns code that turns on again what the lines after the previous command have turned off.
    fn traces(self, before: &Ended) -> String {
        let p = self.route.prefix;
        let flags = match (before.traces, before.echoes) {
            (false, false) => return String::new(),
            (true, false) => "x",
            (false, true) => "v",
            (true, true) => "xv",
        };
        match self.dialect {
            Dialect::Zsh => format!("{p}set -{flags}; "),
            Dialect::Bash | Dialect::Posix => format!("; {p}set -{flags}"),
        }
    }

    /// Returns code that restores `$?` and the array of a pipeline's statuses. To the left of `&&` a failure does not
    /// count for `set -e` and traps, and the list still has its status.
    fn status(self, before: &Ended) -> String {
        let p = self.route.prefix;
        let statuses = before.pipeline();
        if *statuses == [0] && before.status == 0 {
            return String::new();
        }
        let parts: Vec<_> = statuses
            .iter()
            .map(|status| format!("({p}exit {status})"))
            .collect();
        let pipeline = parts.join(" | ");
        let status = before.status;
        let last = statuses.last().copied().unwrap_or_default();
        let rightmost = statuses.iter().rev().copied().find(|status| *status != 0);
        let list = if status == last || Some(status) == rightmost {
            pipeline
        } else if status == u8::from(last == 0) {
            format!("! {pipeline}")
        } else {
            format!("({p}exit {status})")
        };
        // Code to the right of `&&` would leave a status of its own.
        let exempt = match status {
            0 => String::new(),
            _ => format!(" && {p}:"),
        };
        // A trap that a subshell inherits, and a trace, would show.
        format!("; {{ {list}{exempt}; }} >/dev/null 2>&1")
    }

    /// Returns empty lines, after which the shell has read as many as the command has.
    fn padding(self, step: &Step) -> String {
        match (&step.body, self.dialect) {
            (Body::Text(text), Dialect::Bash) => {
                let body = text.strip_suffix('\n').unwrap_or(text);
                "\n".repeat(body.matches('\n').count())
            }
            _ => String::new(),
        }
    }

    /// Returns a failing redirection whose error message is the report; see the module's documentation.
    fn report(self, stage: Stage) -> String {
        format!(r"if {}; then \: ; fi", self.failure(stage, "$-", ""))
    }

    /// Returns the condition of a report. `flags` expands to the shell's flags, and `last` to nothing.
    pub(super) fn failure(self, stage: Stage, flags: &str, last: &str) -> String {
        let control = self.control_word();
        let nonce = self.nonce;
        let more = match (self.dialect, stage) {
            (Dialect::Bash, Stage::Within) => r#","${PIPESTATUS[*]}",:,"${_:0:1024}""#,
            // After the evaluation `$_` is our own text, nonce and all.
            (Dialect::Bash, Stage::Ended) => r#","${PIPESTATUS[*]}""#,
            (Dialect::Zsh, Stage::Within | Stage::Ended) => r#","${pipestatus[*]}""#,
            _ => "",
        };
        format!(
            r#"{{ {{ {{ \: ; }} </dev/null/{nonce},{},"$?","{flags}"{more},{nonce}{last}; }} 2>|{control}; }} 2>|{SINK}"#,
            stage.letter()
        )
    }

    /// Returns the path to which reports are written, as a word of the shell.
    pub(super) fn control_word(self) -> String {
        quoted(self.control)
    }
}

/// Returns a condition of zsh: whether the descriptors are open on `paths`.
fn are_open(paths: &[Option<PathBuf>; 3]) -> String {
    let conditions: Vec<_> = paths
        .iter()
        .enumerate()
        .filter_map(|(fd, path)| Some((fd, path.as_ref()?)))
        .map(|(fd, path)| format!("/proc/self/fd/{fd} -ef {}", quoted(path)))
        .collect();
    format!("[[ {} ]]", conditions.join(" && "))
}

fn redirects(paths: &[Option<PathBuf>; 3]) -> String {
    let mut script = String::new();
    for (operator, path) in ["0<", "1>|", "2>|"].into_iter().zip(paths) {
        if let Some(path) = path {
            let _ = write!(script, " {operator}{}", quoted(path));
        }
    }
    script
}
