//! `sandbox run`.

use std::ffi::OsString;
use std::path::Path;

use sandbox_process::Language;

use crate::args::RunArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::progress::Progress;
use crate::{chart, input, output, target};

pub(crate) fn run(args: RunArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let code = input::read(&args.file)?;
    let language = language(args.language, &args.file)?;
    let RunArgs {
        target,
        limits,
        python,
        charts_dir,
        file,
        argv,
        ..
    } = args;
    target::with_process(target, token, python, async |process| {
        let mut run = process.code_run(code).language(language).split_output();
        for argument in argv {
            run = run.arg(argument);
        }
        if let Some(timeout) = limits.timeout {
            run = run.timeout(timeout);
        }
        for (name, value) in limits.env {
            run = run.env(name, value);
        }
        let what = format!("{} runs", file.display());
        let run = Progress::while_waiting(&what, limits.format.json, run.into_future());
        let response = run.await?;
        let charts = chart::save(&response.artifacts.charts, &charts_dir, &file, 1)?;
        if limits.format.json {
            output::show_json(&response, Some(chart::to_json(&charts)))?;
        } else {
            output::show(&response)?;
            chart::show(&charts)?;
        }
        Ok(Exit::of(&response))
    })
}

/// The language that is named, or that the file's extension stands for.
fn language(named: Option<Language>, path: &Path) -> Result<Language, CliError> {
    if let Some(named) = named {
        return Ok(named);
    }
    let unknown = || CliError::Language {
        path: path.to_owned(),
    };
    match path.extension() {
        None if path == Path::new(input::STDIN) => Ok(Language::Python),
        None => Err(unknown()),
        Some(extension) => match extension.to_str().unwrap_or_default() {
            "py" => Ok(Language::Python),
            "js" | "mjs" | "cjs" => Ok(Language::JavaScript),
            "ts" | "mts" | "cts" => Ok(Language::TypeScript),
            "sh" => Ok(Language::Bash),
            "rb" => Ok(Language::Ruby),
            "R" => Ok(Language::R),
            name => name.parse().map_err(|_| unknown()),
        },
    }
}
