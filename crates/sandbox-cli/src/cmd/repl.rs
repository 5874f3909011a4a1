//! `sandbox repl`: an interpreter that remembers, line by line.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::sync::Arc;

use clap::Args;
use rustyline::error::ReadlineError;
use sandbox_logcodec::Channel;
use sandbox_transport::{InterpreterEvent, InterpreterOutcome, ProcessApi};
use sandbox_wire::ws::InterpreterRequest;

use crate::args::TargetArgs;
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::interrupt::{Interrupts, Step};
use crate::{output, target, terminal};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct ReplArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// Run in this context, which is there already [default: the one that every client shares]
    #[arg(long, value_name = "ID")]
    context: Option<String>,
}

type Api = Arc<dyn ProcessApi>;

/// Reads a program at a time: a line, or a block to its empty line. What comes from a file or a pipe is one program.
pub(crate) fn run(args: ReplArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let ReplArgs { target, context } = args;
    target::with_api(target, token, async |api| {
        if terminal::is_interactive() {
            return converse(&api, context).await;
        }
        let mut code = String::new();
        io::stdin()
            .read_to_string(&mut code)
            .map_err(CliError::Terminal)?;
        match evaluate(&api, context, code).await? {
            Ended::Well => Ok(Exit::SUCCESS),
            Ended::Badly => Ok(Exit::NO),
            Ended::Left(exit) => Ok(exit),
        }
    })
}

async fn converse(api: &Api, context: Option<String>) -> Result<Exit, CliError> {
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
                if goes_on(&code) {
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
        if let Ended::Left(exit) = evaluate(api, context.clone(), program).await? {
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

async fn evaluate(api: &Api, context: Option<String>, code: String) -> Result<Ended, CliError> {
    let request = InterpreterRequest {
        code,
        context_id: context.clone(),
        ..InterpreterRequest::default()
    };
    let mut events = api.interpret(request).await?;
    let mut interrupts = Interrupts::listen()?;
    let mut ended = Ended::Well;
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
            Some(Ok(InterpreterEvent::Output { channel, text, .. })) => match channel {
                Channel::Stdout => output::write(io::stdout(), &text),
                Channel::Stderr => output::write(io::stderr(), &text),
            },
            Some(Ok(InterpreterEvent::Error {
                name,
                value,
                traceback,
            })) => {
                ended = Ended::Badly;
                let text = match traceback.trim_end() {
                    "" => format!("{name}: {value}"),
                    traceback => traceback.to_owned(),
                };
                output::note(&text);
            }
            Some(Ok(InterpreterEvent::Ended { outcome })) => match outcome {
                InterpreterOutcome::Completed => {}
                InterpreterOutcome::Interrupted => ended = Ended::Badly,
                InterpreterOutcome::TimedOut => {
                    ended = Ended::Badly;
                    output::note("error: the time limit ran out");
                }
                InterpreterOutcome::WorkerEnded { reason } => {
                    ended = Ended::Badly;
                    output::note(&format!(
                        "error: the interpreter has ended, and what it knew is gone: {reason}"
                    ));
                }
                _ => {}
            },
            Some(Ok(_)) => {}
            // A program that is refused can be mended; a daemon that is gone cannot.
            Some(Err(error)) if error.status().is_some() => {
                output::note(&format!("error: {error}"));
                return Ok(Ended::Badly);
            }
            Some(Err(error)) => return Err(error.into()),
            None => {
                let _ = io::stdout().flush();
                return Ok(ended);
            }
        }
    }
}

/// Whether more lines belong to what was typed: a block goes to its empty line, and brackets, quotes of three and a
/// backslash to their ends. The interpreter has the last word.
fn goes_on(code: &str) -> bool {
    let (depth, is_quoted) = open_ends(code);
    if depth > 0 || is_quoted {
        return true;
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

/// How many brackets are open behind `code`, and whether a quote of three is.
fn open_ends(code: &str) -> (usize, bool) {
    let (mut depth, mut quote) = (0_usize, None::<&str>);
    let mut rest = code;
    while let Some(next) = rest.chars().next() {
        let step = match quote {
            Some(end) if rest.starts_with(end) => {
                quote = None;
                end.len()
            }
            // A quote of one ends with its line, as an error of the user's.
            Some(end) if end.len() == 1 && next == '\n' => {
                quote = None;
                1
            }
            Some(_) if next == '\\' => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            Some(_) => next.len_utf8(),
            None => match QUOTES.into_iter().find(|begin| rest.starts_with(begin)) {
                Some(begin) => {
                    quote = Some(begin);
                    begin.len()
                }
                None if next == '#' => rest.find('\n').unwrap_or(rest.len()),
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
    (depth, quote.is_some_and(|quote| quote.len() == 3))
}

/// The longer ones first.
const QUOTES: [&str; 4] = ["\"\"\"", "'''", "\"", "'"];

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
            assert!(!goes_on(whole), "{whole:?}");
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
            assert!(goes_on(part), "{part:?}");
        }
    }
}
