//! Detects that a session's shell will not report again.
//!
//! A shell reads its script only when it has nothing left to execute. So if a blank that was written to the script
//! after a command's lines has been read, the command is over, whatever happened to its report. No process that is
//! still busy with the command, waits for a child, or reads its own input does this, however slow the machine is.
//! A blank before the next command's lines means nothing to any shell.

use std::fs::File;
use std::io::{self, Write};

use crate::limits::LOST_LOOKS;

/// The progress of the detection.
#[derive(Debug, Default)]
pub(super) struct Idle {
    state: State,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Unasked,
    /// A blank was written.
    Asked,
    /// The blank has been read; a report may still be on its way.
    Read,
    /// A line that reports was written; it was found read in this many looks.
    Pinged(u32),
    /// The script was closed; this many looks have followed.
    Closed(u32),
}

/// What the caller is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advice {
    Wait,
    /// The command is over; ask whether the shell still executes.
    Ping,
    /// The shell reads and does not execute.
    Close,
    /// The shell has not ended at the end of its script: a trap holds it up.
    Kill,
}

impl Idle {
    /// Looks at what is left unread in the script; `None` stands for a closed script.
    pub(super) fn look(&mut self, script: Option<&File>) -> io::Result<Advice> {
        let Some(mut script) = script else {
            return Ok(self.look_after_close());
        };
        if rustix::io::ioctl_fionread(script)? > 0 {
            return Ok(Advice::Wait);
        }
        let (state, advice) = match self.state {
            State::Unasked | State::Closed(_) => {
                // The pipe is empty, so there is room: this neither blocks nor fails with `EAGAIN`.
                script.write_all(b" ")?;
                (State::Asked, Advice::Wait)
            }
            State::Asked => (State::Read, Advice::Wait),
            State::Read => (State::Pinged(0), Advice::Ping),
            State::Pinged(looks) if looks < LOST_LOOKS => (State::Pinged(looks + 1), Advice::Wait),
            State::Pinged(_) => (State::Closed(0), Advice::Close),
        };
        self.state = state;
        Ok(advice)
    }

    fn look_after_close(&mut self) -> Advice {
        match &mut self.state {
            State::Closed(looks) if *looks >= LOST_LOOKS => return Advice::Kill,
            State::Closed(looks) => *looks += 1,
            state => *state = State::Closed(1),
        }
        Advice::Wait
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn only_what_reads_the_script_is_idle() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let (mut reader, writer) = (File::from(reader), File::from(writer));
        let mut idle = Idle::default();
        let mut look = |script| idle.look(script).unwrap();
        let mut byte = [0];
        (&writer).write_all(b"x").unwrap();
        for _ in 0..10 {
            assert_eq!(look(Some(&writer)), Advice::Wait, "not read");
        }
        reader.read_exact(&mut byte).unwrap();
        for _ in 0..10 {
            assert_eq!(look(Some(&writer)), Advice::Wait, "executing");
        }
        reader.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b" ");
        assert_eq!(look(Some(&writer)), Advice::Wait);
        assert_eq!(look(Some(&writer)), Advice::Ping);
        for _ in 0..LOST_LOOKS {
            assert_eq!(look(Some(&writer)), Advice::Wait);
        }
        assert_eq!(look(Some(&writer)), Advice::Close);
        for _ in 0..LOST_LOOKS {
            assert_eq!(look(None), Advice::Wait);
        }
        assert_eq!(look(None), Advice::Kill);
        assert_eq!(look(None), Advice::Kill);
    }
}
