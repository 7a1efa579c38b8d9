//! Pictures of networks for the guide: columns of processes, joined by channels, as SVG in the colours of the page.

use std::fmt::Write as _;

const WIDTH: i32 = 112;
const HEIGHT: i32 = 30;
const GAP: i32 = 12;
/// The gap between columns, with room for the name of a channel.
const WAY: i32 = 110;
const EDGE: i32 = 6;

/// Draws `producer | jobs | worker[0] worker[1] … | results | consumer`: processes and channels by turns. A final `< name` draws
/// a channel back from the last column to the first. A channel `name*` joins each process with its neighbour.
pub(crate) fn svg(network: &str) -> String {
    let (ahead, back) = match network.split_once('<') {
        Some((ahead, back)) => (ahead, Some(back.trim())),
        None => (network, None),
    };
    let parts: Vec<&str> = ahead.split('|').map(str::trim).collect();
    let columns: Vec<Vec<&str>> =
        parts.iter().step_by(2).map(|part| part.split_whitespace().collect()).collect();
    let channels: Vec<&str> = parts.iter().skip(1).step_by(2).copied().collect();
    let rows = columns.iter().map(Vec::len).max().unwrap_or(1) as i32;
    let tall = rows * (HEIGHT + GAP) - GAP + 2 * EDGE;
    let height = tall + if back.is_some() { 40 } else { 0 };
    let width = columns.len() as i32 * (WIDTH + WAY) - WAY + 2 * EDGE;
    let left = |column: usize| EDGE + column as i32 * (WIDTH + WAY);
    let middle = |column: usize, row: usize| {
        let own = columns[column].len() as i32 * (HEIGHT + GAP) - GAP;
        (tall - own) / 2 + row as i32 * (HEIGHT + GAP) + HEIGHT / 2
    };

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         style=\"max-width:100%\" role=\"img\" aria-label=\"{}\" font-family=\"sans-serif\" font-size=\"13\" \
         text-anchor=\"middle\" fill=\"currentColor\" stroke=\"none\">\n",
        network.replace('<', "&lt;")
    );
    let mut arrow = |from: (i32, i32), to: (i32, i32)| {
        // The curve leaves one box and enters the other horizontally.
        let bend = (to.0 - from.0) / 2;
        let _ = writeln!(
            svg,
            "<path d=\"M{} {} C{} {} {} {} {} {}\" fill=\"none\" stroke=\"currentColor\"/>\
             <path d=\"M{} {} l-8 -4 v8 z\"/>",
            from.0,
            from.1,
            from.0 + bend,
            from.1,
            to.0 - bend - 6,
            to.1,
            to.0 - 6,
            to.1,
            to.0,
            to.1
        );
    };
    for (column, channel) in channels.iter().enumerate() {
        let by_row = channel.ends_with('*');
        for from in 0..columns[column].len() {
            for to in 0..columns[column + 1].len() {
                // The dots stand for many processes, and are joined as the others are.
                if !by_row || from == to {
                    let start = (left(column) + WIDTH, middle(column, from));
                    arrow(start, (left(column + 1), middle(column + 1, to)));
                }
            }
        }
    }
    for (column, channel) in channels.iter().enumerate() {
        let x = left(column) + WIDTH + WAY / 2;
        let y = tall / 2 - 6;
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" font-style=\"italic\" opacity=\".8\">{}</text>",
            channel.trim_end_matches('*')
        );
    }
    if let Some(back) = back {
        let (from, to) = (left(columns.len() - 1) + WIDTH / 2, left(0) + WIDTH / 2);
        let (start, low) = (tall / 2 + HEIGHT / 2, tall + 20);
        let _ = writeln!(
            svg,
            "<path d=\"M{from} {start} V{low} H{to} V{}\" fill=\"none\" stroke=\"currentColor\"/>\
             <path d=\"M{to} {start} l-4 8 h8 z\"/>\
             <text x=\"{}\" y=\"{}\" font-style=\"italic\" opacity=\".8\">{back}</text>",
            start + 6,
            (from + to) / 2,
            low - 6
        );
    }
    for (column, processes) in columns.iter().enumerate() {
        for (row, process) in processes.iter().enumerate() {
            let (x, y) = (left(column), middle(column, row));
            let centre = x + WIDTH / 2;
            if *process != "…" {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x}\" y=\"{}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\" fill=\"none\" \
                     stroke=\"currentColor\"/>",
                    y - HEIGHT / 2
                );
            }
            let _ = writeln!(svg, "<text x=\"{centre}\" y=\"{}\">{process}</text>", y + 4);
        }
    }
    svg + "</svg>\n"
}
