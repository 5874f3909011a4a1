//! The repository's own commands: `cargo xtask help` lists them.

#![forbid(unsafe_code)]

mod attack;
mod bench;
mod codegen;
mod conformance;
mod demo;
mod fuzz;
mod jobs;
mod leaks;
mod load;
mod python;
mod sdk;
mod sh;
mod suite;
mod system;
mod test;
mod tidy;
mod typescript;

use std::process::ExitCode;

use lexopt::prelude::*;

use sh::Result;

const HELP: &str = "\
The repository's own commands.

Usage: cargo xtask COMMAND

  test [STEP...]        everything that must hold: formatting, lints, tidy, tests, docs, official SDKs;
                        installs what it needs beyond Rust; with names, only the steps that begin so
  demo                  runs a program that draws a chart in an embedded sandbox, and saves the picture
  tidy                  checks the rules of the tree that the compiler does not: layers, sizes, limits, words
  codegen [--check]     writes the generated files again; --check only compares
  conformance [URL] [--token-file FILE] [--write]
                        official SDKs and recorded exchanges judge the daemon of this checkout, or the one at
                        URL, and a table tells the result; --write writes docs/COMPATIBILITY.md from it
  attack [NAME...] [--long] [--release]
                        attacks the daemon of this checkout, each attack on a promise of SECURITY.md; --long: minutes
  bench [NAME...]       what things cost beside what they cost bare; with names, only the benches that begin so
  fuzz [TARGET] [SECS]  fuzzes one target, or each in turn, for SECS seconds (10)
  help                  this text

Exit codes: 0 all is well, 1 something failed, 2 the command line is wrong.
";

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
    let (mut values, mut check) = (Vec::new(), false);
    let mut judged = conformance::Wanted::default();
    let mut attacks = attack::Wanted::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("check") if command == "codegen" => check = true,
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
            Value(value)
                if command == "test"
                    || command == "bench"
                    || (command == "fuzz" && values.len() < 2) =>
            {
                values.push(value.string()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    match command.as_str() {
        "help" => sh::say(HELP),
        "test" => return test::run(&values),
        "demo" => demo::run()?,
        "tidy" => return tidy::run(),
        "codegen" => codegen::run(check)?,
        "conformance" => return conformance::run(&judged),
        "attack" => attack::run(&attacks)?,
        "bench" => bench::run(&values)?,
        "fuzz" => fuzz::run(&values)?,
        _ => {
            let message = format!("there is no command `{command}`");
            return Err(lexopt::Error::Custom(message.into()).into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
