//! The measurements as a picture: a panel for each work, a bar for each contender.

use std::fmt::Write as _;

use csp_benches::Scene;

use crate::report::{Report, Row, figure};

const PANEL: (usize, usize) = (300, 24);
const COLUMNS: usize = 3;
const LABEL: usize = 108;
const BAR: usize = 12;
const STEP: usize = 17;

pub(crate) fn svg(report: &Report) -> String {
    let mut body = String::new();
    let mut y = 10;
    for (scene, title) in [(Scene::OneThread, "one thread"), (Scene::Threads, "OS threads")] {
        let rows: Vec<&Row> = report.rows_of(scene).collect();
        if rows.is_empty() {
            continue;
        }
        y += 20;
        let _ = writeln!(
            body,
            r#"<text x="10" y="{y}" class="t">{title}, ns: shorter is better (⟶ does not fit)</text>"#
        );
        y += 8;
        for line in rows.chunks(COLUMNS) {
            let highest = line.iter().map(|row| row.cells.len()).max().unwrap_or(0);
            for (column, row) in line.iter().enumerate() {
                panel(&mut body, 10 + column * PANEL.0, y, row);
            }
            y += PANEL.1 + highest * STEP + 10;
        }
    }
    let width = COLUMNS * PANEL.0 + 10;
    // The picture has its own background, because its text has one colour, but pages are light or dark.
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}" font-family="sans-serif" font-size="11">
<style>.t{{font-size:14px;font-weight:bold}}.w{{font-weight:bold}}.csp{{fill:#c2410c}}.peer{{fill:#94a3b8}}</style>
<rect width="{width}" height="{y}" fill="#fff"/>
{body}</svg>
"##
    )
}

/// Draws one work. The scale ends at the slowest contender, or at ten times the first if that is less.
fn panel(body: &mut String, x: usize, y: usize, row: &Row) {
    let _ = writeln!(body, r#"<text x="{x}" y="{}" class="w">{}</text>"#, y + 14, row.name);
    let slowest = row.cells.iter().map(|cell| cell.nanoseconds).fold(0.0, f64::max);
    let scale = slowest.min(10.0 * row.cells[0].nanoseconds);
    let room = (PANEL.0 - LABEL - 70) as f64;
    for (at, cell) in row.cells.iter().enumerate() {
        let top = y + PANEL.1 + at * STEP;
        let length = (cell.nanoseconds / scale).min(1.0) * room;
        let class = if cell.name.starts_with("csp") { "csp" } else { "peer" };
        let off = if cell.nanoseconds > scale { " ⟶" } else { "" };
        let text = top + BAR - 2;
        let _ = writeln!(
            body,
            r#"<text x="{}" y="{text}" text-anchor="end">{}</text><rect x="{}" y="{top}" width="{length:.1}" height="{BAR}" class="{class}"/><text x="{:.1}" y="{text}">{}{off}</text>"#,
            x + LABEL - 4,
            cell.name,
            x + LABEL,
            (x + LABEL) as f64 + length + 4.0,
            figure(cell.nanoseconds),
        );
    }
}
