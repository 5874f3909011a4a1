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
    let language = language(args.language.as_deref(), &args.file)?;
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

fn language(named: Option<&str>, path: &Path) -> Result<Language, CliError> {
    match named.or_else(|| path.extension()?.to_str()) {
        Some("python" | "py") => Ok(Language::Python),
        Some("javascript" | "js" | "mjs" | "cjs") => Ok(Language::JavaScript),
        Some("typescript" | "ts" | "mts" | "cts") => Ok(Language::TypeScript),
        Some("bash" | "sh") => Ok(Language::Bash),
        Some("ruby" | "rb") => Ok(Language::Ruby),
        Some("r" | "R") => Ok(Language::R),
        Some("deno") => Ok(Language::Deno),
        Some("bun") => Ok(Language::Bun),
        None if path == Path::new(input::STDIN) => Ok(Language::Python),
        _ => Err(CliError::Language {
            path: path.to_owned(),
        }),
    }
}
