//! `/files` and everything below it.

mod apart;
mod archive;
mod bulk;
mod convert;
mod download;
mod entries;
pub(crate) mod form;
mod incoming;
mod query;
mod range;
mod search;
mod upload;

pub(super) use archive::{read_archive, write_archive};
pub(super) use bulk::bulk_download;
pub(super) use download::download;
pub(super) use entries::{create_folder, info, list, remove, rename, set_permissions};
pub(super) use search::{find, replace, search};
pub(super) use upload::{bulk_upload, upload};
