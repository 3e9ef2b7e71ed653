//! What cuts lines that are too long for it.

/// Wraps at blanks, as a mail client does, a line longer than `width`.
pub(crate) fn worded(line: &str, width: usize) -> String {
    let mut wrapped = String::new();
    let mut length = 0;
    for word in line.split_inclusive(' ') {
        if length > 0 && length + word.trim_end().len() > width {
            wrapped = wrapped.trim_end().into();
            wrapped.push('\n');
            length = 0;
        }
        wrapped.push_str(word);
        length += word.len();
    }
    wrapped
}

/// Breaks anywhere, as a narrow terminal does.
pub(crate) fn broken(line: &str, width: usize) -> String {
    let characters: Vec<char> = line.chars().collect();
    let pieces: Vec<String> =
        characters.chunks(width).map(|piece| piece.iter().collect()).collect();
    pieces.join("\n")
}

/// A raw mail's lines of 76 characters, `=` where they go on.
pub(crate) fn quoted_printable(line: &str) -> String {
    let encoded = line.replace('=', "=3D");
    let mut wrapped = String::new();
    let mut length = 0;
    let mut rest = encoded.as_str();
    while let Some(c) = rest.chars().next() {
        // A code is not broken.
        let step = if rest.starts_with("=3D") { 3 } else { c.len_utf8() };
        if length + step > 75 {
            wrapped.push_str("=\n");
            length = 0;
        }
        wrapped.push_str(&rest[..step]);
        length += step;
        rest = &rest[step..];
    }
    wrapped
}
