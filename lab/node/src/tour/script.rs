//! A step as its file has it: a sentence, what is expected, and who types what.
//!
//! ```text
//! # What it shows.
//! exit = 0
//! says = text that must be printed
//! not = text that must not
//! finds = what root looks for afterwards, in words
//! --- root
//! what root makes ready
//! --- app
//! what is typed
//! --- after
//! what root looks at afterwards; it must end with 0
//! ```

/// A step.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) title: String,
    pub(crate) user: String,
    pub(crate) command: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    exit: Vec<i32>,
    says: Vec<String>,
    not: Vec<String>,
    finds: Vec<String>,
}

impl Script {
    /// Reads a file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut script = Self::default();
        let mut parts = text.split("\n--- ");
        for line in parts.next().unwrap_or_default().lines().filter(|line| !line.is_empty()) {
            script.read(line)?;
        }
        for part in parts {
            let (who, body) = part.split_once('\n').ok_or("a part without a line")?;
            let body = body.trim_end().to_owned();
            match who {
                "root" => script.before = Some(body),
                "after" => script.after = Some(body),
                user => (script.user, script.command) = (user.to_owned(), body),
            }
        }
        if script.title.is_empty() || script.command.is_empty() || script.exit.is_empty() {
            return Err("needs a title, what is typed, and how it is to end".into());
        }
        Ok(script)
    }

    fn read(&mut self, line: &str) -> Result<(), String> {
        if let Some(title) = line.strip_prefix("# ") {
            let gap = if self.title.is_empty() { "" } else { " " };
            self.title.push_str(gap);
            self.title.push_str(title);
            return Ok(());
        }
        let (key, value) = line.split_once(" = ").ok_or_else(|| format!("what is {line:?}?"))?;
        let list = match key {
            "exit" => {
                let codes = value.split(' ').map(str::parse).collect::<Result<_, _>>();
                self.exit = codes.map_err(|_| format!("{value:?} is no exit code"))?;
                return Ok(());
            }
            "says" => &mut self.says,
            "not" => &mut self.not,
            "finds" => &mut self.finds,
            _ => return Err(format!("what is {key:?}?")),
        };
        list.push(value.to_owned());
        Ok(())
    }

    /// What is expected, in words.
    pub(crate) fn expected(&self) -> Vec<String> {
        let codes: Vec<String> = self.exit.iter().map(ToString::to_string).collect();
        let mut expected = vec![format!("ends with {}", codes.join(" or "))];
        expected.extend(self.says.iter().map(|text| format!("says \"{text}\"")));
        expected.extend(self.not.iter().map(|text| format!("does not say \"{text}\"")));
        expected.extend(self.finds.iter().cloned());
        expected
    }

    /// What of an end and an output is otherwise.
    pub(crate) fn wrong(&self, exit: Option<i32>, output: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        match exit {
            Some(code) if self.exit.contains(&code) => {}
            Some(code) => wrong.push(format!("ended with {code}")),
            None => wrong.push("took too long".to_owned()),
        }
        let is_said = |text: &&String| output.contains(text.as_str());
        let missing = self.says.iter().filter(|text| !is_said(text));
        wrong.extend(missing.map(|text| format!("did not say \"{text}\"")));
        wrong.extend(self.not.iter().filter(is_said).map(|text| format!("said \"{text}\"")));
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Restart the database.\nexit = 0 1\nsays = it answers\nnot = panicked\n\
                        finds = the shop answers\n--- root\nready\n--- app\nheadroom service\n\n\
                        --- after\ntrue\n";

    #[test]
    fn a_file_is_who_types_what_and_what_is_expected() {
        let script = Script::parse(FILE).expect("a step");
        assert_eq!((script.user.as_str(), script.command.as_str()), ("app", "headroom service"));
        assert_eq!(script.before.as_deref(), Some("ready"));
        assert_eq!(script.after.as_deref(), Some("true"));
        let expected = script.expected().join("; ");
        assert!(expected.starts_with("ends with 0 or 1; says \"it answers\""), "{expected}");
        assert!(expected.ends_with("the shop answers"), "{expected}");
    }

    #[test]
    fn every_expectation_that_fails_is_named() {
        let script = Script::parse(FILE).expect("a step");
        assert!(script.wrong(Some(1), "and it answers").is_empty());
        let wrong = script.wrong(Some(2), "panicked").join("; ");
        assert_eq!(wrong, "ended with 2; did not say \"it answers\"; said \"panicked\"");
        assert_eq!(script.wrong(None, "it answers"), ["took too long"]);
    }

    #[test]
    fn a_file_that_expects_nothing_is_none() {
        assert!(Script::parse("# A step.\n--- app\ntrue\n").is_err());
        assert!(Script::parse("# A step.\nexits = 0\n--- app\ntrue\n").is_err());
    }

    #[test]
    fn every_step_of_the_tour_is_one() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../image/run/tour/steps");
        let entries: Vec<_> = std::fs::read_dir(folder).expect("listed").collect();
        assert!(entries.len() > 10);
        for entry in entries.into_iter().map(|entry| entry.expect("listed").path()) {
            let text = std::fs::read_to_string(&entry).expect("read");
            let script = Script::parse(&text);
            assert!(script.is_ok(), "{}: {script:?}", entry.display());
        }
    }
}
