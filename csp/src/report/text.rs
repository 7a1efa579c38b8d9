//! Folds text to 80 columns.

use std::fmt::{self, Write};

/// The columns of a terminal.
const WIDTH: usize = 80;

/// The style of the output.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) alarm: &'static str,
    pub(crate) strong: &'static str,
    pub(crate) off: &'static str,
}

impl Style {
    pub(crate) const PLAIN: Self = Self { alarm: "", strong: "", off: "" };
    pub(crate) const COLOURED: Self =
        Self { alarm: "\x1b[1;31m", strong: "\x1b[1m", off: "\x1b[0m" };
}

/// Writes a paragraph. Its first line begins with `indent`, and its other lines a little deeper.
/// `bold`: the number of bold bytes at its beginning.
pub(crate) fn paragraph(
    f: &mut dyn Write,
    indent: usize,
    text: &str,
    bold: usize,
    style: Style,
) -> fmt::Result {
    let (mut column, mut written, mut blanks) = (indent, 0, 0);
    write!(f, "{:indent$}{}", "", if bold > 0 { style.strong } else { "" })?;
    // Each word goes into the line if there is room, else into the next.
    let deeper = (indent + 6).min(WIDTH / 2);
    for word in words(text, WIDTH - deeper) {
        let (full, length) = (word.len(), word.chars().count());
        let word = word.trim_end();
        if column > indent && column + blanks + word.chars().count() > WIDTH {
            write!(f, "\n{:deeper$}", "")?;
            (column, blanks) = (deeper, 0);
        }
        let until = bold.saturating_sub(written).min(word.len());
        write!(f, "{:blanks$}{}", "", &word[..until])?;
        if bold > written && bold <= written + full {
            f.write_str(style.off)?;
        }
        f.write_str(&word[until..])?;
        column += blanks + word.chars().count();
        // Blanks at a line's end are not written.
        blanks = length - word.chars().count();
        written += full;
    }
    f.write_char('\n')
}

/// Returns the parts behind which a line may end: words, and the steps of a path that is wider than
/// a line.
fn words(text: &str, width: usize) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ').flat_map(move |word| {
        let wide = word.trim_end().chars().count() > width;
        let steps = if wide { '/' } else { ' ' };
        word.split_inclusive(steps)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(indent: usize, text: &str, bold: usize, style: Style) -> String {
        let mut lines = String::new();
        paragraph(&mut lines, indent, text, bold, style).unwrap();
        lines
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let path = format!("main{}", "/philosopher[12]".repeat(12));
        let text = format!("{path}: blocked at src/main.rs:31:5, {}", "and so on ".repeat(20));
        for indent in [0, 4, 10] {
            let lines = folded(indent, &text, 0, Style::PLAIN);
            assert!(lines.lines().all(|line| line.chars().count() <= WIDTH), "{lines}");
            let joined: String = lines.split_whitespace().collect();
            assert_eq!(joined, text.split_whitespace().collect::<String>());
        }
        assert_eq!(folded(2, "a b", 0, Style::PLAIN), "  a b\n");
    }

    #[test]
    fn what_is_bold_takes_no_columns() {
        let text = format!("{}: {}", "x".repeat(10), "word ".repeat(13));
        let plain = folded(2, &text, 0, Style::PLAIN);
        let bold = folded(2, &text, 10, Style::COLOURED);
        assert!(bold.starts_with("  \x1b[1mxxxxxxxxxx\x1b[0m: "), "{bold}");
        assert_eq!(bold.replace("\x1b[1m", "").replace("\x1b[0m", ""), plain);
    }
}
