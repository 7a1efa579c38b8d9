//! Text that has come from another OS process, and is to be shown. It is cut, and characters that
//! control a terminal are escaped. Bytes are shown as hexadecimal digits.

/// The most bytes of a text: of a name, place or reason, and of a report.
const LONGEST: usize = 4 << 10;
const LONGEST_REPORT: usize = 64 << 10;

/// Returns a name or a place.
pub(in crate::backend::subprocess) fn name(text: String) -> String {
    tame(text, LONGEST, false)
}

/// Returns a reason, which may have several lines.
pub(in crate::backend::subprocess) fn reason(text: String) -> String {
    tame(text, LONGEST, true)
}

/// Returns a report of many processes.
pub(super) fn report(text: String) -> String {
    tame(text, LONGEST_REPORT, true)
}

/// Returns two digits for each byte, in lower case.
#[allow(dead_code, reason = "only hosts and addresses show bytes")]
pub(in crate::backend::subprocess) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tame(text: String, longest: usize, has_lines: bool) -> String {
    let is_wild = |c: char| match c {
        '\n' | '\t' => !has_lines,
        // These turn the direction of what is shown.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    };
    if text.len() <= longest && !text.chars().any(is_wild) {
        return text;
    }
    let mut tamed = String::new();
    for c in text.chars() {
        let before = tamed.len();
        match is_wild(c) {
            true => tamed.extend(c.escape_default()),
            false => tamed.push(c),
        }
        if tamed.len() > longest {
            tamed.truncate(before);
            tamed.push('…');
            break;
        }
    }
    tamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_two_digits() {
        assert_eq!(hexadecimal(&[0, 0x0a, 0xf0, 0xff]), "000af0ff");
    }

    #[test]
    fn text_from_elsewhere_is_cut_and_escaped() {
        let plain = "a `process` that\n\tpanicked: ß … 1:2";
        assert_eq!(reason(plain.to_owned()), plain);
        assert_eq!(name(plain.to_owned()), "a `process` that\\n\\tpanicked: ß … 1:2");
        assert_eq!(reason("\u{1b}[2J\r\0\u{9b}".to_owned()), "\\u{1b}[2J\\r\\u{0}\\u{9b}");
        assert_eq!(reason("\u{202e}ab".to_owned()), "\\u{202e}ab");
        for text in ["ß".repeat(LONGEST), "\r".repeat(LONGEST)] {
            let cut = reason(text);
            assert!(cut.len() <= LONGEST + '…'.len_utf8() && cut.ends_with('…'));
        }
        assert_eq!(report("a".repeat(LONGEST + 1)).len(), LONGEST + 1);
    }
}
