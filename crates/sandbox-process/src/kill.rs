//! The end of a command whose handle is dropped.

use crate::Process;

/// Kills a command of an embedded daemon when it is dropped.
///
/// A command of another daemon is ended by that daemon, when the connection closes.
#[derive(Debug, Default)]
pub(crate) struct KillOnDrop {
    #[cfg(feature = "embedded")]
    command: Option<(std::sync::Weak<crate::embedded::Embedded>, u32)>,
}

impl KillOnDrop {
    /// Nothing is killed without a process id.
    #[cfg_attr(
        not(feature = "embedded"),
        expect(
            unused_variables,
            reason = "only an embedded daemon's commands are of this machine"
        )
    )]
    pub(crate) fn new(process: &Process, pid: Option<u32>) -> Self {
        Self {
            #[cfg(feature = "embedded")]
            command: process
                .embedded
                .as_ref()
                .map(std::sync::Arc::downgrade)
                .zip(pid),
        }
    }

    /// The command has ended.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(feature = "embedded")]
impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some((daemon, pid)) = self.command.take()
            && let Some(daemon) = daemon.upgrade()
        {
            daemon.kill(pid);
        }
    }
}
