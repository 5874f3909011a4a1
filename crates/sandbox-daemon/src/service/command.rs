//! Requests to a running command: input, signals, and the size of its terminal.

use bytes::Bytes;
use sandbox_engine::{
    Command, CommandState, InputError, PtySize, ResizeError, Signal, SignalError, Termination,
};
use sandbox_wire::ErrorCode;
use tokio::time::timeout;

use super::Error;
use crate::limits::INPUT_ROOM;

/// Input of a command in a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) bytes: Bytes,
    /// The offset of the input; absent means after all earlier input.
    pub(crate) offset: Option<u64>,
    /// Whether this is the last input.
    pub(crate) is_end: bool,
}

impl Input {
    /// Checks that the input is not empty.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.bytes.is_empty() && !self.is_end {
            return Err(Error::incomplete("data is required"));
        }
        Ok(())
    }

    /// Writes the input as [`write_to`](Self::write_to) does, and waits while the command has as much unread input as fits, for
    /// [`INPUT_ROOM`] at most.
    pub(crate) async fn write_when_it_fits(self, command: &Command) -> Result<(), Error> {
        // After that the refusal says that it is full.
        let _ = timeout(INPUT_ROOM, command.input_room(self.bytes.len())).await;
        self.write_to(command)
    }

    /// Writes the input to a command, and closes the command's input after it if it is the last.
    pub(crate) fn write_to(self, command: &Command) -> Result<(), Error> {
        let length = self.bytes.len();
        let written = match (self.offset, length) {
            (Some(offset), _) => command.write_input_at(offset, self.bytes),
            (None, 0) => Ok(()),
            (None, _) => command.write_input(self.bytes),
        };
        written.map_err(|error| refusal(error, length))?;
        if self.is_end {
            let closed = command.close_input();
            closed.map_err(|error| refusal(error, length))?;
        }
        Ok(())
    }
}

fn refusal(error: InputError, length: usize) -> Error {
    let code = match error {
        InputError::Ended => ErrorCode::CommandAlreadyCompleted,
        InputError::SessionEnded => ErrorCode::SessionEnded,
        InputError::Closed => ErrorCode::Conflict,
        // Input that never fits is not to be sent again.
        InputError::Full { limit } if length > limit => ErrorCode::PayloadTooLarge,
        InputError::Full { .. } => ErrorCode::TooManyRequests,
        InputError::Beyond { .. } => ErrorCode::RangeNotSatisfiable,
        error => return Error::internal(error),
    };
    Error::new(code, error.to_string())
}

/// Returns how a command ended, if it has ended.
pub(crate) fn end_of(command: &Command) -> Option<Termination> {
    match command.state() {
        CommandState::Ended(ended) => Some(ended),
        CommandState::Queued | CommandState::Running => None,
    }
}

/// Sends a signal to all processes of a command.
pub(crate) async fn signal(command: &Command, signal: Signal) -> Result<(), Error> {
    command.signal(signal).await.map_err(|error| {
        let code = match error {
            SignalError::Ended => ErrorCode::CommandAlreadyCompleted,
            SignalError::Queued | SignalError::NoProcess => ErrorCode::Conflict,
            error => return Error::internal(error),
        };
        Error::new(code, error.to_string())
    })
}

/// Sets the size of a command's terminal.
pub(crate) async fn resize(command: &Command, size: PtySize) -> Result<(), Error> {
    command.resize(size).await.map_err(|error| {
        let code = match error {
            ResizeError::Ended => ErrorCode::CommandAlreadyCompleted,
            ResizeError::NoTerminal => ErrorCode::Conflict,
            error => return Error::internal(error),
        };
        Error::new(code, error.to_string())
    })
}

/// Returns the signal with this number.
pub(crate) fn signal_of(number: Option<i32>) -> Result<Signal, Error> {
    number
        .and_then(Signal::from_named_raw)
        .ok_or_else(|| Error::bad("there is no such signal"))
}

/// Refusals that are queued for a client. Further ones for input are dropped, so that the client's signals are still read.
pub(crate) const REFUSALS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_codes() {
        let check = |error, length, code| assert_eq!(refusal(error, length).code(), code);
        check(InputError::Ended, 1, ErrorCode::CommandAlreadyCompleted);
        check(InputError::SessionEnded, 1, ErrorCode::SessionEnded);
        check(InputError::Closed, 1, ErrorCode::Conflict);
        check(InputError::Full { limit: 5 }, 5, ErrorCode::TooManyRequests);
        check(InputError::Full { limit: 5 }, 6, ErrorCode::PayloadTooLarge);
    }
}
