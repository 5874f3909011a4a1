//! The same without `async`: for programs that have no runtime.
//!
//! A [`Process`] here has a runtime of its own, in which the calling thread waits. Every method does what its namesake of
//! [`crate::Process`] does, whose documentation holds here too. What is built and then awaited there is given to
//! [`wait`](Process::wait) here:
//!
//! ```no_run
//! use sandbox_process::blocking::Process;
//!
//! # fn main() -> Result<(), sandbox_process::Error> {
//! let process = Process::connect("http://127.0.0.1:2280")?;
//! let response = process.wait(process.exec("ls").cwd("src"))?;
//! println!("{}", response.result);
//! process.create_session("work")?;
//! process.execute_session_command("work", "cd /tmp".into())?;
//! # Ok(())
//! # }
//! ```
//!
//! # Panics
//!
//! Called within an async runtime every method panics: a thread of that must not wait. Use [`crate::Process`] there.

use std::future::IntoFuture;
use std::io;
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::{
    CodeInterpreter, CodeRun, Command, Delivery, Error, ErrorKind, Exec, InterpreterContext,
    OutputHandler, PtySessionInfo, PtySize, Session, SessionCommandLogsResponse,
    SessionExecuteRequest, SessionExecuteResponse, SyncHandler,
};

/// A sandbox's daemon, for programs without a runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Process {
    process: crate::Process,
    runtime: Arc<Runtime>,
}

/// A connection to a terminal, for programs without a runtime.
#[derive(Debug)]
pub struct PtyHandle {
    handle: crate::PtyHandle,
    runtime: Arc<Runtime>,
}

impl Process {
    /// Waits for the operations of `process` from here on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`] when the system is short of threads or descriptors.
    pub fn new(process: crate::Process) -> Result<Self, Error> {
        Ok(Self {
            process,
            runtime: runtime()?,
        })
    }

    /// The daemon at `url`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when the URL cannot be used.
    pub fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::new(crate::Process::connect(url)?)
    }

    /// The daemon that the environment names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when it names none that can be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(crate::Process::from_env()?)
    }

    /// A daemon in this very process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`] when it cannot start.
    #[cfg(feature = "embedded")]
    pub fn local() -> Result<Self, Error> {
        let runtime = runtime()?;
        let process = runtime.block_on(crate::Process::local())?;
        Ok(Self { process, runtime })
    }

    /// Waits for what was built: `process.wait(process.exec("ls"))`.
    pub fn wait<F: IntoFuture>(&self, built: F) -> F::Output {
        // Outside of the runtime there would be no timers for what is made before it is polled.
        self.runtime.block_on(async { built.await })
    }

    /// The process whose operations this waits for.
    pub fn as_async(&self) -> &crate::Process {
        &self.process
    }

    /// A shell command, for [`wait`](Self::wait).
    pub fn exec(&self, command: impl Into<String>) -> Exec<'_> {
        self.process.exec(command)
    }

    /// A program, for [`wait`](Self::wait).
    pub fn code_run(&self, code: impl Into<String>) -> CodeRun<'_> {
        self.process.code_run(code)
    }

    /// Interpreters, whose code is for [`wait`](Self::wait).
    pub fn code_interpreter(&self) -> CodeInterpreter<'_> {
        self.process.code_interpreter()
    }

    /// Makes an interpreter context.
    ///
    /// # Errors
    ///
    /// See [`CodeInterpreter::create_context`].
    pub fn create_context(&self, cwd: Option<&str>) -> Result<InterpreterContext, Error> {
        self.wait(self.process.code_interpreter().create_context(cwd))
    }

    /// Makes a terminal of this size and connects to it.
    ///
    /// # Errors
    ///
    /// See [`crate::CreatePty`].
    pub fn create_pty_session(&self, id: &str, size: PtySize) -> Result<PtyHandle, Error> {
        let handle = self.wait(self.process.create_pty_session(id).pty_size(size))?;
        Ok(self.handle(handle))
    }

    /// Connects to a terminal.
    ///
    /// # Errors
    ///
    /// See [`crate::Process::connect_pty_session`].
    pub fn connect_pty_session(&self, id: &str) -> Result<PtyHandle, Error> {
        let handle = self.wait(self.process.connect_pty_session(id))?;
        Ok(self.handle(handle))
    }

    fn handle(&self, handle: crate::PtyHandle) -> PtyHandle {
        PtyHandle {
            handle,
            runtime: Arc::clone(&self.runtime),
        }
    }

    /// Hands what a command writes to the handlers, to its end.
    ///
    /// # Errors
    ///
    /// See [`crate::Process::get_session_command_logs_async`].
    pub fn follow_session_command_logs(
        &self,
        session_id: &str,
        command_id: &str,
        on_stdout: impl FnMut(String) + Send,
        on_stderr: impl FnMut(String) + Send,
    ) -> Result<(), Error> {
        self.wait(
            self.process
                .get_session_command_logs_async::<SyncHandler, SyncHandler>(
                    session_id, command_id, on_stdout, on_stderr,
                ),
        )
    }
}

/// A method that waits for its namesake.
macro_rules! waiting {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Process {
            $(
                #[doc = concat!("Waits for [`crate::Process::", stringify!($name), "`].")]
                ///
                /// # Errors
                ///
                /// Those of its namesake.
                pub fn $name(&self, $($argument: $type),*) -> Result<$result, Error> {
                    self.wait(self.process.$name($($argument),*))
                }
            )*
        }
    };
}

waiting! {
    version() -> String;
    create_session(session_id: &str) -> ();
    get_session(session_id: &str) -> Session;
    list_sessions() -> Vec<Session>;
    delete_session(session_id: &str) -> ();
    execute_session_command(session_id: &str, request: SessionExecuteRequest) -> SessionExecuteResponse;
    get_session_command(session_id: &str, command_id: &str) -> Command;
    get_session_command_logs(session_id: &str, command_id: &str) -> SessionCommandLogsResponse;
    send_session_command_input(session_id: &str, command_id: &str, data: &str) -> ();
    signal_session_command(session_id: &str, command_id: &str, signal: &str) -> ();
    get_entrypoint_session() -> Session;
    get_entrypoint_logs() -> SessionCommandLogsResponse;
    list_pty_sessions() -> Vec<PtySessionInfo>;
    get_pty_session_info(id: &str) -> PtySessionInfo;
    kill_pty_session(id: &str) -> ();
    resize_pty_session(id: &str, size: PtySize) -> PtySessionInfo;
}

impl PtyHandle {
    /// Types.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::send_input`].
    pub fn send_input(&self, data: impl Into<bytes::Bytes>) -> Result<(), Error> {
        self.runtime.block_on(self.handle.send_input(data))
    }

    /// Sets the terminal's size.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::resize`].
    pub fn resize(&self, size: PtySize) -> Result<PtySessionInfo, Error> {
        self.runtime.block_on(self.handle.resize(size))
    }

    /// Ends the terminal.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::kill`].
    pub fn kill(&self) -> Result<(), Error> {
        self.runtime.block_on(self.handle.kill())
    }

    /// What the terminal shows next; `None` when its shell has ended.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::next`].
    pub fn read(&mut self) -> Result<Option<bytes::Bytes>, Error> {
        self.runtime.block_on(self.handle.next())
    }

    /// Reads to the end of the shell.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::wait`].
    pub fn wait(
        &mut self,
        on_data: impl OutputHandler<SyncHandler, bytes::Bytes>,
    ) -> Result<crate::PtyResult, Error> {
        self.runtime.block_on(self.handle.wait(on_data))
    }

    /// Whether the connection stands, as far as what was read tells.
    pub fn is_connected(&self) -> bool {
        self.handle.is_connected()
    }

    /// The exit code of the shell, once what was read has told it.
    pub fn exit_code(&self) -> Option<i32> {
        self.handle.exit_code()
    }

    /// Disconnects; the terminal stays.
    pub fn disconnect(&mut self) {
        self.handle.disconnect();
    }
}

/// One thread works for it, so that connections are kept alive while nobody waits.
fn runtime() -> Result<Arc<Runtime>, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.map(Arc::new).map_err(|error: io::Error| {
        let message = "cannot start a runtime";
        Error::new(ErrorKind::Connect, Delivery::NotSent, message).with_source(error)
    })
}
