//! Charts, from real Python with matplotlib. They need the interpreter that `cargo xtask test` prepares; without it they
//! say so and pass.

use sandbox_process::charts::Scale;
use sandbox_process::{Chart, Outcome};
use sandbox_tests::Sandbox;

/// The specification's program.
const LINE_CHART: &str = include_str!("../../xtask/assets/line_chart.py");

async fn run(sandbox: &Sandbox, code: &str) -> Outcome {
    let response = sandbox.process.code_run(code).await.unwrap();
    assert!(response.success(), "{}", response.stderr_lossy());
    response
}

#[expect(clippy::print_stdout, reason = "the test's own report")]
fn can_draw() -> bool {
    let can = sandbox_tests::python().is_some();
    if !can {
        println!("passed over: SANDBOX_TEST_PYTHON names no interpreter with matplotlib");
    }
    can
}

async fn a_line_chart_has_its_data(sandbox: Sandbox) {
    if !can_draw() {
        return;
    }
    let response = run(&sandbox, LINE_CHART).await;
    assert_eq!(response.output(), "");
    let [Chart::Line(line)] = response.charts.as_slice() else {
        panic!("{:?}", response.charts);
    };
    assert_eq!(line.title.as_deref(), Some("Line Chart"));
    assert_eq!(line.x_label.as_deref(), Some("X-axis (seconds)"));
    assert_eq!(line.y_label.as_deref(), Some("Y-axis (amplitude)"));
    assert_eq!(
        (&line.x_scale, &line.y_scale),
        (&Some(Scale::Linear), &Some(Scale::Linear))
    );
    assert_eq!(line.x_ticks.len(), line.x_tick_labels.len());
    assert!(line.x_ticks.contains(&4.0) && line.x_tick_labels.iter().any(|label| label == "4"));
    assert!(line.y_ticks.len() > 3 && line.y_ticks.len() == line.y_tick_labels.len());
    let [series] = line.elements.as_slice() else {
        panic!("{:?}", line.elements)
    };
    assert_eq!(series.points.len(), 30);
    for (n, (x, y)) in (0_u8..).zip(&series.points) {
        let expect = f64::from(n) * 10.0 / 29.0;
        assert!(
            (x - expect).abs() < 1e-9 && (y - expect.sin()).abs() < 1e-9,
            "{x} {y}"
        );
    }
    let png = line.png.as_ref().unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 10_000);
    sandbox.shutdown().await;
}
on_every_transport!(a_line_chart_has_its_data: embedded, http);

async fn what_is_printed_is_no_chart(sandbox: Sandbox) {
    if !can_draw() {
        return;
    }
    // An unfinished line before the chart loses nothing, and what the program writes is its own.
    let code = "import matplotlib.pyplot as plt\nprint('a', end='')\nplt.plot([1, 2])\nplt.show()\nprint('b')";
    let response = run(&sandbox, code).await;
    assert_eq!(
        (&*response.stdout, response.charts.len()),
        (&b"ab\n"[..], 1)
    );
    sandbox.shutdown().await;
}
on_every_transport!(what_is_printed_is_no_chart: embedded, http);

async fn charts_before_an_exception_are_returned(sandbox: Sandbox) {
    if !can_draw() {
        return;
    }
    // Charts shown before an exception are retained, and the exception is the program's.
    let code =
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nraise ValueError('later')";
    let response = sandbox.process.code_run(code).await.unwrap();
    assert_eq!((response.exit_code(), response.charts.len()), (Some(1), 1));
    assert!(
        response
            .stderr_lossy()
            .ends_with("raise ValueError('later')\nValueError: later\n"),
        "{}",
        response.stderr_lossy()
    );
    sandbox.shutdown().await;
}
on_every_transport!(charts_before_an_exception_are_returned: embedded, http);

async fn charts_before_a_time_limit_are_returned(sandbox: Sandbox) {
    if !can_draw() {
        return;
    }
    // Charts shown before a time limit are retained. How long a chart takes depends on what else the machine does.
    let code = "import matplotlib.pyplot as plt, time\nplt.plot([1, 2])\nplt.show()\nprint('shown')\ntime.sleep(1000)";
    for seconds in [5, 20, 80, 320] {
        let limit = std::time::Duration::from_secs(seconds);
        let response = sandbox.process.code_run(code).timeout(limit).await.unwrap();
        assert_eq!(response.exit_code(), None);
        if &*response.stdout == b"shown\n" {
            assert_eq!(response.charts.len(), 1);
            return sandbox.shutdown().await;
        }
        assert_eq!(&*response.stdout, b"");
    }
    panic!("no chart was shown in time");
}
on_every_transport!(charts_before_a_time_limit_are_returned: embedded, http);

async fn nothing_is_shown_by_saving(sandbox: Sandbox) {
    if !can_draw() {
        return;
    }
    // Nothing is shown, nothing is reported.
    let code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('x.png')";
    assert!(run(&sandbox, code).await.charts.is_empty());
    sandbox.shutdown().await;
}
on_every_transport!(nothing_is_shown_by_saving: embedded, http);

async fn dates_are_instants(sandbox: Sandbox) {
    if !can_draw() {
        return;
    }
    // A datetime axis can be asked for its instants.
    let code = "import matplotlib.pyplot as plt, datetime as d\nplt.plot([d.datetime(2024, 1, 1), d.datetime(2024, 1, 2)], [1, 2])\nplt.show()";
    let response = run(&sandbox, code).await;
    let [Chart::Line(line)] = response.charts.as_slice() else {
        panic!("{:?}", response.charts);
    };
    assert_eq!(line.x_scale, Some(Scale::Datetime));
    assert_eq!(line.elements[0].points[0].0, 19_723.0);
    sandbox.shutdown().await;
}
on_every_transport!(dates_are_instants: embedded, http);
