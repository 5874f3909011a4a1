//! A carrier that notes what is asked for, and answers by script.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use sandbox_process::transport::{
    ApiFuture, CallOptions, ExecConnection, ExecStreamRequest, LogSource, PtyConnection,
};
use sandbox_process::wire::rest::{
    CodeRunRequest, CodeRunResponse, CreateContextRequest, ExecuteRequest, ExecuteResponse,
    InterpreterContext, PtyCreateRequest, PtyResizeRequest, PtySessionInfo, Session,
    SessionCommand, SessionCommandLogsResponse, SessionExecuteRequest, SessionExecuteResponse,
    SignalSpec, Version,
};
use sandbox_process::wire::ws::InterpreterRequest;
use sandbox_process::{
    CommandInput, Delivery, Error, ErrorKind, EventStream, ExecControl, ExecEvent,
    InterpreterEvent, InterpreterStream, LogEvent, LogOptions, LogStream, ProcessApi,
    PtyAttachRequest, PtyControl, PtyEvent,
};

/// The carrier; clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Answers>>,
}

/// What it answers with. Streams are given away once.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) exit_code: Option<i32>,
    pub(crate) runs_no_code: bool,
    pub(crate) exec: Vec<Result<ExecEvent, Error>>,
    pub(crate) log: Vec<Result<LogEvent, Error>>,
    pub(crate) pty: Vec<Result<PtyEvent, Error>>,
    pub(crate) pty_offset: Option<u64>,
    pub(crate) interpreter: Vec<Result<InterpreterEvent, Error>>,
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

fn terminal(id: &str) -> PtySessionInfo {
    PtySessionInfo {
        id: id.to_owned(),
        ..PtySessionInfo::default()
    }
}

fn session(id: &str, exit_code: Option<i32>) -> Session {
    let command = SessionCommand {
        exit_code,
        ..SessionCommand::default()
    };
    Session {
        session_id: id.to_owned(),
        commands: vec![command],
        ..Session::default()
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

    fn version(&self) -> ApiFuture<'_, Version> {
        self.answer(format_args!("version"), |_| Version {
            version: "v1".to_owned(),
        })
    }

    fn execute(&self, request: ExecuteRequest) -> ApiFuture<'_, ExecuteResponse> {
        let ExecuteRequest {
            command,
            cwd,
            envs,
            timeout,
            timeout_millis,
            split_output,
        } = request;
        let question = format_args!(
            "execute {command} {cwd:?} {envs:?} {timeout:?} {timeout_millis:?} {split_output:?}"
        );
        self.answer(question, |answers| ExecuteResponse {
            exit_code: answers.exit_code,
            result: "done".to_owned(),
            ..ExecuteResponse::default()
        })
    }

    fn execute_stream(&self, request: ExecStreamRequest) -> ApiFuture<'_, ExecConnection> {
        let control = Arc::new(self.clone());
        let (command, input) = (request.request.command, request.input);
        let leash = if request.kill_on_drop { " killed" } else { "" };
        self.answer(format_args!("stream {command} {input}{leash}"), |answers| {
            ExecConnection {
                events: events(&mut answers.exec),
                control,
                pid: None,
            }
        })
    }

    fn code_run(&self, request: CodeRunRequest) -> ApiFuture<'_, CodeRunResponse> {
        if self.answers.lock().expect("nobody panicked").runs_no_code {
            let error = Error::new(ErrorKind::Unsupported, Delivery::NotSent, "too old");
            return Box::pin(ready(Err(error)));
        }
        let CodeRunRequest {
            code,
            language,
            argv,
            envs,
            ..
        } = request;
        let question = format_args!("code_run {language} {code} {argv:?} {envs:?}");
        self.answer(question, |answers| CodeRunResponse {
            exit_code: answers.exit_code,
            ..CodeRunResponse::default()
        })
    }

    fn create_session<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        self.answer(format_args!("create_session {id}"), |_| ())
    }

    fn list_sessions(&self) -> ApiFuture<'_, Vec<Session>> {
        self.answer(format_args!("list_sessions"), |answers| {
            vec![session("s", answers.exit_code)]
        })
    }

    fn get_session<'a>(&'a self, id: &'a str) -> ApiFuture<'a, Session> {
        self.answer(format_args!("get_session {id}"), |answers| {
            session(id, answers.exit_code)
        })
    }

    fn entrypoint_session(&self) -> ApiFuture<'_, Session> {
        self.answer(format_args!("entrypoint_session"), |answers| {
            session("entrypoint", answers.exit_code)
        })
    }

    fn delete_session<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        self.answer(format_args!("delete_session {id}"), |_| ())
    }

    fn session_execute<'a>(
        &'a self,
        id: &'a str,
        request: SessionExecuteRequest,
    ) -> ApiFuture<'a, SessionExecuteResponse> {
        let SessionExecuteRequest {
            command,
            run_async,
            suppress_input_echo,
            ..
        } = request;
        let question =
            format_args!("session_execute {id} {command} {run_async:?} {suppress_input_echo:?}");
        self.answer(question, |answers| SessionExecuteResponse {
            cmd_id: "c".to_owned(),
            exit_code: answers.exit_code,
            ..SessionExecuteResponse::default()
        })
    }

    fn session_command<'a>(
        &'a self,
        id: &'a str,
        command: &'a str,
    ) -> ApiFuture<'a, SessionCommand> {
        self.answer(format_args!("session_command {id} {command}"), |answers| {
            session(id, answers.exit_code).commands.remove(0)
        })
    }

    fn logs(&self, source: LogSource) -> ApiFuture<'_, SessionCommandLogsResponse> {
        self.answer(format_args!("logs {source:?}"), |_| {
            SessionCommandLogsResponse::default()
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
        signal: SignalSpec,
    ) -> ApiFuture<'a, ()> {
        self.answer(
            format_args!("session_signal {id} {command} {signal:?}"),
            |_| (),
        )
    }

    fn create_pty(&self, request: PtyCreateRequest) -> ApiFuture<'_, String> {
        let PtyCreateRequest { id, cwd, .. } = request;
        self.answer(format_args!("create_pty {id} {cwd:?}"), |_| id.clone())
    }

    fn open_pty(&self, request: PtyCreateRequest) -> ApiFuture<'_, PtyConnection> {
        let control = Arc::new(self.clone());
        let PtyCreateRequest {
            id,
            cwd,
            envs,
            cols,
            rows,
            ..
        } = request;
        let question = format_args!("open_pty {id} {cwd:?} {envs:?} {rows:?} {cols:?}");
        self.answer(question, |answers| PtyConnection {
            id: id.clone(),
            offset: answers.pty_offset,
            events: events(&mut answers.pty),
            control,
        })
    }

    fn connect_pty(&self, request: PtyAttachRequest) -> ApiFuture<'_, PtyConnection> {
        let control = Arc::new(self.clone());
        let question = format_args!("connect_pty {} {:?}", request.id, request.offset);
        self.answer(question, |answers| PtyConnection {
            id: request.id.clone(),
            offset: answers.pty_offset,
            events: events(&mut answers.pty),
            control,
        })
    }

    fn list_ptys(&self) -> ApiFuture<'_, Vec<PtySessionInfo>> {
        self.answer(format_args!("list_ptys"), |_| vec![terminal("t")])
    }

    fn pty_info<'a>(&'a self, id: &'a str) -> ApiFuture<'a, PtySessionInfo> {
        self.answer(format_args!("pty_info {id}"), |_| terminal(id))
    }

    fn resize_pty<'a>(
        &'a self,
        id: &'a str,
        size: PtyResizeRequest,
    ) -> ApiFuture<'a, PtySessionInfo> {
        let PtyResizeRequest { cols, rows } = size;
        self.answer(format_args!("resize_pty {id} {rows} {cols}"), |_| {
            terminal(id)
        })
    }

    fn delete_pty<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        self.answer(format_args!("delete_pty {id}"), |_| ())
    }

    fn create_context(&self, request: CreateContextRequest) -> ApiFuture<'_, InterpreterContext> {
        let CreateContextRequest { cwd, language } = request;
        self.answer(format_args!("create_context {cwd:?} {language:?}"), |_| {
            InterpreterContext::default()
        })
    }

    fn list_contexts(&self) -> ApiFuture<'_, Vec<InterpreterContext>> {
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

    fn interpret(&self, request: InterpreterRequest) -> ApiFuture<'_, InterpreterStream> {
        let InterpreterRequest {
            code,
            context_id,
            timeout,
            envs,
        } = request;
        let question = format_args!("interpret {code} {context_id:?} {timeout:?} {envs:?}");
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

    fn signal(&self, signal: SignalSpec) -> ApiFuture<'_, ()> {
        self.answer(format_args!("signal {signal:?}"), |_| ())
    }
}

impl PtyControl for Script {
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()> {
        self.answer(format_args!("type {bytes:?}"), |_| ())
    }
}
