//! `sandbox run`.

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;

use sandbox_process::Language;

use crate::args::RunArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{chart, output, target};

pub(crate) fn run(args: RunArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let code = read(&args.file)?;
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
        let response = run.await?;
        let charts = chart::save(&response.artifacts.charts, &charts_dir, &file)?;
        if limits.json {
            output::show_json(&response, Some(chart::to_json(&charts)));
        } else {
            output::show(&response);
            chart::show(&charts);
        }
        Ok(Exit::of(&response))
    })
}

fn read(path: &Path) -> Result<String, CliError> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|source| CliError::Read {
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| CliError::NotText {
        path: path.to_owned(),
    })
}

fn language(named: Option<&str>, path: &Path) -> Result<Language, CliError> {
    match named.or_else(|| path.extension()?.to_str()) {
        Some("python" | "py") => Ok(Language::Python),
        Some("javascript" | "js" | "mjs" | "cjs") => Ok(Language::JavaScript),
        Some("typescript" | "ts" | "mts" | "cts") => Ok(Language::TypeScript),
        None if path == Path::new("-") => Ok(Language::Python),
        _ => Err(CliError::Language {
            path: path.to_owned(),
        }),
    }
}
