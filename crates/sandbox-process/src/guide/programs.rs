//! Programs, and the charts that they show.
//!
//! ```no_run
//! use sandbox_process::{CodeRunParams, Language, Process};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let response = process.code_run("x = 10\ny = 20\nprint(f'Sum: {x + y}')").await?;
//! println!("{}", response.artifacts.stdout);
//!
//! let params = CodeRunParams {
//!     argv: vec!["verbatim; $(id)".into()],
//!     env: [("K".to_owned(), "V".to_owned())].into(),
//! };
//! let code = "import os, sys; print(sys.argv[1:], os.environ['K'])";
//! process.code_run(code).params(params).await?;
//!
//! process.code_run("console.log(6 * 7)").language(Language::JavaScript).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A daemon that is too old to run programs is given a command by the process's [`CodeToolbox`](crate::CodeToolbox): of Python,
//! JavaScript or TypeScript.
//!
//! # Charts
//!
//! What Python code shows by `matplotlib.pyplot.show()` comes back typed. A chart that is of no known type, or not as its type
//! should be, is [`Chart::Unknown`](crate::Chart::Unknown), with all that was told.
//!
//! ```no_run
//! use sandbox_process::{Chart, ChartType, Process};
//!
//! # async fn example(process: Process, code: String) -> Result<(), sandbox_process::Error> {
//! let response = process.code_run(code).await?;
//! for chart in &response.artifacts.charts {
//!     println!("Type: {:?}, title: {:?}", chart.chart_type(), chart.title());
//!     if let Chart::Line(line) = chart {
//!         assert_eq!(chart.chart_type(), ChartType::Line);
//!         println!("{:?}, {:?}, {:?}", line.x_label, line.x_ticks, line.x_tick_labels);
//!         println!("{:?}, {:?}, {:?}", line.y_label, line.y_ticks, line.y_tick_labels);
//!         println!("{:?}, {:?}", line.x_scale, line.y_scale);
//!         for element in &line.elements {
//!             println!("Label: {:?}, points: {:?}", element.label, element.points);
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
