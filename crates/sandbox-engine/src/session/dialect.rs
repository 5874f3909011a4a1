//! What is written to a session's shell, so that it evaluates a command and the command cannot tell.
//!
//! The shell reads a script that never ends: a FIFO that only the daemon writes to. Per command it gets three lines:
//!
//! ```text
//! command exec 0<… 1>|… 2>|…        the command's own descriptors
//! command eval '…'                  the command, in place; no fork, and all that it changes stays
//! { command printf … "$?" "$-"; }   the status, by a FIFO that is open only meanwhile
//! ```
//!
//! No text of a user's is ever parsed outside the quotes, so that nothing in it can break the lines around it. `command`
//! keeps a syntax error or a failed redirection from ending the shell, and a user's function from being taken for the
//! builtin; the backslash does the same for aliases. No variable, function, trap, job or descriptor of ours is in the
//! shell. Redirections by `exec` instead of around the command let a user's own `exec >file` last.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How a shell wants to be talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Bash,
    Zsh,
    /// dash, busybox ash, and what else keeps to POSIX.
    Posix,
}

/// One command as it is given to the shell.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// Tells its report from that of others.
    pub(crate) number: u64,
    pub(crate) body: Body<'a>,
    /// What `$?` is to be when it begins.
    pub(crate) status: u8,
    /// Whether the shell traces (`set -x`), which the lines around the command must not show.
    pub(crate) traces: bool,
    /// What descriptors 0, 1 and 2 are opened on; `None` leaves what is there.
    pub(crate) redirects: [Option<&'a Path>; 3],
    /// Set if the command runs apart from the session.
    pub(crate) apart: Option<Apart<'a>>,
    /// Where the shell is to report.
    pub(crate) control: &'a Path,
    /// Whether it is to report, too, that it has opened its descriptors.
    pub(crate) announce: bool,
    /// Whether the status is to be told from within, too, so that a command that fails is one failure to an `ERR` trap
    /// and not two: its own, and that of the `eval` around it.
    pub(crate) report_within: bool,
    /// A FIFO at which it waits after the report until somebody opens the other end.
    pub(crate) gate: Option<&'a Path>,
}

/// What a command that runs apart has of its own.
#[derive(Debug)]
pub(crate) struct Apart<'a> {
    pub(crate) cwd: Option<&'a Path>,
    /// Later ones win.
    pub(crate) env: Vec<&'a (String, String)>,
    /// What starts a shell of another user's; `-c` and the text follow.
    pub(crate) user: Option<&'a [String]>,
}

/// The text of a command.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    Text(&'a str),
    /// A file that holds it, for a text that is too long to be read byte by byte, as shells read a FIFO.
    File(&'a Path),
}

/// What a shell tells of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) number: u64,
    pub(crate) stage: Stage,
}

/// How far a shell is with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has opened the command's descriptors.
    Begun,
    /// It has come to the end of the text, but not of the `eval`; see [`Step::report_within`].
    Within(Ended),
    /// It is done.
    Done(Ended),
}

/// What a shell tells after a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) status: u8,
    /// Whether it traces, as `$-` says.
    pub(crate) traces: bool,
}

/// What a report from within the `eval` begins with.
const WITHIN: &str = "within-";

/// The exit code of a shell that cannot open its descriptors any more.
pub(crate) const BROKEN: u8 = 125;

impl Dialect {
    /// Tells it by the executable, behind symbolic links.
    pub(crate) fn of(shell: &Path) -> Self {
        let real = std::fs::canonicalize(shell);
        let real = real.as_deref().unwrap_or(shell);
        match real.file_name().and_then(|name| name.to_str()) {
            Some(name) if name.contains("bash") => Self::Bash,
            Some(name) if name.contains("zsh") => Self::Zsh,
            _ => Self::Posix,
        }
    }

    /// The word that makes the next one mean the builtin.
    fn builtin(self) -> &'static str {
        match self {
            Self::Zsh => r"\builtin",
            Self::Bash | Self::Posix => r"\command",
        }
    }

    /// Takes the shell to where the session starts, as if it had been started there, and reports.
    ///
    /// It is started in a directory of ours, where its script is, because it tells the script's name as it was given.
    pub(crate) fn beginning(self, cwd: &Path, control: &Path) -> Vec<u8> {
        let b = self.builtin();
        let cwd = quoted(cwd);
        let mut script = format!("{b} cd -- {cwd} 2>/dev/null");
        match self {
            // bash has it without a value, and marked for export.
            Self::Bash => {
                let _ = write!(script, " && {b} unset OLDPWD && {b} export OLDPWD");
            }
            Self::Posix => {
                let _ = write!(script, " && {b} unset OLDPWD");
            }
            // zsh has it from the beginning, the same as PWD.
            Self::Zsh => {
                let _ = write!(script, " && {b} cd -- {cwd}");
            }
        }
        script.push('\n');
        self.report(&mut script, "", 0, control);
        script.push('\n');
        script.into_bytes()
    }

    /// The lines for one command.
    pub(crate) fn step(self, step: &Step<'_>) -> Vec<u8> {
        let b = self.builtin();
        let mut script = String::new();
        if step.traces {
            let _ = write!(script, "{{ {b} set +x; }} 2>/dev/null; ");
        }
        if step.redirects.iter().any(Option::is_some) {
            let _ = write!(script, "{b} exec");
            for (operator, path) in ["0<", "1>|", "2>|"].into_iter().zip(step.redirects) {
                if let Some(path) = path {
                    let _ = write!(script, " {operator}{}", quoted(path));
                }
            }
            let _ = write!(script, " || {b} exit {BROKEN}");
        }
        script.push('\n');
        if step.announce {
            let control = quoted(step.control);
            let _ = writeln!(
                script,
                r"{{ {{ {b} printf '%s,\n' {}; }} 2>/dev/null; }} >|{control} || {b} exit {BROKEN}",
                step.number
            );
        }

        // Left of `||` a status is no error to `set -e` and no event to a trap, and `$?` on the right.
        match step.status {
            _ if step.apart.is_some() => {}
            0 => {}
            1 => {
                let _ = write!(script, "! {b} : || ");
            }
            status => {
                let _ = write!(script, "({b} exit {status}) || ");
            }
        }
        if let Some(apart) = &step.apart {
            script.push_str("( ");
            if let Some(cwd) = apart.cwd {
                let _ = write!(script, "{b} cd -- {} && ", quoted(cwd));
            }
            for (name, value) in &apart.env {
                let _ = write!(script, "{b} export {name}={} && ", quote(value));
            }
        }
        match step.apart.as_ref().and_then(|apart| apart.user) {
            Some(words) => self.as_user(&mut script, words, step),
            None => self.in_place(&mut script, step),
        }
        if step.apart.is_some() {
            script.push_str(" )");
        }
        // The empty line is for bash: after a text that ends within a word it would not know the next line's `{`.
        script.push_str("\n\n");
        self.report(&mut script, "", step.number, step.control);
        if let Some(gate) = step.gate {
            let _ = write!(script, "; {b} : <{}", quoted(gate));
        }
        script.push('\n');
        script.into_bytes()
    }

    fn in_place(self, script: &mut String, step: &Step<'_>) {
        let b = self.builtin();
        match step.body {
            Body::Text(text) => {
                let mut text = self.evaluated(text, step.traces);
                if step.report_within {
                    self.report(&mut text, WITHIN, step.number, step.control);
                    text.push('\n');
                }
                let _ = write!(script, "{b} eval {}", quote(&text));
            }
            Body::File(path) => {
                if step.traces {
                    let _ = write!(script, "{b} set -x; ");
                }
                let _ = write!(script, "{b} . {}", quoted(path));
            }
        }
    }

    /// The subshell becomes the user's shell. That one may not look into our directory, so a text in a file comes by a
    /// descriptor.
    fn as_user(self, script: &mut String, words: &[String], step: &Step<'_>) {
        let b = self.builtin();
        let (text, file) = match step.body {
            Body::Text(text) => (self.evaluated(text, step.traces), None),
            Body::File(path) => (self.evaluated(". /dev/fd/9", step.traces), Some(path)),
        };
        let _ = write!(script, "{b} exec");
        for word in words {
            let _ = write!(script, " {}", quote(word));
        }
        let _ = write!(script, " -c {}", quote(&text));
        if let Some(path) = file {
            let _ = write!(script, " 9<{}", quoted(path));
        }
    }

    /// The text as `eval` gets it: it must not begin like an option, ends as a script's last line does, and turns on a
    /// trace that the lines before it had turned off.
    fn evaluated(self, text: &str, traces: bool) -> String {
        let begin = match (traces, text.starts_with(['-', '+'])) {
            (true, _) => format!("{} set -x; ", self.builtin()),
            (false, true) => " ".to_owned(),
            (false, false) => String::new(),
        };
        // A backslash at the very end is one; before a newline it would continue a line that is not there.
        let end = if text.ends_with(['\n', '\\']) {
            ""
        } else {
            "\n"
        };
        [&begin, text, end].concat()
    }

    /// The inner group is closed before the outer one: once descriptor 1 is what it was, so is 2.
    fn report(self, script: &mut String, kind: &str, number: u64, control: &Path) {
        let b = self.builtin();
        let control = quoted(control);
        let _ = write!(
            script,
            r#"{{ {{ {b} printf '%s,%s,%s\n' {kind}{number} "$?" "$-"; }} 2>/dev/null; }} >|{control} || {b} exit {BROKEN}"#
        );
    }
}

impl Report {
    /// Reads a line without its newline: `NUMBER,` or `NUMBER,STATUS,FLAGS`.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let (within, line) = match line.strip_prefix(WITHIN) {
            Some(line) => (true, line),
            None => (false, line),
        };
        let (number, rest) = line.split_once(',')?;
        let number = number.parse().ok()?;
        if rest.is_empty() {
            return Some(Self {
                number,
                stage: Stage::Begun,
            });
        }
        let (status, flags) = rest.split_once(',')?;
        let ended = Ended {
            status: status.parse().ok()?,
            traces: flags.contains('x'),
        };
        let stage = if within {
            Stage::Within(ended)
        } else {
            Stage::Done(ended)
        };
        Some(Self { number, stage })
    }
}

/// Whether a failure within the text would be told twice to a trap that it sets.
pub(crate) fn may_trap_errors(text: &str) -> bool {
    text.contains("ERR")
}

/// Whether a text ends in the middle of a list, so that a line after it would become part of it.
pub(crate) fn is_open_ended(text: &str) -> bool {
    text.trim_end().ends_with(['&', '|', '\\'])
}

/// Whether a text may turn execution off (`set -n`), after which the shell reads on and reports nothing.
pub(crate) fn may_stop_executing(text: &str) -> bool {
    text.contains("noexec")
        || text.match_indices("set").any(|(at, _)| {
            text[at..]
                .split_ascii_whitespace()
                .skip(1)
                .take_while(|word| word.starts_with(['-', '+']))
                .any(|word| word.contains('n'))
        })
}

fn quoted(path: &Path) -> String {
    quote(&String::from_utf8_lossy(path.as_os_str().as_bytes()))
}

/// As one word that every shell takes literally. A NUL, which none can hold, is left out.
pub(crate) fn quote(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 2);
    word.push('\'');
    for part in text.split_inclusive(['\'', '\0']) {
        match part.as_bytes().last() {
            Some(b'\'') => {
                word.push_str(&part[..part.len() - 1]);
                word.push_str(r"'\''");
            }
            Some(0) => word.push_str(&part[..part.len() - 1]),
            _ => word.push_str(part),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(body: Body<'_>) -> Step<'_> {
        Step {
            number: 7,
            body,
            status: 0,
            traces: false,
            redirects: [None; 3],
            apart: None,
            control: Path::new("/c"),
            announce: false,
            report_within: false,
            gate: None,
        }
    }

    fn script(step: &Step<'_>) -> String {
        String::from_utf8(Dialect::Bash.step(step)).unwrap()
    }

    const REPORT: &str = "{ { \\command printf '%s,%s,%s\\n' 7 \"$?\" \"$-\"; } 2>/dev/null; } >|'/c' || \\command exit 125";

    #[test]
    fn a_command_is_one_quoted_word() {
        assert_eq!(
            script(&step(Body::Text("echo 'a'\0b"))),
            format!("\n\\command eval 'echo '\\''a'\\''b\n'\n\n{REPORT}\n")
        );
        assert!(script(&step(Body::Text("-x"))).contains("eval ' -x\n'"));
        assert!(script(&step(Body::Text("x\n"))).contains("eval 'x\n'"));
    }

    #[test]
    fn state_is_put_back_around_it() {
        let traced = Step {
            status: 9,
            traces: true,
            redirects: [Some(Path::new("/i")), None, Some(Path::new("/e"))],
            ..step(Body::Text("x"))
        };
        assert_eq!(
            script(&traced),
            format!(
                "{{ \\command set +x; }} 2>/dev/null; \\command exec 0<'/i' 2>|'/e' || \\command exit 125\n\
                 (\\command exit 9) || \\command eval '\\command set -x; x\n'\n\n{REPORT}\n"
            )
        );
    }

    #[test]
    fn reports_are_read() {
        let report = |line: &str| Report::parse(line.as_bytes());
        let ended = |status, traces| Ended { status, traces };
        let expect = |stage| Some(Report { number: 7, stage });
        assert_eq!(report("7,130,hxB"), expect(Stage::Done(ended(130, true))));
        assert_eq!(report("7,0,"), expect(Stage::Done(ended(0, false))));
        assert_eq!(
            report("within-7,1,h"),
            expect(Stage::Within(ended(1, false)))
        );
        assert_eq!(report("7,"), expect(Stage::Begun));
        for bad in ["", "7", "7,0", "x,0,h", "7,256,h", "7,-1,h"] {
            assert_eq!(report(bad), None, "{bad}");
        }
    }

    #[test]
    fn texts_that_may_stop_executing_are_noticed() {
        for text in [
            "set -n",
            "set -en",
            "a; set  -e -n\nb",
            "set -o noexec",
            "set -x -n",
        ] {
            assert!(may_stop_executing(text), "{text}");
        }
        for text in ["echo -n set", "set -e", "offset -e x-n", "echo setting"] {
            assert!(!may_stop_executing(text), "{text}");
        }
    }
}
