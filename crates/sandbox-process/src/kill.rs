//! Killing a command whose handle is dropped.

use crate::client::Client;

/// Kills a command of an embedded daemon when it is dropped.
///
/// A command of another daemon is ended by that daemon, when the connection closes.
#[derive(Debug, Default)]
pub(crate) struct KillOnDrop {
    #[cfg(feature = "embedded")]
    command: Option<(std::sync::Arc<crate::daemon::Daemon>, u32)>,
}

impl KillOnDrop {
    /// Without a process id, nothing is killed.
    #[cfg_attr(
        not(feature = "embedded"),
        expect(
            unused_variables,
            reason = "only an embedded daemon's commands are of this machine"
        )
    )]
    pub(crate) fn new(client: &Client, pid: Option<u32>) -> Self {
        Self {
            #[cfg(feature = "embedded")]
            command: client.daemon().cloned().zip(pid),
        }
    }

    /// Disarms it: the command has ended.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(feature = "embedded")]
impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some((daemon, pid)) = self.command.take() {
            daemon.kill(pid);
        }
    }
}
