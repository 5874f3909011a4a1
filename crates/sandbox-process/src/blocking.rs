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
//! for event in process.streaming(process.wait(process.exec("make").stream())?) {
//!     println!("{:?}", event?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Panics
//!
//! Called within an async runtime every method that waits panics: a thread of that must not wait. Use [`crate::Process`]
//! there. Dropping what is here panics nowhere.

use std::future::{Future, IntoFuture, poll_fn};
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
#[cfg(feature = "embedded")]
use tokio::runtime::Handle;
use tokio::runtime::Runtime;

use crate::{
    CodeInterpreter, CodeRun, Command, CommandInput, Delivery, Error, ErrorKind, Exec,
    InterpreterContext, OutputHandler, PtySessionInfo, PtySize, Session,
    SessionCommandLogsResponse, SessionExecuteRequest, SessionExecuteResponse, SyncHandler,
};

/// A sandbox's daemon, for programs without a runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Process {
    process: crate::Process,
    waiter: Arc<Waiter>,
}

/// A connection to a terminal, for programs without a runtime.
#[derive(Debug)]
pub struct PtyHandle {
    handle: crate::PtyHandle,
    waiter: Arc<Waiter>,
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
            waiter: Arc::new(Waiter::with_runtime()?),
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

    /// A daemon in this very process. It ends with the last clone of this value and of what was made by it, which waits until
    /// everything that it runs has ended; within an async runtime, where nothing may wait, another thread does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`] when it cannot start.
    #[cfg(feature = "embedded")]
    pub fn local() -> Result<Self, Error> {
        Self::start(crate::Process::local_builder())
    }

    /// A daemon in this very process with these settings, as [`local`](Self::local) starts it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`] when it cannot start.
    #[cfg(feature = "embedded")]
    pub fn start(settings: crate::LocalBuilder) -> Result<Self, Error> {
        let mut waiter = Waiter::with_runtime()?;
        let process = waiter.block_on(settings.start())?;
        waiter.local = Some(process.clone());
        let waiter = Arc::new(waiter);
        Ok(Self { process, waiter })
    }

    /// Ends the embedded daemon and everything that it runs, and returns when all of it has ended. Without one it does
    /// nothing.
    #[cfg(feature = "embedded")]
    pub fn shutdown(&self) {
        self.waiter.block_on(self.process.shutdown());
    }

    /// Waits for what was built: `process.wait(process.exec("ls"))`.
    pub fn wait<F: IntoFuture>(&self, built: F) -> F::Output {
        // Outside of the runtime there would be no timers for what is made before it is polled.
        self.waiter.block_on(async { built.await })
    }

    /// A stream, reader or writer of [the other face](crate) as an iterator, [`Read`] or [`Write`] that waits.
    pub fn streaming<T>(&self, stream: T) -> Streaming<T> {
        Streaming {
            stream,
            waiter: Arc::clone(&self.waiter),
        }
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

    /// Lists the interpreter contexts that were made.
    ///
    /// # Errors
    ///
    /// See [`CodeInterpreter::list_contexts`].
    pub fn list_contexts(&self) -> Result<Vec<InterpreterContext>, Error> {
        self.wait(self.process.code_interpreter().list_contexts())
    }

    /// Ends an interpreter context with what runs in it.
    ///
    /// # Errors
    ///
    /// See [`CodeInterpreter::delete_context`].
    pub fn delete_context(&self, id: &str) -> Result<(), Error> {
        self.wait(self.process.code_interpreter().delete_context(id))
    }

    /// Makes a terminal of this size and connects to it.
    ///
    /// # Errors
    ///
    /// See [`crate::CreatePty`].
    pub fn create_pty_session(&self, id: &str, size: PtySize) -> Result<PtyHandle, Error> {
        let handle = self.wait(self.process.create_pty_session(id).pty_size(size))?;
        Ok(self.pty_handle(handle))
    }

    /// Connects to a terminal.
    ///
    /// # Errors
    ///
    /// See [`crate::Process::connect_pty_session`].
    pub fn connect_pty_session(&self, id: &str) -> Result<PtyHandle, Error> {
        let handle = self.wait(self.process.connect_pty_session(id))?;
        Ok(self.pty_handle(handle))
    }

    /// A terminal that was made with more settings, or attached to:
    /// `process.pty_handle(process.wait(process.as_async().create_pty_session("t").cwd("/tmp"))?)`.
    pub fn pty_handle(&self, handle: crate::PtyHandle) -> PtyHandle {
        PtyHandle {
            handle,
            waiter: Arc::clone(&self.waiter),
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
    send_session_command_bytes(session_id: &str, command_id: &str, input: CommandInput) -> ();
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
        self.waiter.block_on(self.handle.send_input(data))
    }

    /// Sets the terminal's size.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::resize`].
    pub fn resize(&self, size: PtySize) -> Result<PtySessionInfo, Error> {
        self.waiter.block_on(self.handle.resize(size))
    }

    /// Ends the terminal.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::kill`].
    pub fn kill(&self) -> Result<(), Error> {
        self.waiter.block_on(self.handle.kill())
    }

    /// What the terminal shows next; `None` when its shell has ended.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::next`].
    pub fn read(&mut self) -> Result<Option<bytes::Bytes>, Error> {
        self.waiter.block_on(self.handle.next())
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
        self.waiter.block_on(self.handle.wait(on_data))
    }

    /// The terminal of the other face, which tells its id and offset, too.
    pub fn as_async(&self) -> &crate::PtyHandle {
        &self.handle
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

/// A stream, reader or writer whose users wait; made by [`Process::streaming`].
///
/// It is an [`Iterator`] over a stream such as [`ExecStream`](crate::ExecStream), [`Read`] over [`Output`](crate::Output) and
/// [`Write`] over [`Input`](crate::Input).
#[derive(Debug)]
pub struct Streaming<T> {
    stream: T,
    waiter: Arc<Waiter>,
}

impl<T> Streaming<T> {
    /// What is waited for, as to signal the command that it is.
    pub fn get_ref(&self) -> &T {
        &self.stream
    }

    /// Takes it back.
    pub fn into_inner(self) -> T {
        self.stream
    }
}

impl<W: AsyncWrite + Unpin> Streaming<W> {
    /// Ends a command's input, behind what was written.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.waiter.block_on(self.stream.shutdown())
    }
}

impl<S: Stream + Unpin> Iterator for Streaming<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        let stream = &mut self.stream;
        let next = poll_fn(|context| Pin::new(&mut *stream).poll_next(context));
        self.waiter.block_on(next)
    }
}

impl<R: AsyncRead + Unpin> Read for Streaming<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.waiter.block_on(self.stream.read(buffer))
    }
}

impl<W: AsyncWrite + Unpin> Write for Streaming<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiter.block_on(self.stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.waiter.block_on(self.stream.flush())
    }
}

/// The runtime in which everything here happens, and the daemon in it, if there is one.
#[derive(Debug)]
struct Waiter {
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
    #[cfg(feature = "embedded")]
    local: Option<crate::Process>,
}

impl Waiter {
    /// One thread works for it, so that connections are kept alive while nobody waits.
    fn with_runtime() -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error: io::Error| {
            let message = "cannot start a runtime";
            Error::new(ErrorKind::Connect, Delivery::NotSent, message).with_source(error)
        })?;
        Ok(Self {
            runtime: Some(runtime),
            #[cfg(feature = "embedded")]
            local: None,
        })
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let runtime = self.runtime.as_ref().expect("there until it is dropped");
        runtime.block_on(future)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        #[cfg(feature = "embedded")]
        if let Some(local) = self.local.take() {
            let end = move || {
                runtime.block_on(local.shutdown());
                runtime.shutdown_background();
            };
            if Handle::try_current().is_ok() {
                std::thread::spawn(end);
            } else {
                end();
            }
            return;
        }
        // A runtime that waits for its end may not do so within another one.
        runtime.shutdown_background();
    }
}
