//! The commands of a session; of those that have ended, a bounded number.

use std::borrow::Borrow;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use thiserror::Error;

use crate::command::{Command, CommandState};
use crate::limits::{FINISHED_COMMAND_BYTES, FINISHED_COMMANDS, FORGOTTEN_COMMANDS};

/// Why a session has no command with an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoCommand {
    /// The session never had a command with this id.
    #[error("no such command")]
    Unknown,
    /// The command ended long ago: a session retains the last [`FINISHED_COMMANDS`] that it was given, and of these at
    /// most [`FINISHED_COMMAND_BYTES`] of text.
    #[error(
        "the command has ended and was forgotten: a session retains the last {limit} that have ended",
        limit = FINISHED_COMMANDS
    )]
    Forgotten,
}

/// The commands of a session in the order in which they were given, found by their ids.
#[derive(Debug, Default)]
pub(super) struct Commands {
    list: VecDeque<Command>,
    ids: HashSet<ById>,
    /// How many of the list have ended, and the bytes of their ids and texts.
    finished: usize,
    finished_bytes: usize,
    /// The number of commands that were removed from the list.
    forgotten: u64,
    /// The ids that were removed last, the newest at the end: only their hashes, since they only improve an error
    /// message.
    forgotten_ids: VecDeque<u64>,
    hasher: RandomState,
}

impl Commands {
    pub(super) fn list(&self) -> Vec<Command> {
        self.list.iter().cloned().collect()
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn find(&self, id: &str) -> Result<&Command, NoCommand> {
        if let Some(ById(command)) = self.ids.get(id) {
            return Ok(command);
        }
        let hash = self.hasher.hash_one(id);
        if self.forgotten_ids.contains(&hash) {
            Err(NoCommand::Forgotten)
        } else {
            Err(NoCommand::Unknown)
        }
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    pub(super) fn push(&mut self, command: Command) {
        self.ids.insert(ById(command.clone()));
        self.list.push_back(command);
    }

    /// Records that a command ends now, and removes the oldest ones beyond the bounds; never this one, nor one that has
    /// not ended.
    pub(super) fn finish(&mut self, command: &Command) {
        self.finished += 1;
        self.finished_bytes += bytes(command);
        while self.finished > FINISHED_COMMANDS || self.finished_bytes > FINISHED_COMMAND_BYTES {
            let mut list = self.list.iter();
            // This command is the first only if those after it ended without having run.
            let Some(at) = list.position(|oldest| oldest.id() != command.id()) else {
                return;
            };
            // The session is closed while this one runs, and those that waited after it end first:
            // the bounds hold again when it has ended.
            if !matches!(self.list[at].state(), CommandState::Ended(_)) {
                return;
            }
            let Some(oldest) = self.list.remove(at) else {
                return;
            };
            self.ids.remove(oldest.id());
            self.finished -= 1;
            self.finished_bytes -= bytes(&oldest);
            self.forgotten += 1;
            if self.forgotten_ids.len() == FORGOTTEN_COMMANDS {
                self.forgotten_ids.pop_front();
            }
            self.forgotten_ids
                .push_back(self.hasher.hash_one(oldest.id()));
        }
    }
}

fn bytes(command: &Command) -> usize {
    command.id().len() + command.text().len()
}

/// A command in a set of ids.
#[derive(Debug)]
struct ById(Command);

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::command::{CommandEnd, InputMode};
    use crate::record::Store;
    use crate::state::State;
    use crate::tag::Instance;
    use crate::termination::Termination;

    struct Given {
        commands: Commands,
        records: Store,
        number: usize,
    }

    impl Given {
        fn new() -> Self {
            Self {
                commands: Commands::default(),
                records: Store::new(State::temporary(Instance::draw()), None),
                number: 0,
            }
        }

        fn give(&mut self, text: &str) -> CommandEnd {
            let (requests, _) = mpsc::channel(1);
            let (id, text) = (self.number.to_string(), text.to_owned());
            let record = self.records.record();
            let command = Command::new(id, text, record, InputMode::Empty, requests);
            self.number += 1;
            self.commands.push(command.clone());
            CommandEnd::of(command)
        }

        fn end(&mut self, end: CommandEnd) {
            self.commands.finish(end.command());
            end.set(Termination::Exited { code: 0 });
        }

        fn run(&mut self, text: &str) {
            let end = self.give(text);
            self.end(end);
        }

        fn find(&self, id: usize) -> Result<(), NoCommand> {
            self.commands.find(&id.to_string()).map(drop)
        }
    }

    #[test]
    fn the_oldest_finished_commands_are_forgotten() {
        let mut given = Given::new();
        for _ in 0..FINISHED_COMMANDS + 3 {
            given.run("true");
        }
        assert_eq!(given.commands.list().len(), FINISHED_COMMANDS);
        assert_eq!(given.commands.forgotten(), 3);
        assert_eq!(given.commands.list()[0].id(), "3");
        assert_eq!(given.find(2), Err(NoCommand::Forgotten));
        assert_eq!(given.find(3), Ok(()));
        assert_eq!(given.commands.find("x").unwrap_err(), NoCommand::Unknown);
    }

    #[test]
    fn what_has_not_ended_is_not_forgotten() {
        let mut given = Given::new();
        let running = given.give("sleep 60");
        for _ in 0..FINISHED_COMMANDS + 3 {
            given.run("true");
        }
        assert_eq!(given.find(0), Ok(()));
        assert_eq!(given.commands.forgotten(), 0);
        given.end(running);
        assert_eq!(given.commands.list().len(), FINISHED_COMMANDS);
        assert_eq!(given.commands.forgotten(), 4);
    }

    #[test]
    fn long_texts_are_forgotten_sooner() {
        let mut given = Given::new();
        let long = "x".repeat(FINISHED_COMMAND_BYTES / 4);
        for _ in 0..5 {
            given.run(&long);
        }
        assert_eq!(given.commands.list().len(), 3);
        // A command over the limit is still in the list when it has just ended, alone.
        given.run(&"x".repeat(FINISHED_COMMAND_BYTES));
        assert_eq!(given.commands.list().len(), 1);
        given.run("true");
        assert_eq!(given.commands.list().len(), 1);
        assert_eq!(given.commands.finished_bytes, "6true".len());
    }

    #[test]
    fn forgotten_ids_are_remembered_for_a_while() {
        let mut given = Given::new();
        for _ in 0..FORGOTTEN_COMMANDS + FINISHED_COMMANDS + 1 {
            given.run("true");
        }
        assert_eq!(given.find(0), Err(NoCommand::Unknown));
        assert_eq!(given.find(1), Err(NoCommand::Forgotten));
        assert_eq!(given.commands.forgotten_ids.len(), FORGOTTEN_COMMANDS);
    }
}
