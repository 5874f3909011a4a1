//! A carrier that notes what is asked for, and responds by script.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use sandbox_process::transport::{
    ApiFuture, CallOptions, CommandInfo, CommandInput, CommandOutput, ContextInfo, ContextRequest,
    ExecConnection, ExecRequest, ExecStreamRequest, InterpretRequest, InterpreterStream, LogSource,
    Outcome, PtyAttachRequest, PtyConnection, PtyInfo, PtyRequest, RunRequest, SessionInfo,
    SessionOutcome, SessionRequest,
};
use sandbox_process::{
    Delivery, Error, ErrorKind, EventStream, ExecControl, ExecEvent, InterpreterEvent, LogEvent,
    LogOptions, LogStream, ProcessApi, PtyControl, PtyEvent, PtySize, SessionExecuteRequest,
    Signal, Termination,
};
use tokio::sync::mpsc::Receiver;

/// The carrier; clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Answers>>,
}

/// Its responses. Streams are given away once.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) termination: Termination,
    pub(crate) runs_no_code: bool,
    pub(crate) exec: Vec<Result<ExecEvent, Error>>,
    /// Events of a command in place of `exec`, as they are sent.
    pub(crate) later: Option<Receiver<Result<ExecEvent, Error>>>,
    pub(crate) log: Vec<Result<LogEvent, Error>>,
    pub(crate) pty: Vec<Result<PtyEvent, Error>>,
    pub(crate) pty_offset: Option<u64>,
    pub(crate) interpreter: Vec<Result<InterpreterEvent, Error>>,
}

impl Answers {
    fn outcome(&self, text: &'static str) -> Outcome {
        Outcome {
            output: CommandOutput {
                combined: text.into(),
                ..CommandOutput::default()
            },
            termination: self.termination.clone(),
            ..Outcome::default()
        }
    }
}

impl Script {
    pub(crate) fn new(answers: Answers) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers)),
            ..Self::default()
        }
    }

    /// What was asked for since it was last asked.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("nobody panicked"))
    }

    fn answer<T: Send + 'static>(
        &self,
        question: fmt::Arguments<'_>,
        answer: impl FnOnce(&mut Answers) -> T,
    ) -> ApiFuture<'static, T> {
        self.asked
            .lock()
            .expect("nobody panicked")
            .push(question.to_string());
        Box::pin(ready(Ok(answer(
            &mut self.answers.lock().expect("nobody panicked"),
        ))))
    }
}

pub(crate) fn cut() -> Error {
    Error::new(ErrorKind::Closed, Delivery::Uncertain, "cut")
}

fn events<T: Send + 'static>(events: &mut Vec<Result<T, Error>>) -> EventStream<T> {
    EventStream::new(stream::iter(std::mem::take(events)))
}

fn terminal(id: &str) -> PtyInfo {
    PtyInfo {
        id: id.to_owned(),
        ..PtyInfo::default()
    }
}

fn session(id: &str, termination: &Termination) -> SessionInfo {
    let command = CommandInfo::new(String::new(), String::new(), termination.clone());
    SessionInfo {
        session_id: id.to_owned(),
        commands: vec![command],
        ..SessionInfo::default()
    }
}

impl ProcessApi for Script {
    fn with_options(&self, options: CallOptions) -> Arc<dyn ProcessApi> {
        let key = options.idempotency_key.unwrap_or_default();
        self.asked
            .lock()
            .expect("nobody panicked")
            .push(format!("options {key}"));
        Arc::new(self.clone())
    }

    fn version(&self) -> ApiFuture<'_, String> {
        self.answer(format_args!("version"), |_| "v1".to_owned())
    }

    fn execute(&self, request: ExecRequest) -> ApiFuture<'_, Outcome> {
        let ExecRequest {
            command,
            cwd,
            env,
            timeout,
            split_output,
            ..
        } = request;
        let question =
            format_args!("execute {command} {cwd:?} {env:?} {timeout:?} {split_output:?}");
        self.answer(question, |answers| answers.outcome("done"))
    }

    fn execute_stream(&self, request: ExecStreamRequest) -> ApiFuture<'_, ExecConnection> {
        let control = Arc::new(self.clone());
        let (command, input) = (request.request.command, request.input);
        let leash = if request.kill_on_drop { " killed" } else { "" };
        self.answer(format_args!("stream {command} {input}{leash}"), |answers| {
            ExecConnection {
                events: match answers.later.take() {
                    Some(mut later) => {
                        EventStream::new(stream::poll_fn(move |context| later.poll_recv(context)))
                    }
                    None => events(&mut answers.exec),
                },
                control,
                isolation_level: None,
                pid: None,
            }
        })
    }

    fn code_run(&self, request: RunRequest) -> ApiFuture<'_, Outcome> {
        if self.answers.lock().expect("nobody panicked").runs_no_code {
            let error = Error::new(ErrorKind::Unsupported, Delivery::NotSent, "too old");
            return Box::pin(ready(Err(error)));
        }
        let RunRequest {
            code,
            language,
            argv,
            env,
            ..
        } = request;
        let question = format_args!("code_run {language} {code} {argv:?} {env:?}");
        self.answer(question, |answers| answers.outcome(""))
    }

    fn create_session(&self, request: SessionRequest) -> ApiFuture<'_, ()> {
        let SessionRequest { id, .. } = request;
        self.answer(format_args!("create_session {id}"), |_| ())
    }

    fn list_sessions(&self) -> ApiFuture<'_, Vec<SessionInfo>> {
        self.answer(format_args!("list_sessions"), |answers| {
            vec![session("s", &answers.termination)]
        })
    }

    fn get_session<'a>(&'a self, id: &'a str) -> ApiFuture<'a, SessionInfo> {
        self.answer(format_args!("get_session {id}"), |answers| {
            session(id, &answers.termination)
        })
    }

    fn entrypoint_session(&self) -> ApiFuture<'_, SessionInfo> {
        self.answer(format_args!("entrypoint_session"), |answers| {
            session("entrypoint", &answers.termination)
        })
    }

    fn delete_session<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        self.answer(format_args!("delete_session {id}"), |_| ())
    }

    fn session_execute<'a>(
        &'a self,
        id: &'a str,
        request: SessionExecuteRequest,
    ) -> ApiFuture<'a, SessionOutcome> {
        let SessionExecuteRequest {
            command,
            run_async,
            suppress_input_echo,
            command_id,
            cwd,
            env,
            user,
            timeout,
        } = request;
        let own = (command_id, cwd, user, timeout, env);
        let own = if own == Default::default() {
            String::new()
        } else {
            format!(" {own:?}")
        };
        let question =
            format_args!("session_execute {id} {command} {run_async} {suppress_input_echo}{own}");
        self.answer(question, |answers| SessionOutcome {
            command_id: "c".to_owned(),
            termination: answers.termination.clone(),
            ..SessionOutcome::default()
        })
    }

    fn session_command<'a>(&'a self, id: &'a str, command: &'a str) -> ApiFuture<'a, CommandInfo> {
        self.answer(format_args!("session_command {id} {command}"), |answers| {
            session(id, &answers.termination).commands.remove(0)
        })
    }

    fn logs(&self, source: LogSource) -> ApiFuture<'_, CommandOutput> {
        self.answer(format_args!("logs {source:?}"), |_| {
            CommandOutput::default()
        })
    }

    fn follow_log(&self, source: LogSource, options: LogOptions) -> ApiFuture<'_, LogStream> {
        let question = format_args!(
            "follow_log {source:?} {} {}",
            options.offset, options.follow
        );
        self.answer(question, |answers| events(&mut answers.log))
    }

    fn session_input<'a>(
        &'a self,
        id: &'a str,
        command: &'a str,
        input: CommandInput,
    ) -> ApiFuture<'a, ()> {
        let CommandInput { data, is_line, eof } = input;
        self.answer(
            format_args!("session_input {id} {command} {data:?} {is_line} {eof}"),
            |_| (),
        )
    }

    fn session_signal<'a>(
        &'a self,
        id: &'a str,
        command: &'a str,
        signal: Signal,
    ) -> ApiFuture<'a, ()> {
        self.answer(
            format_args!("session_signal {id} {command} {signal}"),
            |_| (),
        )
    }

    fn create_pty(&self, request: PtyRequest) -> ApiFuture<'_, String> {
        let PtyRequest { id, cwd, .. } = request;
        self.answer(format_args!("create_pty {id} {cwd:?}"), |_| id.clone())
    }

    fn open_pty(&self, request: PtyRequest) -> ApiFuture<'_, PtyConnection> {
        let control = Arc::new(self.clone());
        let PtyRequest {
            id, cwd, env, size, ..
        } = request;
        let PtySize { rows, cols } = size.unwrap_or(PtySize { rows: 0, cols: 0 });
        let question = format_args!("open_pty {id} {cwd:?} {env:?} {rows} {cols}");
        self.answer(question, |answers| PtyConnection {
            id: id.clone(),
            offset: answers.pty_offset,
            events: events(&mut answers.pty),
            control,
        })
    }

    fn connect_pty(&self, request: PtyAttachRequest) -> ApiFuture<'_, PtyConnection> {
        let control = Arc::new(self.clone());
        let PtyAttachRequest {
            id,
            offset,
            read_only,
            ..
        } = request.clone();
        let question = format_args!("connect_pty {id} {offset:?} {read_only}");
        self.answer(question, |answers| PtyConnection {
            id: request.id.clone(),
            offset: answers.pty_offset,
            events: events(&mut answers.pty),
            control,
        })
    }

    fn list_ptys(&self) -> ApiFuture<'_, Vec<PtyInfo>> {
        self.answer(format_args!("list_ptys"), |_| vec![terminal("t")])
    }

    fn pty_info<'a>(&'a self, id: &'a str) -> ApiFuture<'a, PtyInfo> {
        self.answer(format_args!("pty_info {id}"), |_| terminal(id))
    }

    fn resize_pty<'a>(&'a self, id: &'a str, size: PtySize) -> ApiFuture<'a, PtyInfo> {
        let PtySize { cols, rows } = size;
        self.answer(format_args!("resize_pty {id} {rows} {cols}"), |_| {
            terminal(id)
        })
    }

    fn delete_pty<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        self.answer(format_args!("delete_pty {id}"), |_| ())
    }

    fn create_context(&self, request: ContextRequest) -> ApiFuture<'_, ContextInfo> {
        let ContextRequest { cwd, language, .. } = request;
        self.answer(format_args!("create_context {cwd:?} {language:?}"), |_| {
            ContextInfo {
                id: "c".to_owned(),
                ..ContextInfo::default()
            }
        })
    }

    fn list_contexts(&self) -> ApiFuture<'_, Vec<ContextInfo>> {
        self.answer(format_args!("list_contexts"), |_| Vec::new())
    }

    fn delete_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        self.answer(format_args!("delete_context {id}"), |_| ())
    }

    fn interrupt_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        self.answer(format_args!("interrupt_context {id}"), |_| ())
    }

    fn restart_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        self.answer(format_args!("restart_context {id}"), |_| ())
    }

    fn interpret(&self, request: InterpretRequest) -> ApiFuture<'_, InterpreterStream> {
        let InterpretRequest {
            code,
            context_id,
            timeout,
            env,
        } = request;
        let question = format_args!("interpret {code} {context_id:?} {timeout:?} {env:?}");
        self.answer(question, |answers| events(&mut answers.interpreter))
    }
}

impl ExecControl for Script {
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()> {
        self.answer(format_args!("write {bytes:?}"), |_| ())
    }

    fn close_input(&self) -> ApiFuture<'_, ()> {
        self.answer(format_args!("close_input"), |_| ())
    }

    fn signal(&self, signal: Signal) -> ApiFuture<'_, ()> {
        self.answer(format_args!("signal {signal}"), |_| ())
    }
}

impl PtyControl for Script {
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()> {
        self.answer(format_args!("type {bytes:?}"), |_| ())
    }
}
