//! `sandbox repl`: an interpreter that remembers, line by line.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rustyline::error::ReadlineError;
use sandbox_logcodec::Channel;
use sandbox_process::Chart;
use sandbox_transport::{InterpreterEvent, InterpreterOutcome, ProcessApi};
use sandbox_wire::rest::CreateContextRequest;
use sandbox_wire::ws::InterpreterRequest;
use serde_json::{Value, json};

use crate::args::TargetArgs;
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::interrupt::{Interrupts, Step};
use crate::{chart, output, target, terminal};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct ReplArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// Run in this context, which is there already [default: the one that every client shares]
    #[arg(long, value_name = "ID")]
    context: Option<String>,

    /// Run in a new context of this language, which ends with the conversation: javascript, typescript or python
    #[arg(long, value_name = "NAME", conflicts_with = "context")]
    language: Option<String>,

    /// Save charts here
    #[arg(long, value_name = "DIR", default_value = ".")]
    charts_dir: PathBuf,
}

type Api = Arc<dyn ProcessApi>;

/// Reads a program at a time: a line, or a block to its empty line. What comes from a file or a pipe is one program.
pub(crate) fn run(
    args: ReplArgs,
    is_json: bool,
    token: Option<OsString>,
) -> Result<Exit, CliError> {
    let ReplArgs {
        target,
        context,
        language,
        charts_dir,
    } = args;
    let seen = Seen {
        charts_dir,
        is_json,
        count: Cell::new(0),
    };
    target::with_api(target, token, async |api| {
        let Some(language) = language else {
            return begin(&api, context, &PYTHON, &seen).await;
        };
        let syntax = if language == "python" {
            &PYTHON
        } else {
            &JAVASCRIPT
        };
        let request = CreateContextRequest {
            language: Some(language),
            ..CreateContextRequest::default()
        };
        let made = api.create_context(request).await?;
        let ended = begin(&api, Some(made.id.clone()), syntax, &seen).await;
        api.delete_context(&made.id).await?;
        ended
    })
}

async fn begin(
    api: &Api,
    context: Option<String>,
    syntax: &Syntax,
    seen: &Seen,
) -> Result<Exit, CliError> {
    if terminal::is_interactive() && !seen.is_json {
        return converse(api, context, syntax, seen).await;
    }
    let mut code = String::new();
    io::stdin()
        .read_to_string(&mut code)
        .map_err(CliError::Terminal)?;
    match evaluate(api, context, code, seen).await? {
        Ended::Well => Ok(Exit::SUCCESS),
        Ended::Badly => Ok(Exit::NO),
        Ended::Left(exit) => Ok(exit),
    }
}

async fn converse(
    api: &Api,
    context: Option<String>,
    syntax: &Syntax,
    seen: &Seen,
) -> Result<Exit, CliError> {
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
                if goes_on(&code, syntax) {
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
        // An entry that cannot be kept is typed again.
        let _ = editor.add_history_entry(program.trim_end());
        if let Ended::Left(exit) = evaluate(api, context.clone(), program, seen).await? {
            return Ok(exit);
        }
    }
}

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Well,
    Badly,
    /// The user wants to leave.
    Left(Exit),
}

/// What is done with what a program shows.
#[derive(Debug)]
struct Seen {
    charts_dir: PathBuf,
    is_json: bool,
    /// Programs that have shown charts, by which the files are named.
    count: Cell<usize>,
}

/// What a program did, beside what it wrote on a terminal.
#[derive(Debug, Default)]
struct Told {
    stdout: String,
    stderr: String,
    value: Option<Value>,
    error: Option<Value>,
    charts: Vec<Chart>,
    outcome: &'static str,
}

async fn evaluate(
    api: &Api,
    context: Option<String>,
    code: String,
    seen: &Seen,
) -> Result<Ended, CliError> {
    let request = InterpreterRequest {
        code,
        context_id: context.clone(),
        ..InterpreterRequest::default()
    };
    let mut events = api.interpret(request).await?;
    let mut interrupts = Interrupts::listen()?;
    let mut told = Told::default();
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            step = interrupts.next() => match step {
                Step::Forward(_) => {
                    let id = context.as_deref().unwrap_or("default");
                    if let Err(error) = api.interrupt_context(id).await {
                        output::note(&format!("note: not interrupted: {error}"));
                    }
                    continue;
                }
                Step::Leave(exit) => return Ok(Ended::Left(exit)),
            },
        };
        match event {
            Some(Ok(event)) => told.take(event, seen.is_json),
            // A program that is refused can be mended; a daemon that is gone cannot.
            Some(Err(error)) if error.status().is_some() && !seen.is_json => {
                output::note(&format!("error: {error}"));
                return Ok(Ended::Badly);
            }
            Some(Err(error)) => return Err(error.into()),
            None => return told.finish(seen),
        }
    }
}

impl Told {
    /// Shows an event at once, or keeps it.
    fn take(&mut self, event: InterpreterEvent, is_json: bool) {
        match event {
            InterpreterEvent::Output { channel, text } => match channel {
                Channel::Stdout if is_json => self.stdout.push_str(&text),
                Channel::Stderr if is_json => self.stderr.push_str(&text),
                Channel::Stdout => output::write(io::stdout(), &text),
                Channel::Stderr => output::write(io::stderr(), &text),
            },
            InterpreterEvent::Display { text, data, .. } => {
                if !is_json {
                    output::write(io::stdout(), &format!("{}\n", text.trim_end()));
                }
                self.value = Some(json!({ "text": text, "data": data }));
            }
            InterpreterEvent::Chart { chart } => self.charts.push(Chart::from_json(&chart)),
            InterpreterEvent::Error {
                name,
                value,
                traceback,
            } => {
                if !is_json {
                    output::note(&match traceback.trim_end() {
                        "" => format!("{name}: {value}"),
                        traceback => traceback.to_owned(),
                    });
                }
                let error = json!({ "name": name, "value": value, "traceback": traceback });
                self.error = Some(error);
            }
            InterpreterEvent::Ended { outcome } => {
                self.outcome = match outcome {
                    InterpreterOutcome::Completed => "completed",
                    InterpreterOutcome::Interrupted => "interrupted",
                    InterpreterOutcome::TimedOut => {
                        output::note("error: the time limit ran out");
                        "timed_out"
                    }
                    InterpreterOutcome::WorkerEnded { reason } => {
                        output::note(&format!(
                            "error: the interpreter has ended, and what it knew is gone: {reason}"
                        ));
                        "worker_ended"
                    }
                    _ => "unknown",
                };
            }
            _ => {}
        }
    }

    /// Saves the charts, and tells what is left to tell.
    fn finish(self, seen: &Seen) -> Result<Ended, CliError> {
        let mut saved = Vec::new();
        if !self.charts.is_empty() {
            seen.count.set(seen.count.get() + 1);
            let name = format!("repl{}", seen.count.get());
            saved = chart::save(&self.charts, &seen.charts_dir, Path::new(&name))?;
        }
        let ended = match self.error.is_none() && self.outcome == "completed" {
            true => Ended::Well,
            false => Ended::Badly,
        };
        if seen.is_json {
            let object = json!({
                "outcome": self.outcome,
                "stdout": self.stdout,
                "stderr": self.stderr,
                "value": self.value,
                "error": self.error,
                "charts": chart::to_json(&saved),
            });
            output::line(&object.to_string());
        } else {
            chart::show(&saved);
            // A reader that has gone wants no more.
            let _ = io::stdout().flush();
        }
        Ok(ended)
    }
}

/// What of a language tells where a program ends.
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

/// How many brackets are open behind `code`, and whether a long quote is.
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
