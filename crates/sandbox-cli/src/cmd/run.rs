//! `sandbox run`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use sandbox_process::Language;

use crate::args::{IsolationArgs, LimitArgs, ResourceArgs, TargetArgs, limit, one_of};
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::progress::Progress;
use crate::{chart, input, output, target};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) resources: ResourceArgs,

    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,

    /// The language [default: by the file's extension, else python]
    #[arg(long, value_name = "NAME", value_parser = one_of(Language::ALL))]
    pub(crate) language: Option<Language>,

    /// The interpreter of Python code, where the sandbox is this machine
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    pub(crate) python: Option<PathBuf>,

    /// Save charts here
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) charts_dir: PathBuf,

    /// The program's file; - reads it from standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The program's arguments
    #[arg(
        value_name = "ARGUMENT",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) argv: Vec<String>,
}

pub(crate) fn run(args: RunArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let code = input::read(&args.file)?;
    let language = language(args.language, &args.file)?;
    let RunArgs {
        target,
        limits,
        resources,
        isolation,
        python,
        charts_dir,
        file,
        argv,
        ..
    } = args;
    target::with_process(target, token, python, async |process| {
        let mut run = process
            .code_run(code)
            .language(language)
            .args(argv)
            .envs(limits.env);
        run = limit!(run, resources);
        if let Some(timeout) = limits.timeout {
            run = run.timeout(timeout);
        }
        if let Some(isolation) = isolation.isolation() {
            run = run.isolation(isolation);
        }
        let what = format!("{} runs", file.display());
        let run = Progress::while_waiting(&what, limits.format.json, run.into_future());
        let outcome = run.await?;
        let charts = chart::save(&outcome.charts, &charts_dir, &file, 1)?;
        if limits.format.json {
            output::show_json(&outcome, Some(chart::to_json(&charts)))?;
        } else {
            output::show(&outcome)?;
            chart::show(&charts)?;
        }
        Ok(Exit::of(&outcome))
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
