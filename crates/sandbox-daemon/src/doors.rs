//! What another server of this workspace needs to let clients in, and to report errors, by the same rules. Not for others: it changes
//! without notice.

pub use crate::admission::{bearer, is_loopback};
pub use crate::connection::Stall;
pub use crate::head::is_host;
pub use crate::listener::prepare;
pub use crate::memory::Holder;
pub use crate::private::{private_directory, write_private};
pub use crate::service::chain;
pub use crate::slots::{Slot, Slots, Source};
pub use crate::uri::{decode_segment, query_bytes, query_value};
