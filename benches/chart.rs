//! Figures as a picture: a panel for each work, a bar for each contender.

use std::fmt::Write as _;

const PANEL: (usize, usize) = (300, 24);
const COLUMNS: usize = 3;
const LABEL: usize = 108;
const FIGURE: usize = 70;
const BAR: usize = 12;
const STEP: usize = 17;

/// The figure of one contender.
#[derive(Debug)]
pub struct Bar {
    /// The contender.
    pub name: String,
    /// In the unit of the panel's scale.
    pub length: f64,
    /// The text behind the bar.
    pub figure: String,
}

/// The figures of one work.
#[derive(Debug)]
pub struct Panel {
    /// The work.
    pub title: String,
    /// The unit of the figures, if it is not the same for all panels.
    pub unit: Option<String>,
    /// The contenders, in the order in which they are drawn.
    pub bars: Vec<Bar>,
    /// The length of the longest bar that fits.
    pub scale: f64,
}

/// A picture, which grows downwards.
#[derive(Debug, Default)]
pub struct Picture {
    body: String,
    height: usize,
}

impl Picture {
    /// Adds a line of large letters.
    pub fn heading(&mut self, text: &str) {
        let y = self.height + 30;
        let _ = writeln!(self.body, r#"<text x="10" y="{y}" class="t">{text}</text>"#);
        self.height = y - 2;
    }

    /// Adds panels, some in a line.
    pub fn panels(&mut self, panels: &[Panel]) {
        for line in panels.chunks(COLUMNS) {
            let y = self.height + 10;
            for (column, panel) in line.iter().enumerate() {
                panel.draw(&mut self.body, 10 + column * PANEL.0, y);
            }
            let highest = line.iter().map(|panel| panel.head() + panel.bars.len() * STEP).max();
            self.height = y + highest.unwrap_or(0);
        }
    }

    /// Returns the picture. It has a background of its own, because its text has one colour, and pages are light or dark.
    #[must_use]
    pub fn svg(&self) -> String {
        let (width, height, body) = (COLUMNS * PANEL.0 + 10, self.height + 10, &self.body);
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" font-size="11">
<style>.t{{font-size:14px;font-weight:bold}}.w{{font-weight:bold}}.csp{{fill:#c2410c}}.peer{{fill:#94a3b8}}</style>
<rect width="{width}" height="{height}" fill="#fff"/>
{body}</svg>
"##
        )
    }
}

impl Panel {
    /// Returns the height of what stands above the bars.
    fn head(&self) -> usize {
        PANEL.1 + if self.unit.is_some() { 12 } else { 0 }
    }

    fn draw(&self, body: &mut String, x: usize, y: usize) {
        let title = y + 14;
        let _ = writeln!(body, r#"<text x="{x}" y="{title}" class="w">{}</text>"#, self.title);
        if let Some(unit) = &self.unit {
            let _ = writeln!(body, r#"<text x="{x}" y="{}">{unit}</text>"#, title + 13);
        }
        let room = (PANEL.0 - LABEL - FIGURE) as f64;
        for (at, Bar { name, length, figure }) in self.bars.iter().enumerate() {
            let top = y + self.head() + at * STEP;
            let long = (length / self.scale).clamp(0.0, 1.0) * room;
            let class = if name.starts_with("csp") { "csp" } else { "peer" };
            let off = if *length > self.scale { " ⟶" } else { "" };
            let (text, left) = (top + BAR - 2, x + LABEL);
            let _ = writeln!(
                body,
                r#"<text x="{}" y="{text}" text-anchor="end">{name}</text><rect x="{left}" y="{top}" width="{long:.1}" height="{BAR}" class="{class}"/><text x="{:.1}" y="{text}">{figure}{off}</text>"#,
                left - 4,
                left as f64 + long + 4.0,
            );
        }
    }
}
