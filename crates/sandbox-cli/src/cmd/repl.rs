//! `sandbox repl`: a stateful interpreter, line by line.

use std::ffi::OsString;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use rustyline::error::ReadlineError;
use sandbox_process::{
    Chart, Context, InterpreterEvent, InterpreterOutcome, Language, Termination,
};
use serde_json::{Value, json};

use crate::args::{FormatArgs, TargetArgs, one_of};
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::interrupt::{Interrupts, Step, or_interrupted};
use crate::{chart, display, output, target, terminal};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct ReplArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// Run in this existing context [default: the one that every client shares]
    #[arg(long, value_name = "ID")]
    context: Option<String>,

    /// Run in a new context of this language, deleted at the end of the input
    #[arg(long, value_name = "NAME", conflicts_with = "context", value_parser = one_of([Language::Python, Language::JavaScript, Language::TypeScript]))]
    language: Option<Language>,

    /// Save charts here
    #[arg(long, value_name = "DIR", default_value = ".")]
    charts_dir: PathBuf,

    // Also on a terminal, what is typed is one program then.
    #[command(flatten)]
    format: FormatArgs,
}

impl ReplArgs {
    pub(crate) fn is_json(&self) -> bool {
        self.format.json
    }
}

/// Reads a program at a time: a line, or a block to its empty line. What comes from a file or a pipe is one program.
pub(crate) fn run(args: ReplArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let ReplArgs {
        target,
        context,
        language,
        charts_dir,
        format,
    } = args;
    target::with_kept(target, token, async |process| {
        let context = match context {
            Some(id) => process.context(id),
            None => process.default_context(),
        };
        let mut repl = Repl {
            context,
            syntax: &PYTHON,
            charts_dir: &charts_dir,
            charts: 0,
            is_json: format.json,
        };
        let Some(language) = language else {
            return repl.begin().await;
        };
        if language != Language::Python {
            repl.syntax = &JAVASCRIPT;
        }
        repl.context = process.create_context(language).await?;
        let ended = repl.begin().await;
        repl.context.delete().await?;
        ended
    })
}

/// A conversation with an interpreter.
#[derive(Debug)]
struct Repl<'a> {
    context: Context,
    syntax: &'static Syntax,
    charts_dir: &'a Path,
    /// How many charts it has shown.
    charts: usize,
    is_json: bool,
}

/// What charts are saved as.
const NAME: &str = "repl";

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Well,
    Badly,
    /// The user wants to leave.
    Left(Exit),
}

impl Repl<'_> {
    async fn begin(&mut self) -> Result<Exit, CliError> {
        if terminal::is_interactive() && !self.is_json {
            return self.converse().await;
        }
        let mut code = String::new();
        io::stdin()
            .read_to_string(&mut code)
            .map_err(CliError::Terminal)?;
        if code.trim().is_empty() && !self.is_json {
            // As an interpreter does it with an empty file.
            return Ok(Exit::SUCCESS);
        }
        let ended = if self.is_json {
            self.answer(code).await?
        } else {
            self.evaluate(code).await?
        };
        match ended {
            Ended::Well => Ok(Exit::SUCCESS),
            Ended::Badly => Ok(Exit::RAISED),
            Ended::Left(exit) => Ok(exit),
        }
    }

    async fn converse(&mut self) -> Result<Exit, CliError> {
        let unusable = |error: ReadlineError| CliError::Terminal(io::Error::other(error));
        let mut editor = rustyline::DefaultEditor::new().map_err(unusable)?;
        let mut code = String::new();
        loop {
            let prompt = if code.is_empty() { ">>> " } else { "... " };
            // The editor waits for the keyboard, and nothing else has to be done meanwhile.
            match tokio::task::block_in_place(|| editor.readline(prompt)) {
                Ok(line) => {
                    code.push_str(&line);
                    code.push('\n');
                    if goes_on(&code, self.syntax) {
                        continue;
                    }
                }
                Err(ReadlineError::Interrupted) => {
                    code.clear();
                    continue;
                }
                Err(ReadlineError::Eof) => return Ok(Exit::SUCCESS),
                Err(error) => return Err(unusable(error)),
            }
            let program = std::mem::take(&mut code);
            if program.trim().is_empty() {
                continue;
            }
            // An entry that cannot be stored is typed again.
            let _ = editor.add_history_entry(program.trim_end());
            if let Ended::Left(exit) = self.evaluate(program).await? {
                return Ok(exit);
            }
        }
    }

    /// Runs a program to its end, and prints its outcome as one JSON object.
    async fn answer(&self, code: String) -> Result<Ended, CliError> {
        let run = async { Ok(ControlFlow::Continue(self.context.run(code).await?)) };
        let result = match or_interrupted(run, ControlFlow::Break).await? {
            ControlFlow::Continue(result) => result,
            ControlFlow::Break(exit) => {
                self.interrupt().await?;
                return Ok(Ended::Left(exit));
            }
        };
        let charts = chart::save(&result.charts, self.charts_dir, Path::new(NAME), 1)?;
        let displayed = result
            .displays
            .iter()
            .map(|shown| json!({ "text": shown.text, "data": display::to_json(shown) }));
        let error = result.error.as_ref().map(|error| {
            json!({ "name": error.name, "value": error.value, "traceback": error.traceback })
        });
        let (outcome, reason) = match &result.termination {
            Termination::Exited { .. } => ("completed", None),
            Termination::Signaled { .. } => ("interrupted", None),
            Termination::TimedOut => ("timed_out", None),
            Termination::Lost { reason } => ("worker_ended", Some(reason)),
            _ => ("unknown", None),
        };
        let object = json!({
            "stdout": result.stdout_lossy(),
            "stderr": result.stderr_lossy(),
            "displayed": displayed.collect::<Value>(),
            "charts": chart::to_json(&charts),
            "error": error,
            "outcome": outcome,
            "reason": reason,
        });
        output::line(&object.to_string())?;
        if result.success() {
            Ok(Ended::Well)
        } else {
            Ok(Ended::Badly)
        }
    }

    async fn evaluate(&mut self, code: String) -> Result<Ended, CliError> {
        // From here on: once it runs, an interrupt is the program's.
        let mut interrupts = Interrupts::listen()?;
        let mut events = self.context.run(code).spawn().await?;
        let mut ended = Ended::Well;
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                step = interrupts.next() => match step {
                    Step::Forward(_) => {
                        self.interrupt().await?;
                        continue;
                    }
                    Step::Leave(exit) => return Ok(Ended::Left(exit)),
                },
            };
            match event {
                Some(Ok(event)) => {
                    if !self.show(event)? {
                        ended = Ended::Badly;
                    }
                }
                // A program that is refused can be mended; a lost daemon cannot.
                Some(Err(error)) if error.status().is_some() => {
                    output::note(&format!("error: {error}"))?;
                    return Ok(Ended::Badly);
                }
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(ended),
            }
        }
    }

    async fn interrupt(&self) -> Result<(), CliError> {
        match self.context.interrupt().await {
            Ok(()) => Ok(()),
            Err(error) => output::note(&format!("note: not interrupted: {error}")),
        }
    }

    /// Shows the events of a program; returns whether they report a success.
    fn show(&mut self, event: InterpreterEvent) -> Result<bool, CliError> {
        match event {
            InterpreterEvent::Output { channel, bytes } => output::print(channel, &bytes)?,
            InterpreterEvent::Display(shown) if !shown.text.is_empty() => {
                output::line(&shown.text)?
            }
            InterpreterEvent::Chart { chart } => {
                self.charts += 1;
                let charts = [Chart::from_json(&chart)];
                let name = Path::new(NAME);
                let saved = chart::save(&charts, self.charts_dir, name, self.charts)?;
                chart::show(&saved)?;
            }
            InterpreterEvent::Error {
                name,
                value,
                traceback,
            } => {
                let text = match traceback.trim_end() {
                    "" => format!("{name}: {value}"),
                    traceback => traceback.to_owned(),
                };
                output::note(&text)?;
                return Ok(false);
            }
            InterpreterEvent::Ended { outcome, .. } => return show_end(&outcome),
            _ => {}
        }
        Ok(true)
    }
}

/// Prints how a program ended, unless that was shown already; returns whether it ended well.
fn show_end(outcome: &InterpreterOutcome) -> Result<bool, CliError> {
    match outcome {
        InterpreterOutcome::Interrupted => {}
        InterpreterOutcome::TimedOut => output::note("error: the time limit ran out")?,
        InterpreterOutcome::WorkerEnded { reason } => output::note(&format!(
            "error: the interpreter has ended, and its state is lost: {reason}"
        ))?,
        _ => return Ok(true),
    }
    Ok(false)
}

/// What of a language shows where a program ends.
#[derive(Debug)]
struct Syntax {
    comment: &'static str,
    /// Quotes that may hold several lines. In front of those that are part of them.
    long_quotes: &'static [&'static str],
    /// Whether a colon begins a block.
    has_blocks: bool,
}

const PYTHON: Syntax = Syntax {
    comment: "#",
    long_quotes: &["\"\"\"", "'''"],
    has_blocks: true,
};

const JAVASCRIPT: Syntax = Syntax {
    comment: "//",
    long_quotes: &["`"],
    has_blocks: false,
};

/// Whether more lines belong to what was typed: a block goes to its empty line, and brackets, long quotes and a backslash
/// to their ends. The interpreter has the last word.
fn goes_on(code: &str, syntax: &Syntax) -> bool {
    let (depth, is_quoted) = open_ends(code, syntax);
    if depth > 0 || is_quoted {
        return true;
    }
    if !syntax.has_blocks {
        return false;
    }
    let mut lines = code.lines().rev();
    let last = lines.next().unwrap_or_default();
    if last.trim().is_empty() {
        return false;
    }
    let begins_block = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        line.trim_end().ends_with(':') || line.starts_with('@')
    };
    let is_block = code.lines().any(begins_block);
    last.ends_with('\\') || is_block
}

/// How many brackets are open after `code`, and whether a long quote is.
fn open_ends(code: &str, syntax: &Syntax) -> (usize, bool) {
    let (mut depth, mut quote) = (0_usize, None::<&str>);
    let is_long = |quote: &str| syntax.long_quotes.contains(&quote);
    let mut rest = code;
    while let Some(next) = rest.chars().next() {
        let step = match quote {
            Some(end) if rest.starts_with(end) => {
                quote = None;
                end.len()
            }
            // A quote of one ends with its line, as an error of the user's.
            Some(end) if !is_long(end) && next == '\n' => {
                quote = None;
                1
            }
            Some(_) if next == '\\' => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            Some(_) => next.len_utf8(),
            None => match begun(rest, syntax) {
                Some(begin) => {
                    quote = Some(begin);
                    begin.len()
                }
                None if rest.starts_with(syntax.comment) => rest.find('\n').unwrap_or(rest.len()),
                None => {
                    match next {
                        '(' | '[' | '{' => depth += 1,
                        ')' | ']' | '}' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    next.len_utf8()
                }
            },
        };
        rest = &rest[step..];
    }
    (depth, quote.is_some_and(is_long))
}

/// The quote with which a text begins.
fn begun(text: &str, syntax: &Syntax) -> Option<&'static str> {
    let quotes = syntax.long_quotes.iter().chain(&["\"", "'"]);
    quotes.copied().find(|quote| text.starts_with(quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_go_to_their_empty_line() {
        for whole in [
            "1\n",
            "x = {'a': 1}\n",
            "print('a:(')\n",
            "# if x:\n",
            "'it\\'s ('\n",
            "if x:\n  pass\n\n",
            "x = (1,\n2)\n",
            "'''a\nb'''\n",
            "a = 'unfinished\n",
            "\n",
            "\u{e9} = '\u{1f600}'\n",
        ] {
            assert!(!goes_on(whole, &PYTHON), "{whole:?}");
        }
        for part in [
            "if x:\n",
            "if x:\n  pass\n",
            "f(1,\n",
            "x = [\n\n",
            "'''a\n\n",
            "@d\n",
            "if x: # c\n",
            "1 + \\\n",
        ] {
            assert!(goes_on(part, &PYTHON), "{part:?}");
        }
    }

    #[test]
    fn brackets_and_templates_go_to_their_ends() {
        for whole in [
            "1\n",
            "class A { #x = 1 }\n",
            "f('(') // (\n",
            "`a\nb`\n",
            "if (x) y:\n",
        ] {
            assert!(!goes_on(whole, &JAVASCRIPT), "{whole:?}");
        }
        for part in ["if (x) {\n", "f(1,\n", "`a\n", "({ a: [\n"] {
            assert!(goes_on(part, &JAVASCRIPT), "{part:?}");
        }
    }
}
