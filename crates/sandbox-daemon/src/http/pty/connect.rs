//! The handshake of a terminal's WebSocket.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use sandbox_engine::Pty;
use sandbox_wire::rest::PtyCreateRequest;
use sandbox_wire::ws::subprotocol::{
    PTY_ENVS_PREFIX, PTY_EXIT_CONTROL, PTY_STREAM, SDK_VERSION_PREFIX,
};

use super::convert;
use super::socket::{Control, serve};
use crate::http::ws::{Upgrade, offered};
use crate::http::{Call, Responded};
use crate::limits::PTY_MESSAGE_BYTES;
use crate::service::Error;
use crate::service::pty::{self, Attached};

/// `GET /process/pty/{id}/connect`.
pub(in crate::http) async fn connect(call: Call) -> Responded {
    let upgrade = Upgrade::check(&call.parts)?;
    // A terminal that has ended reports its end.
    let pty = pty::find(&call.state.engine, call.parameter("id"))?;
    attach(call, upgrade, pty).await
}

/// `GET /process/pty/create-connect`.
pub(in crate::http) async fn create_connect(call: Call) -> Responded {
    let upgrade = Upgrade::check(&call.parts)?;
    // Before a terminal is created that no client would use.
    Manner::of(&call)?;
    let request = PtyCreateRequest {
        id: call.query("id").unwrap_or_default(),
        cwd: call.query("cwd"),
        envs: variables(&call.parts.headers)?,
        cols: side(&call, "cols")?,
        rows: side(&call, "rows")?,
        lazy_start: None,
        limits: None,
        isolation: None,
    };
    let (id, options) = convert::create_request(request)?;
    let pty = pty::create(&call.state, call.key(), &id, options).await?;
    attach(call, upgrade, pty).await
}

/// The options of an attachment.
struct Manner {
    /// Whether the client is only a viewer.
    is_viewer: bool,
    since: Option<u64>,
}

impl Manner {
    fn of(call: &Call) -> Result<Self, Error> {
        let is_viewer = match call.query("mode").as_deref() {
            None | Some("" | "shared") => false,
            Some("viewer") => true,
            Some(_) => return Err(Error::bad("the mode is neither 'viewer' nor 'shared'")),
        };
        let since = call.query("since").map(|since| {
            let since = since.parse();
            since.map_err(|_| Error::bad("'since' is not a number of bytes"))
        });
        Ok(Self {
            is_viewer,
            since: since.transpose()?,
        })
    }
}

async fn attach(call: Call, upgrade: Upgrade, pty: Pty) -> Responded {
    let manner = Manner::of(&call)?;
    pty::start(&call.state.engine, &pty).await?;
    let attached = Attached::new(pty, manner.since, manner.is_viewer)?;
    let offer = |found: fn(&str) -> bool| offered(&call.parts.headers).find(|offer| found(offer));
    let all_control = offer(|offer| offer == PTY_STREAM);
    let exit_control = offer(|offer| offer == PTY_EXIT_CONTROL);
    // One must be selected for some clients to go on. The one with the variables would reveal secrets.
    let version = offer(|offer| offer.starts_with(SDK_VERSION_PREFIX));
    let control = match (all_control, exit_control) {
        (Some(_), _) => Control::All,
        (None, Some(_)) => Control::Exit,
        (None, None) => Control::Least,
    };
    let is_extended = call.peer().takes_extensions();
    let upgrade = upgrade.message_bytes(PTY_MESSAGE_BYTES);
    Ok(upgrade.accept(
        all_control.or(exit_control).or(version),
        call.link,
        move |duplex| serve(duplex, attached, control, is_extended),
    ))
}

fn side(call: &Call, name: &str) -> Result<Option<u16>, Error> {
    let Some(text) = call.query(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let side = text.parse().map(Some);
    side.map_err(|_| Error::bad(format!("{name} is not a number of 16 bits")))
}

/// Returns the variables among the offered subprotocols. No error repeats them: they may be secrets.
pub(crate) fn variables(
    headers: &HeaderMap,
) -> Result<Option<BTreeMap<String, Option<String>>>, Error> {
    let mut offers = offered(headers);
    let Some(text) = offers.find_map(|offer| offer.strip_prefix(PTY_ENVS_PREFIX)) else {
        return Ok(None);
    };
    // With or without padding: `=` is no character of a subprotocol (RFC 6455, section 4.1), but is
    // accepted all the same.
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let json = GeneralPurpose::new(&URL_SAFE, config).decode(text);
    let json = json.map_err(|_| Error::bad("the variables are not in base64url"))?;
    serde_json::from_slice(&json)
        .map(Some)
        .map_err(|_| Error::bad("the variables are not a JSON object of strings"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read() {
        let read = |offer: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("sec-websocket-protocol", offer.parse().unwrap());
            variables(&headers)
        };
        assert_eq!(read("X-Daytona-Pty-Exit-Control").unwrap(), None);
        for offer in [
            "X-Daytona-Pty-Exit-Control, X-Daytona-Pty-Envs~eyJBIjoiw6kgPz8_In0",
            "X-Daytona-Pty-Envs~eyJBIjoiw6kgPz8_In0=, X-Daytona-Pty-Exit-Control",
        ] {
            let envs = read(offer).unwrap().unwrap();
            assert_eq!(envs["A"].as_deref(), Some("é ???"));
        }
        for bad in [
            "X-Daytona-Pty-Envs~",
            "X-Daytona-Pty-Envs~e30$",
            "X-Daytona-Pty-Envs~W10",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
