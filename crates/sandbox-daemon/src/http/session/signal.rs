//! `POST .../command/{cid}/signal`, an extension.

use http::StatusCode;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::SessionSignalRequest;

use crate::http::response::empty;
use crate::http::{Call, Responded};
use crate::service::command;

pub(in crate::http) async fn signal(mut call: Call) -> Responded {
    call.not_on_entrypoint("be signaled")?;
    let request: SessionSignalRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let signal = command::signal_of(request.signal.number())?;
    command::signal(&call.command()?, signal).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

#[cfg(test)]
mod tests {
    use sandbox_engine::Signal;
    use sandbox_wire::rest::SignalSpec;

    use super::*;

    #[test]
    fn signals_are_read() {
        let read = |spec: SignalSpec| command::signal_of(spec.number()).ok();
        let named = |name: &str| read(SignalSpec::Name(name.to_owned()));
        for name in ["INT", "sigint", "SigInt"] {
            assert_eq!(named(name), Some(Signal::INT), "{name}");
        }
        for name in ["", "SIG", "2", "SIGSIGINT", "NOPE"] {
            assert_eq!(named(name), None, "{name}");
        }
        assert_eq!(read(SignalSpec::Number(9)), Some(Signal::KILL));
        for number in [0, -1, 65, i32::MAX] {
            assert_eq!(read(SignalSpec::Number(number)), None, "{number}");
        }
        for (name, signal) in [
            ("HUP", Signal::HUP),
            ("TERM", Signal::TERM),
            ("SYS", Signal::SYS),
        ] {
            assert_eq!(named(name), Some(signal), "{name}");
        }
    }
}
