//! Sets aside zsh's `DEBUG` trap after a command, so that it does not run for our lines.
//!
//! zsh runs the trap before each list if the option `debug_before_cmd` is on, and after it otherwise; a chain of `&&`
//! and `||` is one list. So a list that begins with the option off and ends with it on runs no trap. An expansion can
//! turn an option without a command, and there is one place where zsh expands something after a command and before the
//! next list: the patterns of a `case` whose last item ended with `;|`.
//!
//! ```text
//! case .on in
//!   (.on) EVALUATE ;|
//!   (.${…options[debug_before_cmd]::=off…}) ENDED || trap >|CONTROL && trap - DEBUG ;;
//!   (*) the same, where the option is off or `options` is the user's
//! esac
//! ```
//!
//! A trap that is a function is disabled instead, and enabled again.

use super::channels::SINK;
use super::report::{Ended, Stage};
use super::step::Writer;

impl Writer<'_> {
    /// Returns `evaluation`, then the report that it has ended, then the code that sets the trap aside.
    pub(super) fn ends_without_trap(self, evaluation: &str) -> String {
        let is_on = "${(M)options[debugbeforecmd]:#on}";
        let off = turned("off");
        let ended = self.failure(Stage::Ended, "$-", &turned("on"));
        let without_options = self.failure(Stage::Ended, "$-", "");
        let aside = self.trap_aside();
        format!(
            "case .on in (.on) {evaluation} ;| (.${{{IS_SPECIAL}:+{is_on}{off}}}) {ended} || {aside} ;; \
             (*) {without_options} || {aside} ;; esac"
        )
    }

    /// Returns a chain that prints the trap to the control terminal and removes it.
    pub(super) fn trap_aside(self) -> String {
        let p = self.after.prefix;
        let function = self.failure(Stage::Function, "", "");
        let control = self.control_word();
        format!(
            "{p}disable -f TRAPDEBUG 2>|{SINK} && {function} || {p}trap >|{control} && {p}trap - DEBUG"
        )
    }

    /// Returns the code that restores the trap that was set aside, and then `$?`, in a chain with what follows. None of
    /// our lists begins while the trap is set.
    pub(super) fn trap_and_status(self, before: &Ended, trap: &str) -> String {
        let p = self.route.prefix;
        let trap = self.trap_again(trap);
        match before.status {
            0 => format!("{trap} && "),
            status => {
                // A subshell has a trap that is a function.
                let off = format!("${{{IS_SPECIAL}:+{}}}", turned("off"));
                format!("{trap} && ({p}exit {status}) >/dev/null{off} 2>&1 || ")
            }
        }
    }

    /// Returns code that restores the trap that was set aside, and succeeds.
    pub(super) fn trap_again(self, trap: &str) -> String {
        let p = self.route.prefix;
        format!("{{ {p}{trap} || {p}:; }} 2>|{SINK}")
    }
}

/// Whether `options` is zsh's and not the user's.
const IS_SPECIAL: &str = "${(M)${(t)options}:#*special*}";

/// Returns an expansion to nothing that turns `debug_before_cmd` on or off.
fn turned(state: &str) -> String {
    format!("${{${{options[debugbeforecmd]::={state}}}:+}}")
}
