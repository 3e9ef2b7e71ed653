//! Columns that line up.

use std::fmt::Write;

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a head, as wide as what is in them.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(columns: [(&'static str, Align); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Writes the table, each line indented by two blanks and none longer than `width`.
    pub(crate) fn write(&self, out: &mut String, width: usize) {
        let mut widths = self.columns.map(|(head, _)| head.len());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let heads = self.columns.map(|(head, _)| head.to_string());
        for row in std::iter::once(&heads).chain(&self.rows) {
            let mut line = String::from(" ");
            for ((cell, width), (_, align)) in row.iter().zip(widths).zip(self.columns) {
                // Writing to a String cannot fail.
                let _ = match align {
                    Align::Left => write!(line, " {cell:<width$} "),
                    Align::Right => write!(line, " {cell:>width$} "),
                };
            }
            out.extend(line.trim_end().chars().take(width));
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_are_cut() {
        let mut table = Table::new([("zone", Align::Left), ("MiB", Align::Right)]);
        table.row(["/".into(), "1280".into()]);
        table.row(["/limited.slice".into(), "9".into()]);
        let mut out = String::new();
        table.write(&mut out, 40);
        assert_eq!(out, "  zone             MiB\n  /               1280\n  /limited.slice     9\n");
        out.clear();
        table.write(&mut out, 6);
        assert_eq!(out.lines().map(str::len).max(), Some(6));
    }
}
