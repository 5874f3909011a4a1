//! `POST .../command/{cid}/signal`, an extension.

use http::{Response, StatusCode};
use sandbox_engine::{Signal, SignalError};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{SessionSignalRequest, SignalSpec};

use super::{Call, find_command, not_on_entrypoint};
use crate::api::response::empty;
use crate::api::{Answer, ApiError, Body};

pub(in crate::api) fn signal(call: Call) -> Answer {
    Box::pin(send(call))
}

async fn send(mut call: Call) -> Result<Response<Body>, ApiError> {
    not_on_entrypoint(&call, "be signaled")?;
    let request: SessionSignalRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let signal = read(&request.signal)
        .ok_or_else(|| ApiError::new(ErrorCode::BadRequest, "there is no such signal"))?;
    let command = find_command(&call)?;
    match command.signal(signal).await {
        Ok(()) => Ok(empty(StatusCode::NO_CONTENT)),
        Err(error) => {
            let code = match error {
                SignalError::Ended => ErrorCode::CommandAlreadyCompleted,
                SignalError::Queued => ErrorCode::Conflict,
                error => return Err(ApiError::internal(error)),
            };
            Err(ApiError::new(code, error.to_string()))
        }
    }
}

pub(in crate::api) fn read(spec: &SignalSpec) -> Option<Signal> {
    match spec {
        SignalSpec::Number(number) => Signal::from_named_raw(*number),
        SignalSpec::Name(name) => {
            let name = name.to_ascii_uppercase();
            let name = name.strip_prefix("SIG").unwrap_or(&name);
            let known = NAMES.iter().find(|(known, _)| *known == name)?;
            Some(known.1)
        }
    }
}

const NAMES: [(&str, Signal); 31] = [
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("ILL", Signal::ILL),
    ("TRAP", Signal::TRAP),
    ("ABRT", Signal::ABORT),
    ("BUS", Signal::BUS),
    ("FPE", Signal::FPE),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("SEGV", Signal::SEGV),
    ("USR2", Signal::USR2),
    ("PIPE", Signal::PIPE),
    ("ALRM", Signal::ALARM),
    ("TERM", Signal::TERM),
    ("STKFLT", Signal::STKFLT),
    ("CHLD", Signal::CHILD),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
    ("TSTP", Signal::TSTP),
    ("TTIN", Signal::TTIN),
    ("TTOU", Signal::TTOU),
    ("URG", Signal::URG),
    ("XCPU", Signal::XCPU),
    ("XFSZ", Signal::XFSZ),
    ("VTALRM", Signal::VTALARM),
    ("PROF", Signal::PROF),
    ("WINCH", Signal::WINCH),
    ("IO", Signal::IO),
    ("PWR", Signal::POWER),
    ("SYS", Signal::SYS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read() {
        let named = |name: &str| read(&SignalSpec::Name(name.to_owned()));
        for name in ["INT", "sigint", "SigInt"] {
            assert_eq!(named(name), Some(Signal::INT), "{name}");
        }
        for name in ["", "SIG", "2", "SIGSIGINT", "NOPE"] {
            assert_eq!(named(name), None, "{name}");
        }
        assert_eq!(read(&SignalSpec::Number(9)), Some(Signal::KILL));
        for number in [0, -1, 65, i32::MAX] {
            assert_eq!(read(&SignalSpec::Number(number)), None, "{number}");
        }
        for (number, (name, signal)) in (1..).zip(NAMES) {
            assert_eq!(read(&SignalSpec::Number(number)), Some(signal), "{name}");
        }
    }
}
