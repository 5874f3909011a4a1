//! Previews: servers inside a sandbox, by host or by path.
//!
//! A preview is reached with the key, with the token of its sandbox, by a signed URL, or by anybody if the sandbox is public. By host,
//! `{port}-{id}.localhost`, it has an origin of its own. By path, `/preview/{id}/{port}/`, it shares that of the API, so pages are
//! sandboxed by a policy: their scripts have no origin, and reach nothing that a page of this server keeps; and no cookies pass, which
//! would be those of every server of this host. In the place of the id, both have the token of a signed URL.

mod connect;
mod place;
mod respond;
pub(crate) mod tokens;

pub(crate) use connect::connect;
pub(crate) use place::Place;
pub(crate) use respond::{cookies, respond};
