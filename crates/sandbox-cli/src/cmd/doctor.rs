//! `sandbox doctor`: what a sandbox can do.

use std::ffi::OsString;

use clap::Args;
use sandbox_process::{IsolationLevel, IsolationSupport, LimitSupport, Process};
use sandbox_provider::Local;
use serde_json::{Map, Value, json};

use crate::args::{FormatArgs, TargetArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::{output, target};

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Asks by what every daemon has: a shell command.
pub(crate) fn run(args: DoctorArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let is_here = args.target.is_here();
    target::with_process(args.target, token, None, async move |process| {
        let mut report = examine(&process).await?;
        if is_here {
            report.add_sandboxes(Local::examine().await);
        }
        if args.format.json {
            output::line(&report.to_json().to_string())?;
        } else {
            report.show()?;
        }
        Ok(Exit::SUCCESS)
    })
}

/// Findings in groups, each a name and what was found of it, if anything.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    groups: Vec<(String, Vec<Finding>)>,
}

type Finding = (String, Option<String>);

async fn examine(process: &Process) -> Result<Report, CliError> {
    let version = process.version().await?;
    let probed = process.exec(PROBE).await?;
    let mut report = Report::default();
    report.add("daemon", "version", Some(&version));
    let capabilities = process.api().capabilities().await?;
    report.add_isolation(capabilities.isolation);
    report.add_limits(&capabilities.limits);
    report.read(&probed.stdout_lossy());
    Ok(report)
}

impl Report {
    fn add(&mut self, group: &str, name: &str, found: Option<&str>) {
        let finding = (name.to_owned(), found.map(str::to_owned));
        match self.groups.iter_mut().find(|(known, _)| known == group) {
            Some((_, findings)) => findings.push(finding),
            None => self.groups.push((group.to_owned(), vec![finding])),
        }
    }

    /// Adds the levels of isolation: that which processes can have, or the step that fails and what would help.
    fn add_isolation(&mut self, support: Option<IsolationSupport>) {
        let Some(support) = support else {
            return self.add("isolation", "namespaces", None);
        };
        let group = "isolation";
        match &support.problem {
            None => self.add(group, "namespaces", Some("yes")),
            Some(problem) => {
                self.add(group, "namespaces", Some(&format!("no: {problem}")));
                self.add(group, "help", support.help.as_deref());
            }
        }
        for level in [IsolationLevel::Bwrap, IsolationLevel::Landlock] {
            let has_level = support.levels.contains(&level);
            let found = if has_level { "yes" } else { "no" };
            self.add(group, level.name(), Some(found));
        }
        let network = match &support.network_problem {
            None => "yes".to_owned(),
            Some(problem) => format!("no: {problem}"),
        };
        self.add(group, "network user", Some(&network));
        let default = if support.by_default {
            "namespaces"
        } else {
            "none"
        };
        self.add(group, "default", Some(default));
    }

    /// Adds what enforces each limit of a run, or why nothing does.
    fn add_limits(&mut self, limits: &[LimitSupport]) {
        for support in limits {
            let found = match (&support.mechanism, &support.problem) {
                (Some(mechanism), _) => mechanism.clone(),
                (None, Some(problem)) => format!("no: {problem}"),
                (None, None) => "no".to_owned(),
            };
            self.add("limits of runs", &support.limit.to_string(), Some(&found));
        }
    }

    /// Adds what sandboxes of `sandbox up` lack here, or why there can be none.
    fn add_sandboxes(&mut self, examined: Result<Vec<String>, sandbox_provider::Error>) {
        let group = "sandboxes";
        let lacks = match examined {
            Ok(warnings) => {
                self.add(group, "possible", Some("yes"));
                warnings
            }
            Err(error) => {
                self.add(group, "possible", Some("no"));
                vec![error.to_string()]
            }
        };
        match lacks.as_slice() {
            [] => {}
            lacks => self.add(group, "warning", Some(&lacks.join("; "))),
        }
    }

    /// Reads lines `group<TAB>name<TAB>what was found`; others are a program's that does not know its place.
    fn read(&mut self, probed: &str) {
        for line in probed.lines() {
            let mut parts = line.splitn(3, '\t');
            if let (Some(group), Some(name), Some(found)) =
                (parts.next(), parts.next(), parts.next())
            {
                let found = found.trim();
                self.add(group, name, (!found.is_empty()).then_some(found));
            }
        }
    }

    fn show(&self) -> Result<(), CliError> {
        for (group, findings) in &self.groups {
            output::line(group)?;
            for (name, found) in findings {
                let found = found.as_deref().unwrap_or("-");
                output::line(&format!("  {name:<12} {found}"))?;
            }
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let group = |(name, findings): &(String, Vec<Finding>)| {
            let findings = findings
                .iter()
                .map(|(name, found)| (name.clone(), json!(found)));
            (name.clone(), Value::Object(findings.collect()))
        };
        Value::Object(self.groups.iter().map(group).collect::<Map<_, _>>())
    }
}

/// Lists what there is, in any POSIX shell and in zsh, where `path` is special. What is missing has nothing after the second tab.
const PROBE: &str = r#"
say() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }
first() { "$@" 2>&1 </dev/null | head -n 1; }
say system kernel "$(uname -sr 2>/dev/null)"
say system machine "$(uname -m 2>/dev/null)"
say system name "$(. /etc/os-release 2>/dev/null && printf %s "$PRETTY_NAME")"
say system user "$(id -un 2>/dev/null || id -u)"
say system processors "$(getconf _NPROCESSORS_ONLN 2>/dev/null)"
say system memory "$(awk '/^MemTotal/ {printf "%d MiB", $2 / 1024}' /proc/meminfo 2>/dev/null)"
say shells "in use" "$(readlink "/proc/$$/exe" 2>/dev/null)"
for shell in bash dash zsh busybox; do
  say shells "$shell" "$(command -v "$shell")"
done
for runtime in python3 node deno bun ruby Rscript; do
  at=$(command -v "$runtime") && say runtimes "$runtime" "$at, $(first "$at" --version)" || say runtimes "$runtime" ''
done
for package in numpy matplotlib; do
  say python "$package" "$(python3 -c "from importlib.metadata import version; print(version('$package'))" 2>/dev/null || echo "- (python3 -m pip install $package)")"
done
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  say limits cgroups "version 2"
elif [ -d /sys/fs/cgroup/memory ]; then
  say limits cgroups "version 1"
else
  say limits cgroups ''
fi
say limits memory "$(cat /sys/fs/cgroup/memory.max 2>/dev/null || awk '{print ($1 > 2^60 ? "max" : $1)}' /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null)"
say limits files "$(ulimit -n)"
say limits processes "$(ulimit -u 2>/dev/null || awk '/^Max processes/ {print $3}' /proc/self/limits)"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sandboxes_lack_is_reported() {
        let mut report = Report::default();
        report.add_sandboxes(Ok(vec!["a".to_owned(), "b".to_owned()]));
        let expect = json!({"sandboxes": {"possible": "yes", "warning": "a; b"}});
        assert_eq!(report.to_json(), expect);
        let mut report = Report::default();
        report.add_sandboxes(Ok(Vec::new()));
        assert_eq!(report.to_json(), json!({"sandboxes": {"possible": "yes"}}));
    }

    #[test]
    fn findings_are_grouped() {
        let mut report = Report::default();
        report.read("a\tx\t1\nnoise\na\ty\t\nb\tz\tt\tu\n");
        let finding = |name: &str, found: Option<&str>| (name.to_owned(), found.map(str::to_owned));
        let expect = vec![
            (
                "a".to_owned(),
                vec![finding("x", Some("1")), finding("y", None)],
            ),
            ("b".to_owned(), vec![finding("z", Some("t\tu"))]),
        ];
        assert_eq!(report.groups, expect);
        assert_eq!(
            report.to_json(),
            json!({"a": {"x": "1", "y": null}, "b": {"z": "t\tu"}})
        );
    }
}
