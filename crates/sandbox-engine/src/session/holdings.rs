//! The resources that a session holds until it ends.

use std::sync::Arc;
use std::time::Duration;

use super::end::SessionEnd;
use super::shared::Shared;
use crate::leader::unattended;
use crate::limits::TERMINATE_GRACE;
use crate::tag::{Tag, Tags};
use crate::termination::Termination;
use crate::tree::Tree;

/// The processes that a session has started, and the clients that wait for it. Released when this is dropped with the
/// session's task, however that ends.
#[derive(Debug)]
pub(super) struct Holdings {
    shared: Arc<Shared>,
    leader: u32,
    /// The process id of the shell, which is not the leader's if it is isolated.
    pid: u32,
    /// The tags of the shell and of every command, by which their processes are found; empty if processes cannot be
    /// labeled.
    tags: Tags,
    has_ended: bool,
}

impl Holdings {
    pub(super) fn new(shared: Arc<Shared>, leader: u32, pid: u32, tag: Option<Tag>) -> Self {
        Self {
            shared,
            leader,
            pid,
            tags: tag.into_iter().collect(),
            has_ended: false,
        }
    }

    /// Returns every process of the session.
    pub(super) fn tree(&self) -> Tree {
        if self.tags.is_empty() {
            return Tree::of_run(self.leader, None);
        }
        // By their tags alone, which no process loses by changing its group, its session or its
        // parent: this takes a tenth of the time of `of_run`.
        Tree::tagged(self.tags.iter())
    }

    /// Labels what the shell starts from now on, and returns the processes of the next command.
    pub(super) fn tag_next(&mut self) -> Tree {
        let tag = self.tags.first().map(|tag| tag.another());
        // A tag is inherited at `fork`: put on the shell before it reads the command, it is on all
        // that the command starts, and not on what earlier commands left.
        let Some(tag) = tag.filter(|tag| tag.put_on(self.pid).is_ok()) else {
            // The command's processes cannot be distinguished from others of the session.
            return self.tree();
        };
        self.tags.push(tag);
        // The shell has the tag, too, and must survive its command.
        Tree::tagged([tag]).without(self.pid)
    }

    /// Ends every process of the session.
    pub(super) async fn end(&mut self) {
        self.tree().end(TERMINATE_GRACE).await;
        self.has_ended = true;
    }
}

impl Drop for Holdings {
    fn drop(&mut self) {
        // The first reason stays, so this one is seen only if the task panicked or was aborted.
        self.shared.close(SessionEnd::Shell {
            termination: Termination::Lost {
                reason: "the session's task failed".to_owned(),
            },
        });
        // Cancelled when this guard is dropped: at the end of this function, or after the processes
        // have ended.
        let released = self.shared.released.clone().drop_guard();
        if !self.has_ended {
            let tree = self.tree();
            unattended(async move {
                tree.end(Duration::ZERO).await;
                drop(released);
            });
        }
    }
}
