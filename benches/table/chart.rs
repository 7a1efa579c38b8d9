//! The measurements as a picture.

use csp_benches::Scene;
use csp_benches::chart::{Bar, Panel, Picture};

use crate::report::{Cell, Report, Row, figure};

pub(crate) fn svg(report: &Report) -> String {
    let mut picture = Picture::default();
    for (scene, title) in [(Scene::OneThread, "one thread"), (Scene::Threads, "OS threads")] {
        let panels: Vec<Panel> = report.rows_of(scene).map(panel).collect();
        if !panels.is_empty() {
            picture.heading(&format!("{title}, ns: shorter is better (⟶ does not fit)"));
            picture.panels(&panels);
        }
    }
    picture.svg()
}

/// Draws one work. The scale ends at the slowest contender, or at ten times the first if that is less.
fn panel(row: &Row) -> Panel {
    let slowest = row.cells.iter().map(|cell| cell.nanoseconds).fold(0.0, f64::max);
    let bar = |cell: &Cell| Bar {
        name: cell.name.clone(),
        length: cell.nanoseconds,
        figure: figure(cell.nanoseconds),
    };
    Panel {
        title: row.name.to_owned(),
        unit: None,
        bars: row.cells.iter().map(bar).collect(),
        scale: slowest.min(10.0 * row.cells[0].nanoseconds),
    }
}
