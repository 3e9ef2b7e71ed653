//! The text form itself: families of samples, with labels that nobody can break out of.

use std::fmt::Write;

/// What is exposed, as it grows.
#[derive(Debug, Default)]
pub(crate) struct Text {
    text: String,
}

/// One family of samples.
#[derive(Debug)]
pub(crate) struct Family<'t> {
    text: &'t mut String,
    name: String,
}

impl Text {
    /// A value that goes up and down.
    pub(crate) fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// A value that only grows.
    pub(crate) fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) -> Family<'_> {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Family { text: &mut self.text, name: name.to_owned() }
    }

    /// All of it.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// One sample.
    pub(crate) fn value(&mut self, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(&self.name);
        for (at, (name, content)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            let content = content.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{name}=\"{content}\"");
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_begin_another_line() {
        let mut text = Text::default();
        let mut family = text.gauge("up", "Whether.");
        family.value(&[], 1.0);
        family.value(&[("zone", "a\"} 1\nfake 2\\"), ("class", "x")], 0.5);
        assert_eq!(
            text.finish(),
            "# HELP up Whether.\n# TYPE up gauge\nup 1\n\
             up{zone=\"a\\\"} 1\\nfake 2\\\\\",class=\"x\"} 0.5\n"
        );
    }
}
