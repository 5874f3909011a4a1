//! Shell sessions, with a shell that the test plays.

use std::time::Duration;

use sandbox_engine::limits::{LOST_LOOK, LOST_LOOKS};
use sandbox_engine::record::Piece;
use sandbox_engine::{
    Command, CommandOptions, CommandState, Engine, Session, SessionEnd, SessionOptions, Signal,
    SignalError, Termination,
};

use super::shell::Shell;
use super::{Causes, Choices, EXITED, Fate, Open, Stage, Waiters, explore, settle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    Settle,
    /// A third command is given.
    Command,
    /// The shell reads its command, opens the outputs and reports that it has begun.
    Begin,
    Output,
    /// The shell reports the end of its command.
    Report,
    /// The shell reports that it cannot open the outputs.
    Broken,
    /// The shell reads on without having reported.
    Loss,
    /// The shell reads on and executes nothing, and ends when its script does.
    Silence,
    /// The same, and it does not end.
    Hang,
    /// The shell ends.
    Exit,
    Signal,
    /// The first command is killed, and its shell goes on as long as it likes.
    Kill,
    TimeLimit,
    Deletion,
    Shutdown,
    Failure,
}

/// How far the first command is when everything begins. The second one waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Given,
    Begun,
}

/// Their names are their texts, and the shell reports for each another status.
const COMMANDS: [(&str, u8); 3] = [("first", 7), ("second", 8), ("third", 9)];

/// What a shell ends by that the session has killed.
const KILLED: Termination = Termination::Signaled {
    signal: 9,
    core_dumped: false,
};

/// Of the first command.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_session_ends_once_in_every_order() {
    for start in [Start::Given, Start::Begun] {
        explore(2, async |choices| {
            choices.made.push(format!("{start:?}"));
            let mut world = World::new(start).await;
            world.run(choices).await;
            world.end().await;
        });
    }
}

/// A session with all that happened to it.
struct World {
    stage: Stage,
    engine: Engine,
    session: Session,
    shell: Shell,
    /// Whether the shell has not ended.
    is_alive: bool,
    commands: Vec<Command>,
    /// Those that the shell has read, begun, and reported the end of.
    read: Vec<usize>,
    begun: Vec<usize>,
    reported: Vec<usize>,
    waiters: Waiters,
    happened: Vec<Happening>,
    /// Whether the session's task has seen something that ends it: what its shell does after that is of no account.
    is_over: bool,
    /// Of the end of the first command.
    causes: Causes<Happening>,
    written: u64,
}

impl World {
    async fn new(start: Start) -> Self {
        let stage = Stage::default();
        let engine = Engine::builder().spawner(stage.clone()).shell("/played/sh");
        let engine = engine.cold().build().unwrap();
        let create = tokio::spawn({
            let engine = engine.clone();
            async move {
                engine
                    .sessions()
                    .create("s", SessionOptions::default())
                    .await
            }
        });
        settle().await;
        let shell = Shell::begin(&stage);
        let session = create.await.unwrap().unwrap();
        let mut world = Self {
            stage,
            engine,
            session,
            shell,
            is_alive: true,
            commands: Vec::new(),
            read: Vec::new(),
            begun: Vec::new(),
            reported: Vec::new(),
            waiters: Waiters::default(),
            happened: Vec::new(),
            is_over: false,
            causes: Causes::new(),
            written: 0,
        };
        world.give();
        world.give();
        world.settle().await;
        if start == Start::Begun {
            world.begin();
            world.settle().await;
        }
        world
    }

    async fn run(&mut self, choices: &mut Choices) {
        use Happening::{
            Begin, Broken, Deletion, Exit, Failure, Hang, Kill, Loss, Output, Report, Settle,
            Shutdown, Silence, TimeLimit,
        };
        let mut left = vec![
            Output, Report, Loss, Exit, Kill, TimeLimit, Deletion, Shutdown, Failure,
        ];
        if self.begun.is_empty() {
            left.extend([
                Begin,
                Broken,
                Silence,
                Hang,
                Happening::Command,
                Happening::Signal,
            ]);
        }
        let mut open = Open::new(Settle, left);
        while let Some(happening) = open.next(choices, |_, happening| self.may(happening)) {
            self.happens(happening).await;
        }
    }

    fn may(&self, happening: Happening) -> bool {
        use Happening::{Begin, Broken, Exit, Failure, Hang, Loss, Output, Report, Silence};
        if matches!(happening, Exit | Failure) {
            return self.is_alive;
        }
        let of_the_shell = [Begin, Output, Report, Broken, Loss, Silence, Hang];
        if of_the_shell.contains(&happening) && (self.is_over || !self.is_alive) {
            return false;
        }
        let shell = &self.shell;
        let current = self.current();
        let has_begun = current.is_some_and(|current| self.begun.contains(&current));
        match happening {
            Begin | Broken => shell.has_unread(),
            Report => shell.has_unread() || has_begun,
            Output => has_begun && shell.has_outputs(),
            _ => true,
        }
    }

    /// Returns the command that the shell has read, if it has not reported its end.
    fn current(&self) -> Option<usize> {
        let newest = *self.read.last()?;
        (!self.reported.contains(&newest)).then_some(newest)
    }

    async fn happens(&mut self, happening: Happening) {
        use Happening::{
            Begin, Broken, Deletion, Exit, Failure, Hang, Kill, Loss, Output, Report, Settle,
            Shutdown, Silence, TimeLimit,
        };
        if matches!(happening, Loss | Silence | Hang | TimeLimit) {
            // It takes time, so whatever else has happened was first.
            self.settle().await;
        }
        self.happened.push(happening);
        match happening {
            Settle => self.settle().await,
            Happening::Command => self.give(),
            Begin => self.begin(),
            Output => self.write(),
            Report => self.report(),
            Broken => {
                self.read();
                self.shell.report(&[("broken", 0)]);
                self.causes.add(Broken);
            }
            Loss | Silence | Hang => {
                self.causes.add(happening);
                self.go_on(happening).await;
            }
            Exit => {
                self.ends(Fate::Exit(EXITED));
                self.causes.add(Exit);
            }
            TimeLimit => {
                // A little longer, so that its task has seen it.
                tokio::time::sleep(LIMIT + Duration::from_millis(10)).await;
                self.causes.add(TimeLimit);
                self.settle().await;
            }
            Failure => {
                self.ends(Fate::Fail);
                self.causes.add(Failure);
            }
            Happening::Signal | Kill | Deletion | Shutdown => self.ask(happening),
        }
    }

    /// A client asks for something, and waits for it.
    fn ask(&mut self, what: Happening) {
        let engine = self.engine.clone();
        let command = self.commands[0].clone();
        match what {
            Happening::Signal => {
                self.waiters.add("a signal", signal(command, Signal::TERM));
                return;
            }
            Happening::Kill => self.waiters.add("a signal", signal(command, Signal::KILL)),
            Happening::Deletion => self.waiters.add("a deletion", async move {
                engine.sessions().delete("s").await;
            }),
            Happening::Shutdown => self
                .waiters
                .add("a shutdown", async move { engine.shutdown().await }),
            _ => unreachable!("no client asks for it"),
        }
        self.causes.add(what);
    }

    async fn settle(&mut self) {
        use Happening::{Deletion, Exit, Failure, Hang, Shutdown, Silence};
        self.shell.settle().await;
        self.causes.settled();
        let ends = [Deletion, Exit, Failure, Hang, Shutdown, Silence];
        self.is_over |= self.happened.iter().any(|what| ends.contains(what));
    }

    /// Gives the session its next command.
    fn give(&mut self) {
        let (name, _) = COMMANDS[self.commands.len()];
        let options = CommandOptions {
            timeout: (name == "first").then_some(LIMIT),
            ..CommandOptions::default()
        };
        // Refused by a session that has ended.
        let Ok(command) = self.session.execute(name, options) else {
            assert!(self.session.ended().is_some());
            return;
        };
        self.commands.push(command.clone());
        self.waiters.add("a command", ended(command.clone()));
        self.waiters.add("a log", read(command));
    }

    /// The shell reads what the session has written to it.
    fn read(&mut self) {
        self.shell.read();
        if self.is_over {
            return;
        }
        for (number, command) in self.commands.iter().enumerate() {
            if self.shell.has_read(command.text()) && !self.read.contains(&number) {
                let before = &self.commands[..number];
                let is_first = before.iter().all(has_ended);
                assert!(is_first, "{} is run before its turn", command.text());
                self.read.push(number);
            }
        }
    }

    fn begin(&mut self) {
        self.read();
        let Some(current) = self.current() else {
            return;
        };
        self.shell.open_outputs();
        self.shell.report(&[("begun", 0)]);
        if !self.is_over {
            self.begun.push(current);
        }
    }

    fn write(&mut self) {
        let is_read = self.shell.write(b"output");
        let is_of_the_first = self.current() == Some(0);
        if is_read && is_of_the_first && self.causes.causes.is_empty() {
            self.written += 6;
        }
    }

    fn report(&mut self) {
        if self.shell.has_unread() {
            self.begin();
        }
        let Some(current) = self.current() else {
            return;
        };
        let status = COMMANDS[current].1;
        self.shell.report(&[("within", status), ("ended", status)]);
        self.reported.push(current);
        if current == 0 {
            self.causes.add(Happening::Report);
        }
    }

    fn ends(&mut self, fate: Fate) {
        self.stage.end(fate);
        self.shell.close_outputs();
        self.is_alive = false;
    }

    /// The shell reads on without a report, as long as it takes for the session to do all that it does about it.
    async fn go_on(&mut self, how: Happening) {
        for _ in 0..6 * LOST_LOOKS {
            tokio::time::sleep(LOST_LOOK).await;
            self.read();
            if how == Happening::Loss && self.shell.has_read(",alive,") {
                self.shell.report(&[("alive", 0)]);
                break;
            }
            if how == Happening::Silence && self.shell.is_at_end() {
                // As it was asked to.
                self.ends(Fate::Exit(Termination::Exited { code: 125 }));
                break;
            }
        }
        self.settle().await;
    }

    /// Has everything end, and checks what came of it.
    async fn end(mut self) {
        self.settle().await;
        if self.is_being_killed() {
            let ended = tokio::time::timeout(Duration::from_secs(60), self.commands[0].ended());
            let ended = ended.await.expect("a killed command ends");
            // Its shell goes on, and cannot be killed.
            assert!(matches!(ended, Termination::Lost { .. }), "{ended:?}");
        }
        self.happens(Happening::Deletion).await;
        self.settle().await;
        if self.is_alive && !self.happened.contains(&Happening::Hang) {
            self.ends(Fate::Exit(KILLED));
        }
        std::mem::take(&mut self.waiters).done().await;
        assert_eq!(self.engine.sessions().list().len(), 0);
        let end = self.session.ended().expect("the session has ended");
        let late = self.session.execute("late", CommandOptions::default());
        assert!(late.is_err());

        let states: Vec<_> = self.commands.iter().map(Command::state).collect();
        for (number, state) in states.iter().enumerate() {
            let CommandState::Ended(ended) = state else {
                panic!("{state:?}");
            };
            assert!(
                self.explains(number, ended, &end),
                "{}: {ended:?} in {end:?}",
                self.commands[number].text()
            );
        }
        self.check_first();
        self.check_released().await;
        for (command, state) in self.commands.iter().zip(states) {
            assert_eq!(command.state(), state, "a second result");
        }
    }

    /// Whether something that happened explains the end of a command: no status is made up.
    fn explains(&self, number: usize, ended: &Termination, end: &SessionEnd) -> bool {
        use Happening::{Broken, Exit, Failure, Hang, Kill, Loss, Silence, TimeLimit};
        let has = |these: &[Happening]| self.happened.iter().any(|what| these.contains(what));
        match ended {
            Termination::Exited { code } if *code == i32::from(COMMANDS[number].1) => {
                self.reported.contains(&number)
            }
            exited if *exited == EXITED => {
                let is_its_shells = *end
                    == SessionEnd::Shell {
                        termination: EXITED,
                    };
                has(&[Exit]) && self.read.contains(&number) && is_its_shells
            }
            Termination::Signaled { signal: 9, .. } => {
                *end == SessionEnd::Deleted && self.read.contains(&number)
            }
            Termination::TimedOut { limit } => number == 0 && *limit == LIMIT && has(&[TimeLimit]),
            Termination::Lost { .. } => has(&[Loss, Silence, Hang, Failure, Kill, TimeLimit]),
            Termination::NotStarted { .. } => !self.begun.contains(&number) || has(&[Broken]),
            _ => false,
        }
    }

    /// Checks the first command: what decided its end is known exactly.
    fn check_first(&self) {
        use Happening::{
            Broken, Deletion, Exit, Failure, Hang, Kill, Loss, Report, Shutdown, Silence, TimeLimit,
        };
        let CommandState::Ended(ended) = self.commands[0].state() else {
            unreachable!("it was checked");
        };
        let has_read = self.read.contains(&0);
        let is_lost = matches!(ended, Termination::Lost { .. });
        let is_not_started = matches!(ended, Termination::NotStarted { .. });
        let causes = &self.causes.causes;
        let is_right = match &causes[..] {
            _ if causes.contains(&Failure) => is_lost || is_not_started,
            // A report counts whatever else happens at the same time.
            _ if causes.contains(&Report) => ended == Termination::Exited { code: 7 },
            [Broken, ..] => is_not_started,
            [Exit] if has_read => ended == EXITED,
            [Deletion | Shutdown] if has_read => {
                matches!(ended, Termination::Signaled { signal: 9, .. })
            }
            [Exit | Deletion | Shutdown] => is_not_started,
            [Loss | Silence | Hang] => is_lost,
            // Its shell may end or report after all.
            [TimeLimit | Kill] => true,
            several => several.len() > 1,
        };
        assert!(is_right, "{ended:?} of {causes:?}");
        if !causes.contains(&Failure) {
            let length = self.commands[0].record().length();
            assert!(length >= self.written, "output is lost: {length}");
        }
    }

    /// Whether the first command is being killed, and nothing else has happened that could end it.
    fn is_being_killed(&self) -> bool {
        use Happening::{Begin, Command, Kill, Output, Settle, Signal, TimeLimit};
        let harmless = [Begin, Command, Kill, Output, Settle, Signal, TimeLimit];
        let may_end = |what: &Happening| !harmless.contains(what);
        let causes = &self.causes.causes;
        matches!(causes[..], [TimeLimit | Kill]) && !self.happened.iter().any(may_end)
    }

    /// Checks that nothing is left of the session: no descriptors, files or tasks.
    async fn check_released(&mut self) {
        eventually("its descriptors are closed", || self.shell.is_released()).await;
        self.shell.close_outputs();
        let (directory, _) = self.stage.arguments();
        assert!(!directory.exists(), "a directory is left");
        self.engine.shutdown().await;
        self.stage.clear();
        let tasks = tokio::runtime::Handle::current().metrics();
        eventually("its tasks end", || tasks.num_alive_tasks() == 0).await;
    }
}

/// Waits for what comes by itself, by the real clock: a process that another test starts has all descriptors until it is
/// executed.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        settle().await;
    }
}

fn has_ended(command: &Command) -> bool {
    matches!(command.state(), CommandState::Ended(_))
}

async fn ended(command: Command) {
    let ended = command.ended().await;
    assert_eq!(command.state(), CommandState::Ended(ended));
}

async fn read(command: Command) {
    let mut log = command.record().follow(0).unwrap();
    while let Some(piece) = log.next().await {
        assert!(matches!(piece, Piece::Data { .. }), "{piece:?}");
    }
    assert!(has_ended(&command), "a log ends before its command");
}

async fn signal(command: Command, signal: Signal) {
    let sent = command.signal(signal).await;
    let is_known = matches!(
        sent,
        Ok(()) | Err(SignalError::Ended | SignalError::Queued | SignalError::NoProcess)
    );
    assert!(is_known, "{sent:?}");
}
