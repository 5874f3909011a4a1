//! The repository's own commands: `cargo xtask help` lists them.

#![forbid(unsafe_code)]

mod api;
mod attack;
mod bench;
mod codegen;
mod conformance;
mod demo;
mod dist;
mod fuzz;
mod instructions;
mod jobs;
mod leaks;
mod load;
mod npm;
mod programs;
mod python;
mod sdk;
mod sh;
mod suite;
mod system;
mod test;
mod tidy;
mod typescript;
mod web;

use std::process::ExitCode;

use lexopt::prelude::*;
use sh::Result;

const HELP: &str = include_str!("help.txt");

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            sh::complain(&format!("error: {error}"));
            match error.downcast_ref::<lexopt::Error>() {
                Some(_) => {
                    sh::complain("hint: `cargo xtask help` lists the commands");
                    ExitCode::from(2)
                }
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut arguments = lexopt::Parser::from_env();
    let command = match arguments.next()? {
        None | Some(Short('h') | Long("help")) => "help".to_owned(),
        Some(Value(command)) => command.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    let (mut values, mut check, mut write) = (Vec::new(), false, false);
    let mut steps = test::Wanted::default();
    let mut judged = conformance::Wanted::default();
    let mut attacks = attack::Wanted::default();
    let mut benches = bench::Wanted::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("check") if command == "codegen" => check = true,
            Long("write") if command == "api" => write = true,
            Long("list") if command == "test" => steps.list = true,
            Long("complete") if command == "test" => steps.complete = true,
            Long("missing") if command == "test" => steps.missing = true,
            Value(value) if command == "test" => steps.names.push(value.string()?),
            Long("long") if command == "attack" => attacks.long = true,
            Long("release") if command == "attack" => attacks.release = true,
            Value(value) if command == "attack" => attacks.names.push(value.string()?),
            Long("write") if command == "conformance" => judged.write = true,
            Long("token-file") if command == "conformance" => {
                judged.token_file = Some(arguments.value()?.into());
            }
            Value(value) if command == "conformance" && judged.url.is_none() => {
                judged.url = Some(value.string()?);
            }
            Short('h') | Long("help") => {
                sh::say(HELP);
                return Ok(ExitCode::SUCCESS);
            }
            Long("json") if command == "bench" => benches.form = bench::Form::Json,
            Long("write") if command == "bench" => benches.form = bench::Form::Page,
            Long("against") if command == "bench" => {
                benches.against = Some(arguments.value()?.string()?);
            }
            Long("token-file") if command == "bench" => {
                benches.token_file = Some(arguments.value()?.into());
            }
            Value(value) if command == "bench" => benches.names.push(value.string()?),
            Value(value) if command == "fuzz" && values.len() < 2 => {
                values.push(value.string()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    match command.as_str() {
        "help" => sh::say(HELP),
        "test" => return test::run(&steps),
        "demo" => demo::run()?,
        "dist" => dist::run()?,
        "web" => web::run()?,
        "tidy" => return tidy::run(),
        "api" => api::run(write)?,
        "codegen" => codegen::run(check)?,
        "conformance" => return conformance::run(&judged),
        "attack" => attack::run(&attacks)?,
        "bench" => bench::run(&benches)?,
        "fuzz" => fuzz::run(&values)?,
        _ => {
            let message = format!("there is no command `{command}`");
            return Err(lexopt::Error::Custom(message.into()).into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
