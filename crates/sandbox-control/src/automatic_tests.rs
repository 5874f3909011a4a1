//! Tests of the timers, by their own clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sandbox_provider::{Change, Spec, State, Stop};
use tokio::time::sleep;

use super::act_when_due;
use crate::fake::{Plane, Step};
use crate::limits::{AUTOMATIC, RETRY};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn plane() -> Plane {
    let plane = Plane::new();
    tokio::spawn(act_when_due(Arc::clone(&plane.shared)));
    plane
}

#[tokio::test(start_paused = true)]
async fn an_idle_sandbox_is_stopped_and_later_deleted() {
    let plane = plane();
    let id = plane
        .create(|spec| {
            spec.auto_stop = Some(10 * MINUTE);
            spec.auto_delete = Some(5 * MINUTE);
        })
        .await;
    let other = plane.create(|_| {}).await;
    for (time, expect) in [
        (10 * MINUTE - SECOND, Some(State::Started)),
        (2 * SECOND, Some(State::Stopped)),
        (5 * MINUTE - 3 * SECOND, Some(State::Stopped)),
        (4 * SECOND, None),
        (1000 * 60 * MINUTE, None),
    ] {
        sleep(time).await;
        assert_eq!(plane.memory.state(&id), expect, "{time:?}");
        assert_eq!(plane.memory.state(&other), Some(State::Started));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_is_used_is_not_stopped() {
    let plane = plane();
    let id = plane
        .create(|spec| spec.auto_stop = Some(10 * MINUTE))
        .await;
    sleep(9 * MINUTE).await;
    drop(plane.shared.activity.begin(&id));
    sleep(9 * MINUTE).await;
    let using = plane.shared.activity.begin(&id);
    sleep(60 * MINUTE).await;
    assert_eq!(plane.memory.state(&id), Some(State::Started));
    drop(using);
    sleep(10 * MINUTE - SECOND).await;
    assert_eq!(plane.memory.state(&id), Some(State::Started));
    sleep(2 * SECOND).await;
    assert_eq!(plane.memory.state(&id), Some(State::Stopped));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_its_time_deletes_a_sandbox_that_is_used() {
    let plane = plane();
    let id = plane.create(|spec| spec.ttl = Some(30 * MINUTE)).await;
    let _using = plane.shared.activity.begin(&id);
    sleep(30 * MINUTE - SECOND).await;
    assert_eq!(plane.memory.state(&id), Some(State::Started));
    sleep(2 * SECOND).await;
    assert_eq!(plane.memory.state(&id), None);
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_sandbox_ends_with_its_stop() {
    let plane = plane();
    let id = plane
        .create(|spec| spec.auto_delete = Some(Duration::ZERO))
        .await;
    sleep(60 * MINUTE).await;
    assert_eq!(plane.memory.state(&id), Some(State::Started));
    let sandbox = plane.shared.find("s0").await.unwrap();
    plane.shared.stop(sandbox, Stop::Terminate).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(plane.memory.state(&id), None);
}

#[tokio::test(start_paused = true)]
async fn deadlines_survive_a_restart() {
    let plane = Plane::new();
    let ttl = plane.create(|spec| spec.ttl = Some(30 * MINUTE)).await;
    let idle = plane
        .create(|spec| spec.auto_stop = Some(20 * MINUTE))
        .await;
    sleep(15 * MINUTE).await;
    // Another server over the same provider; what was used before is not known to it.
    let shared = Plane::shared(&plane.memory);
    for id in [&ttl, &idle] {
        let sandbox = shared.find(id.as_str()).await.unwrap();
        let last = shared.activity.last(id);
        shared.timers.restore(&sandbox, last, plane.memory.day());
    }
    tokio::spawn(act_when_due(Arc::clone(&shared)));
    sleep(14 * MINUTE).await;
    assert_eq!(plane.memory.state(&ttl), Some(State::Started));
    assert_eq!(plane.memory.state(&idle), Some(State::Started));
    sleep(2 * MINUTE).await;
    assert_eq!(plane.memory.state(&ttl), None);
    sleep(5 * MINUTE).await;
    assert_eq!(plane.memory.state(&idle), Some(State::Stopped));
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again() {
    let plane = plane();
    let id = plane.create(|spec| spec.auto_stop = Some(MINUTE)).await;
    plane.memory.failures.store(2, Ordering::SeqCst);
    sleep(MINUTE + 2 * RETRY - SECOND).await;
    assert_eq!(plane.memory.state(&id), Some(State::Started));
    assert_eq!(plane.memory.failures.load(Ordering::SeqCst), 0);
    sleep(2 * SECOND).await;
    assert_eq!(plane.memory.state(&id), Some(State::Stopped));
}

#[tokio::test(start_paused = true)]
async fn few_are_stopped_at_a_time() {
    let plane = Plane::with_stop_time(10 * SECOND);
    tokio::spawn(act_when_due(Arc::clone(&plane.shared)));
    let mut ids = Vec::new();
    for _ in 0..3 * AUTOMATIC {
        ids.push(plane.create(|spec| spec.auto_stop = Some(MINUTE)).await);
    }
    sleep(2 * MINUTE).await;
    for id in &ids {
        assert_eq!(plane.memory.state(id), Some(State::Stopped));
    }
    assert_eq!(plane.memory.most_stopping.load(Ordering::SeqCst), AUTOMATIC);
}

#[tokio::test(start_paused = true)]
async fn a_change_moves_the_deadline() {
    let plane = plane();
    let id = plane
        .create(|spec| spec.auto_stop = Some(10 * MINUTE))
        .await;
    sleep(MINUTE).await;
    let mut change = Change::default();
    change.auto_stop = Some(Some(2 * MINUTE));
    plane.shared.change(id.clone(), change).await.unwrap();
    sleep(MINUTE - SECOND).await;
    assert_eq!(plane.memory.state(&id), Some(State::Started));
    sleep(2 * SECOND).await;
    assert_eq!(plane.memory.state(&id), Some(State::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_stopped_sandbox_does_not_delay_its_deletion() {
    let plane = plane();
    let id = plane
        .create(|spec| spec.auto_delete = Some(5 * MINUTE))
        .await;
    let sandbox = plane.shared.find(id.as_str()).await.unwrap();
    plane.shared.stop(sandbox, Stop::Terminate).await.unwrap();
    sleep(4 * MINUTE).await;
    let change = Change::default();
    plane.shared.change(id.clone(), change).await.unwrap();
    sleep(MINUTE - SECOND).await;
    assert_eq!(plane.memory.state(&id), Some(State::Stopped));
    sleep(2 * SECOND).await;
    assert_eq!(plane.memory.state(&id), None);
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_ended_by_itself_is_deleted_in_time() {
    let plane = plane();
    tokio::spawn(crate::automatic::follow(Arc::clone(&plane.shared)));
    // Without an interval of idleness no timer would look at it.
    let id = plane
        .create(|spec| spec.auto_delete = Some(5 * MINUTE))
        .await;
    sleep(60 * MINUTE).await;
    plane.memory.end(&id);
    sleep(5 * MINUTE - SECOND).await;
    assert_eq!(plane.memory.state(&id), Some(State::Error));
    sleep(2 * SECOND).await;
    assert_eq!(plane.memory.state(&id), None);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_begins_while_an_idle_sandbox_is_stopped_is_refused_and_not_cut() {
    let plane = Plane::with_stop_time(10 * SECOND);
    tokio::spawn(act_when_due(Arc::clone(&plane.shared)));
    let id = plane
        .create(|spec| spec.auto_stop = Some(10 * MINUTE))
        .await;
    sleep(10 * MINUTE + SECOND).await;
    // The provider still has it running.
    assert_eq!(plane.memory.state(&id), Some(State::Started));
    let (status, text) = plane.get("/toolbox/s0/version").await;
    assert_eq!(status, 409, "{text}");
    assert!(text.contains("was idle and is being stopped"), "{text}");
    sleep(10 * SECOND).await;
    assert_eq!(plane.memory.state(&id), Some(State::Stopped));
    let sandbox = plane.shared.find(id.as_str()).await.unwrap();
    plane.shared.start(sandbox).await.unwrap();
    let using = plane.shared.activity.enter(&id);
    assert!(using.is_some());
    // One that began before is waited for.
    sleep(60 * MINUTE).await;
    assert_eq!(plane.memory.state(&id), Some(State::Started));
}

/// Steps of the system's clock by more than any interval here.
const STEPS: [Step; 2] = [Step::On(YEAR), Step::Back(YEAR)];
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[tokio::test(start_paused = true)]
async fn a_step_of_the_clock_neither_ends_sandboxes_nor_keeps_them() {
    for step in STEPS {
        let plane = plane();
        let intervals = |spec: &mut Spec| {
            spec.ttl = Some(60 * MINUTE);
            spec.auto_stop = Some(10 * MINUTE);
            spec.auto_delete = Some(20 * MINUTE);
        };
        let before = plane.create(intervals).await;
        sleep(MINUTE).await;
        *plane.memory.step.lock().unwrap() = step;
        // One that the provider dates by the new time.
        let after = plane.create(intervals).await;
        let both = [before, after];
        for (time, expect) in [
            (9 * MINUTE - SECOND, [State::Started; 2].map(Some)),
            (2 * SECOND, [State::Stopped, State::Started].map(Some)),
            (MINUTE, [State::Stopped; 2].map(Some)),
            (19 * MINUTE - 2 * SECOND, [State::Stopped; 2].map(Some)),
            (2 * SECOND, [None, Some(State::Stopped)]),
            (MINUTE, [None; 2]),
        ] {
            sleep(time).await;
            let states = both.each_ref().map(|id| plane.memory.state(id));
            assert_eq!(states, expect, "{step:?} {time:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_to_live_is_not_moved_by_a_step_of_the_clock() {
    for step in STEPS {
        let plane = plane();
        *plane.memory.step.lock().unwrap() = step;
        let id = plane.create(|spec| spec.ttl = Some(30 * MINUTE)).await;
        *plane.memory.step.lock().unwrap() = Step::None;
        sleep(10 * MINUTE).await;
        // From its creation, whatever its date is.
        let mut change = Change::default();
        change.ttl = Some(Some(20 * MINUTE));
        plane.shared.change(id.clone(), change).await.unwrap();
        sleep(10 * MINUTE - SECOND).await;
        assert_eq!(plane.memory.state(&id), Some(State::Started), "{step:?}");
        sleep(2 * SECOND).await;
        assert_eq!(plane.memory.state(&id), None, "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_while_no_server_ran_keeps_nothing_for_ever() {
    let plane = Plane::new();
    let ttl = plane.create(|spec| spec.ttl = Some(30 * MINUTE)).await;
    *plane.memory.step.lock().unwrap() = Step::Back(YEAR);
    let shared = Plane::shared(&plane.memory);
    let sandbox = shared.find(ttl.as_str()).await.unwrap();
    let last = shared.activity.last(&ttl);
    shared.timers.restore(&sandbox, last, plane.memory.day());
    tokio::spawn(act_when_due(shared));
    sleep(30 * MINUTE - SECOND).await;
    assert_eq!(plane.memory.state(&ttl), Some(State::Started));
    sleep(2 * SECOND).await;
    assert_eq!(plane.memory.state(&ttl), None);
}
