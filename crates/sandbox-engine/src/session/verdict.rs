//! Interprets the reports of a session's shell, and missing reports, for the command that it was given.

use std::io::{self, Write};

use rustix::process::Signal;

use super::actor::Actor;
use super::dialect::Dialect;
use super::end::SessionEnd;
use super::filed::Filing;
use super::idle::Advice;
use super::report::{Ended, Report, Stage};
use super::running::{Progress, Running, Watched, kill};
use super::step::{Step, Writer};
use crate::termination::Termination;

impl Actor {
    /// Writes a command's lines, by the best way to the shell's builtins; returns their length in bytes.
    pub(super) fn write_step(&mut self, step: &Step, text: &str) -> io::Result<u64> {
        // For each try: a late report of the try before must not count for this one.
        self.control.renew();
        let route = self.routes.best();
        // The lines before the text meet the functions of earlier commands only; those after it
        // also the ones that the text may define.
        self.routes.learn(text);
        let writer = Writer {
            dialect: self.dialect,
            route,
            after: self.routes.best(),
            control: self.control.path(),
            nonce: self.control.nonce(),
        };
        let path = self.directory.lines_path();
        let filed = match self.filing {
            Filing::Failed => None,
            _ => writer.step_in_file(step, &path),
        };
        let filed = filed.filter(|(text, _)| self.directory.write_lines(text).is_ok());
        self.filing = match (&filed, self.filing) {
            (Some(_), _) => Filing::Used,
            (None, Filing::Failed) => Filing::Failed,
            (None, _) => Filing::Possible,
        };
        let lines = filed.map_or_else(|| writer.step(step), |(_, lines)| lines);
        self.write_script(&lines)?;
        Ok(lines.len() as u64)
    }

    pub(super) fn writer(&self) -> Writer<'_> {
        Writer {
            dialect: self.dialect,
            route: self.routes.best(),
            after: self.routes.best(),
            control: self.control.path(),
            nonce: self.control.nonce(),
        }
    }

    /// Returns how a watched command ended. If the session has ended, it is closed here: before the command's end can
    /// be seen, so that a client that sees it cannot give the session another command.
    pub(super) async fn conclude(
        &mut self,
        watched: Watched,
        unrun: bool,
        before: Ended,
    ) -> Termination {
        let (reported, end) = match watched {
            Watched::Reported(reported) => (Some(reported), None),
            Watched::Exited { ended, reported } => (reported, Some(SessionEnd::of_shell(ended))),
            Watched::Deleted { reported } => (reported, Some(SessionEnd::Deleted)),
            Watched::Lost(reason) => {
                self.last = before;
                let reason = reason.to_owned();
                return Termination::Lost { reason };
            }
            Watched::NotRun(reason) => {
                self.last = before;
                let reason = reason.to_owned();
                return Termination::NotStarted { reason };
            }
            Watched::Unable(ended) => {
                self.shared.close(SessionEnd::of_shell(ended));
                let reason = UNABLE.to_owned();
                return Termination::Lost { reason };
            }
            Watched::Broken(error) => {
                kill(self.pid);
                if let Err(error) = self.leader.killed().await {
                    tracing::error!(session = self.shared.id, %error, "a shell was lost");
                }
                let reason = error.to_string();
                self.shared.close(SessionEnd::of_shell(Err(error)));
                return Termination::Lost { reason };
            }
        };
        if let Some(end) = &end {
            self.shared.close(end.clone());
        }
        match (reported, end) {
            (Some(reported), _) => {
                let code = reported.status.into();
                self.last = reported;
                Termination::Exited { code }
            }
            (None, Some(end)) if unrun => Termination::NotStarted {
                reason: format!("the session has ended: {end}"),
            },
            (None, Some(SessionEnd::Shell { termination })) => termination,
            (None, Some(SessionEnd::Deleted) | None) => Termination::Signaled {
                signal: Signal::KILL.as_raw(),
                core_dumped: false,
            },
        }
    }

    /// Returns whether none of a command has run: the shell could not open its descriptors, or has not read it. A shell
    /// can end by itself between two commands.
    pub(super) fn is_unrun(&self, running: &Running) -> bool {
        if running.progress.is_broken {
            return true;
        }
        // A shell reads its script in order: while all bytes of the command are unread, it has
        // executed none of them.
        let script = self.script.as_ref();
        let left = script.and_then(|script| rustix::io::ioctl_fionread(script).ok());
        left.is_some_and(|left| left >= running.given)
    }

    /// Returns how a command ended whose shell has ended.
    pub(super) fn shell_ended(
        &mut self,
        ended: io::Result<Termination>,
        running: &mut Running,
    ) -> Watched {
        let reported = self.reported(running);
        let code = match &ended {
            Ok(Termination::Exited { code }) => Some(*code),
            _ => None,
        };
        // The shell was asked to exit because it did not report. One that executes nothing exits with a code of its
        // own, and one whose trap does not end is killed.
        let is_unable =
            code == Some(UNABLE_CODE) || !running.progress.has_begun || running.death.has_come();
        if self.script.is_none() && reported.is_none() && is_unable {
            return Watched::Unable(ended);
        }
        Watched::Exited { ended, reported }
    }

    /// Returns what the shell has already reported of the command: it may have finished and ended afterwards, and both
    /// may be seen at the same time.
    pub(super) fn reported(&mut self, running: &mut Running) -> Option<Ended> {
        while let Ok(Some(report)) = self.control.ready() {
            match report.stage {
                Stage::Begun => running.progress.has_begun = true,
                Stage::Within => running.progress.within = Some(report.ended),
                Stage::Ended => running.progress.ended = Some(report.ended),
                Stage::Broken => running.progress.is_broken = self.dialect != Dialect::Zsh,
                Stage::Function | Stage::Idle | Stage::Alive => {}
            }
        }
        let has_begun = running.progress.has_begun;
        running.left(self.dialect).filter(|_| has_begun)
    }

    /// Handles a report of the shell; returns the end of the command if the report contains it.
    pub(super) fn take_report(
        &mut self,
        report: Report,
        running: &mut Running,
        text: &str,
    ) -> Option<Watched> {
        let progress = &mut running.progress;
        match report.stage {
            Stage::Begun => {
                progress.has_begun = true;
                self.has_opened = true;
                // The shell has opened its own ends. These would hide the end of file now: that of
                // the outputs from this process, and that of the input from the command.
                running.stand_ins.clear();
            }
            Stage::Within => progress.within = Some(report.ended),
            Stage::Ended => progress.ended = Some(report.ended),
            Stage::Function => progress.debug_trap = Some(FUNCTION_TRAP.to_owned()),
            Stage::Idle => {
                progress.debug_trap = report
                    .ended
                    .debug_trap
                    .or_else(|| progress.debug_trap.take())
            }
            // In zsh a function in the place of `exec` looks the same.
            Stage::Broken if self.dialect == Dialect::Zsh => {}
            Stage::Broken => return Some(Watched::NotRun(BROKEN)),
            Stage::Alive => return Some(self.end_of(running)),
        }
        if report.stage != self.writer().last_stage() && report.stage != Stage::Broken {
            return None;
        }
        if running.progress.has_begun {
            return Some(self.end_of(running));
        }
        // The shell could not read the file, or a user's function stood in the place of a builtin: nothing has run.
        if self.filing == Filing::Used {
            self.filing = Filing::Failed;
        } else if !self.routes.fail() {
            let is_broken = report.stage == Stage::Broken;
            return Some(Watched::NotRun(if is_broken { BROKEN } else { HIDDEN }));
        }
        running.progress = Progress::default();
        match self.write_step(&running.step, text) {
            Ok(given) => {
                running.given = given;
                None
            }
            Err(error) => Some(Watched::Broken(error)),
        }
    }

    fn end_of(&self, running: &mut Running) -> Watched {
        let left = running.left(self.dialect);
        left.map_or(Watched::Lost(SILENT), Watched::Reported)
    }

    /// Asks the shell whether it has read on without reporting the end of its command.
    pub(super) fn look_for_loss(&mut self, running: &mut Running) -> io::Result<()> {
        match running.progress.idle.look(self.script.as_ref())? {
            Advice::Wait => Ok(()),
            Advice::Ping => self.write_script(&self.writer().ping()),
            Advice::Close => {
                // A shell that only cannot report exits by this line, one that executes nothing (`set -n`) at the end.
                let prefix = self.routes.best().prefix;
                self.write_script(&format!("{prefix}exit {UNABLE_CODE}\n"))?;
                self.script = None;
                Ok(())
            }
            Advice::Kill => running.death.of(self.pid),
        }
    }

    pub(super) fn write_script(&self, lines: &str) -> io::Result<()> {
        let mut script = self.script.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        script.write_all(lines.as_bytes())
    }
}

/// The command that enables zsh's `DEBUG` trap again if it is a function.
const FUNCTION_TRAP: &str = "enable -f TRAPDEBUG";

const BROKEN: &str = "the shell could not open the descriptors of the command";
const HIDDEN: &str = "functions with the names of builtins, disabled builtins, or a DEBUG trap under extdebug keep the shell from evaluating commands";
const SILENT: &str = "the shell went on without reporting how the command ended";
const UNABLE: &str = "the shell can no longer report how a command ends; it was ended";

/// The exit code of a shell that was asked to exit because it cannot report.
const UNABLE_CODE: i32 = 125;
