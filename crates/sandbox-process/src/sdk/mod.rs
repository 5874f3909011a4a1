//! The names of Daytona's official SDKs, as methods that forward to handles.
//!
//! Programs that were written for those SDKs find the same names here. Optional arguments became methods of builders, callbacks are
//! closures of either kind, and exceptions are one [`Error`] with a [kind](crate::ErrorKind). New programs use the handles.
//!
//! | SDK | Rust | with handles |
//! |---|---|---|
//! | `Process(code_toolbox, api_client, ensure_toolbox_url)` | [`Process::new`] | [`Process::connect`] |
//! | `exec(command, cwd, env, timeout)` | [`Process::exec`]`(command).cwd(..).env(..).timeout(..).await?.into()` | [`Process::exec`], [`Process::command`] |
//! | `code_run(code, params, timeout)` | [`Process::code_run`]`(code).params(..).timeout(..).await?.into()` | [`Process::code_run`] |
//! | `create_session(id)` | [`Process::create_session`] | the same |
//! | `get_session(id)` | [`Process::get_session`] | [`Session::info`](crate::Session::info) |
//! | `list_sessions()` | [`Process::list_sessions`] | the same |
//! | `delete_session(id)` | [`Process::delete_session`] | [`Session::delete`](crate::Session::delete) |
//! | `execute_session_command(id, request)` | [`Process::execute_session_command`] | [`Session::run`](crate::Session::run), [`Session::spawn`](crate::Session::spawn) |
//! | `get_session_command(id, cmd)` | [`Process::get_session_command`] | [`SessionCommand::info`](crate::SessionCommand::info) |
//! | `get_session_command_logs(id, cmd)` | [`Process::get_session_command_logs`] | [`SessionCommand::logs`](crate::SessionCommand::logs) |
//! | `get_session_command_logs_async(id, cmd, ..)` | [`Process::get_session_command_logs_async`] | [`SessionCommand::follow`](crate::SessionCommand::follow), [`wait_with`](crate::SessionCommand::wait_with) |
//! | `send_session_command_input(id, cmd, data)` | [`Process::send_session_command_input`] | [`SessionCommand::write_line`](crate::SessionCommand::write_line), [`stdin`](crate::SessionCommand::stdin) |
//! | `get_entrypoint_session()` | [`Process::get_entrypoint_session`] | [`Process::entrypoint_session`] |
//! | `get_entrypoint_logs()` | [`Process::get_entrypoint_logs`] | [`Process::entrypoint_logs`] |
//! | `get_entrypoint_logs_async(..)` | [`Process::get_entrypoint_logs_async`] | [`Process::follow_entrypoint`] |
//! | `create_pty_session(id, cwd, envs, pty_size)` | [`Process::create_pty_session`]`(id).cwd(..).envs(..).pty_size(..).await` | [`Process::create_pty`] |
//! | `connect_pty_session(id)` | [`Process::connect_pty_session`] | [`Pty::attach`](crate::Pty::attach) |
//! | `list_pty_sessions()` | [`Process::list_pty_sessions`] | [`Process::list_ptys`] |
//! | `get_pty_session_info(id)` | [`Process::get_pty_session_info`] | [`Pty::info`](crate::Pty::info) |
//! | `kill_pty_session(id)` | [`Process::kill_pty_session`] | [`Pty::kill`](crate::Pty::kill) |
//! | `resize_pty_session(id, size)` | [`Process::resize_pty_session`] | [`Pty::resize`](crate::Pty::resize) |
//! | `PtyHandle.wait(on_data)` | [`PtyHandle::wait`] | [`PtyHandle::wait_with`] |
//! | `PtyHandle.send_input(data)` | [`PtyHandle::send_input`] | [`PtyHandle::write`] |
//! | `code_interpreter.run_code(code, context, ..)` | [`Process::code_interpreter`], [`CodeInterpreter::run_code`] | [`Context::run`](crate::Context::run) |
//! | `code_interpreter.create_context(cwd)` | [`CodeInterpreter::create_context`] | [`Process::create_context`] |
//! | `fs.upload_file(src, dst)` | [`Files::upload_file`] | [`Files::write`](crate::Files::write), [`Files::upload`](crate::Files::upload) |
//! | `fs.download_file(path)` | [`Files::download_file`] | [`Files::read`](crate::Files::read), [`Files::download`](crate::Files::download) |
//! | `fs.list_files(path, depth)` | [`Files::list_files`] | [`Files::list`](crate::Files::list), [`Files::list_depth`](crate::Files::list_depth) |
//! | `fs.get_file_info(path)` | [`Files::get_file_info`] | [`Files::metadata`](crate::Files::metadata) |
//! | `fs.create_folder(path, mode)` | [`Files::create_folder`] | [`Files::create_dir_all`](crate::Files::create_dir_all) |
//! | `fs.delete_file(path)` | [`Files::delete_file`] | [`Files::remove_file`](crate::Files::remove_file), [`Files::remove_dir_all`](crate::Files::remove_dir_all) |
//! | `fs.move_files(source, destination)` | [`Files::move_files`] | [`Files::rename`](crate::Files::rename) |
//! | `fs.find_files(path, pattern)` | [`Files::find_files`] | [`Files::find`](crate::Files::find) |
//! | `fs.search_files(path, pattern)` | [`Files::search_files`] | [`Files::search`](crate::Files::search) |
//! | `fs.replace_in_files(files, pattern, new_value)` | [`Files::replace_in_files`] | [`Files::replace`](crate::Files::replace) |
//! | `fs.set_file_permissions(path, mode, owner, group)` | [`Files::set_file_permissions`] | [`Files::set_permissions`](crate::Files::set_permissions) |
//! | `ExecuteResponse`, `ExecutionArtifacts` | [`ExecuteResponse`], [`ExecutionArtifacts`] | [`Outcome`](crate::Outcome) |
//! | `SessionExecuteRequest`, `SessionExecuteResponse` | [`SessionExecuteRequest`], [`SessionExecuteResponse`] | [`Session::run`](crate::Session::run), [`Outcome`](crate::Outcome) |
//! | `SessionCommandLogsResponse` | [`SessionCommandLogsResponse`] | [`Logs`](crate::Logs) |
//! | `CodeRunParams`, `PtySize`, `Chart`, … | [`CodeRunParams`], [`PtySize`](crate::PtySize), [`Chart`](crate::Chart) | the same |
//! | `parse_session_command_logs`, `demux_log` | [`parse_session_command_logs`](crate::parse_session_command_logs), [`demux_log`](crate::demux_log) | the same |
//! | `OutputHandler` | [`OutputHandler`] | async closures, such as of [`Running::wait_with`](crate::Running::wait_with) |

mod files;
mod handler;
mod interpreter;
mod process;
mod pty;
mod response;

#[cfg(doc)]
use sandbox_transport::Error;

#[cfg(doc)]
use crate::files::Files;
#[cfg(doc)]
use crate::process::Process;
#[cfg(doc)]
use crate::pty_handle::PtyHandle;

pub use crate::toolbox::CodeRunParams;
pub use handler::{AsyncHandler, OutputHandler, SyncHandler};
pub use interpreter::CodeInterpreter;
pub use response::{
    ExecuteResponse, ExecutionArtifacts, SessionCommandLogsResponse, SessionExecuteResponse,
};
pub use sandbox_transport::SessionExecuteRequest;
