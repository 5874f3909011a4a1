//! What commands of sessions, terminals and code in contexts have used.

use std::time::Duration;

use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{ContextOptions, ExecuteOptions};
use sandbox_engine::isolation::Isolation;
use sandbox_engine::resources::Usage;
use sandbox_engine::{CommandOptions, PtyOptions, SessionOptions, Termination};

use crate::guard::{builder, engine};

/// Far above the clock tick by which processor time of a part is measured.
const WORK: Duration = Duration::from_millis(200);

fn processor(usage: Usage) -> Duration {
    usage.user_time + usage.system_time
}

/// Checks two commands, of which the first works for [`WORK`] and the second does nothing.
async fn in_a_session(options: SessionOptions) {
    let engine = builder().build().unwrap();
    engine.sessions().create("s", options).await.unwrap();
    let session = engine.sessions().get("s").unwrap();
    let run = async |text: &str| {
        let command = session.execute(text, CommandOptions::default()).unwrap();
        assert_eq!(command.usage(), None);
        let ended = command.ended().await;
        (ended, command.usage())
    };
    let work = "python3 -S -c 'import time\nwhile time.process_time() < 0.2: pass'";
    let (ended, worked) = run(work).await;
    assert_eq!(ended, Termination::Exited { code: 0 });
    let worked = worked.unwrap();
    // One tick before and one after.
    assert!(
        processor(worked) + Duration::from_millis(20) >= WORK,
        "{worked:?}"
    );
    assert!(worked.wall_time >= WORK, "{worked:?}");
    let (_, idle) = run(":").await;
    assert!(processor(idle.unwrap()) < WORK, "{idle:?}");
    // The shell ends with this one, and its own total has what came before, too.
    let (ended, last) = run("exit 3").await;
    assert_eq!(ended, Termination::Exited { code: 3 });
    assert!(processor(last.unwrap()) < WORK, "{last:?}");
    assert_eq!(last.unwrap().peak_rss_bytes, None);
}

#[tokio::test]
async fn a_command_of_a_session_has_its_own_usage() {
    in_a_session(SessionOptions::default()).await;
}

#[tokio::test]
async fn a_command_of_an_isolated_session_has_its_own_usage() {
    let isolation = Isolation::strict();
    let can = engine().probe_isolation(&isolation).await.is_ok();
    if can {
        in_a_session(SessionOptions {
            isolation: Some(isolation),
            ..SessionOptions::default()
        })
        .await;
    }
}

#[tokio::test]
async fn a_terminal_has_a_usage_when_it_has_ended() {
    let engine = builder().build().unwrap();
    let pty = engine.ptys().create("t", PtyOptions::default()).await;
    let pty = pty.unwrap();
    assert_eq!(pty.usage(), None);
    let input = pty.input();
    let typed = "exec python3 -S -c 'import time\nwhile time.process_time() < 0.2: pass'\n";
    input.write(typed.into()).await.unwrap();
    assert_eq!(pty.ended().await, Termination::Exited { code: 0 });
    let usage = pty.usage().unwrap();
    assert!(processor(usage) >= WORK, "{usage:?}");
    assert!(usage.wall_time >= WORK, "{usage:?}");
}

#[tokio::test]
async fn code_in_a_context_has_its_own_usage_and_one_end() {
    let engine = builder().build().unwrap();
    let context = ContextOptions::default();
    let context = { engine.contexts().create(Language::Python, context).await }.unwrap();
    let run = async |code: &str| {
        let execution = context.execute(code, ExecuteOptions::default()).unwrap();
        execution.ended().await
    };
    let worked =
        run("import time\nb = b'x' * (200 << 20)\nwhile time.process_time() < 0.3: pass").await;
    assert_eq!(worked.termination(), Termination::Exited { code: 0 });
    let usage = worked.usage.unwrap();
    assert!(
        usage.wall_time > Duration::ZERO && processor(usage) > Duration::ZERO,
        "{usage:?}"
    );
    assert!(usage.peak_rss_bytes.unwrap() > 200 << 20, "{usage:?}");
    let failed = run("1 / 0").await;
    assert_eq!(failed.termination(), Termination::Exited { code: 1 });
    assert!(processor(failed.usage.unwrap()) < WORK, "{failed:?}");
    let lost = run("import os; os._exit(7)").await;
    assert_eq!(lost.termination(), Termination::Exited { code: 7 });
    assert!(lost.usage.is_some());
    engine.contexts().delete(context.id()).await;
}
